/* Hazards of waiting: what was sent is what somebody waits for. */
#include "harness.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/time.h>

/* Sends what its peer has to get while the server waits, or computes. */
static void send_all(struct server *server)
{
	server->report->sent_ms = now_ms();
	send(server->fd, "all", 3, 0);
}

/* The program computes on. */
static void computes(struct server *server)
{
	send_all(server);
	double end = now_ms() + wait_ms();
	while (now_ms() < end)
		;
	server->report->gone_on = 1;
}

/* It came while the server waited. How soon, is a matter of who else wants the processor. */
static const char *in_time(struct got *got)
{
	static char wrong[96];
	if (got->late) {
		snprintf(wrong, sizeof wrong, "it took %.1f ms, until the server had gone on",
			 got->first_ms - got->report->sent_ms);
		return wrong;
	}
	return equals(got, "all");
}

enum { ROUNDS = 64, ENOUGH = 3, PROMISED_US = 5000, COMPUTES_US = 20000 };

/* Time on a processor, so without what others took of it. */
static long computed_us(void)
{
	struct timespec time;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* Sends of eight bytes, each followed by computation, until some came within the promised five milliseconds of it. All would, did
   not a busy machine keep the helper and the peer waiting at times. */
static void computes_often(struct server *server)
{
	struct epoll_event event = {.events = EPOLLOUT};
	volatile long *counts = server->report->counts;
	epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->fd, &event);
	counts[2] = COMPUTES_US;
	for (int round = 0; round < ROUNDS && counts[0] < ENOUGH; round++) {
		turn(server);
		long start = computed_us(), delay = 0;
		send(server->fd, "computes", 8, 0);
		while (!server->report->arrivals[round] && delay < COMPUTES_US)
			delay = computed_us() - start;
		counts[0] += delay <= PROMISED_US;
		counts[1]++;
		counts[2] = delay < counts[2] ? delay : counts[2];
		counts[3] = delay > counts[3] ? delay : counts[3];
	}
}

static const char *often_in_time(struct got *got)
{
	static char wrong[128];
	volatile long *counts = got->report->counts;
	snprintf(wrong, sizeof wrong, "%ld of %ld came in time, after %ld to %ld microseconds of computation", counts[0],
		 counts[1], counts[2], counts[3]);
	if (getenv("VERBOSE"))
		fprintf(stderr, "%s\n", wrong);
	if (got->len != (size_t)counts[1] * 8)
		return "bytes are missing";
	return counts[0] < ENOUGH ? wrong : NULL;
}

static struct server *shared;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static int pipe_ends[2];

static void sleeps(struct server *server)
{
	struct timespec time = wait_time();
	send_all(server);
	nanosleep(&time, NULL);
	server->report->gone_on = 1;
}

static void polls(struct server *server)
{
	struct pollfd none = {.fd = -1};
	send_all(server);
	poll(&none, 1, wait_ms());
	server->report->gone_on = 1;
}

static void selects(struct server *server)
{
	struct timespec time = wait_time();
	struct timeval limit = {.tv_sec = time.tv_sec, .tv_usec = time.tv_nsec / 1000};
	send_all(server);
	select(0, NULL, NULL, NULL, &limit);
	server->report->gone_on = 1;
}

static void wakes(int signal)
{
	(void)signal;
}

static void reads_a_pipe(struct server *server)
{
	char byte;
	struct sigaction action = {.sa_handler = wakes};
	struct timespec time = wait_time();
	struct itimerval limit = {.it_value = {.tv_sec = time.tv_sec, .tv_usec = time.tv_nsec / 1000}};
	if (pipe(pipe_ends))
		fail("pipe");
	/* Nobody writes: the alarm ends it. */
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &limit, NULL);
	send_all(server);
	(void)!read(pipe_ends[0], &byte, 1);
	server->report->gone_on = 1;
}

/* The end of a wait, by the clock that these functions take. */
static struct timespec wait_end(void)
{
	struct timespec end, time = wait_time();
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += time.tv_sec + (end.tv_nsec + time.tv_nsec) / 1000000000;
	end.tv_nsec = (end.tv_nsec + time.tv_nsec) % 1000000000;
	return end;
}

static void waits_for_condition(struct server *server)
{
	struct timespec end = wait_end();
	send_all(server);
	pthread_mutex_lock(&mutex);
	pthread_cond_timedwait(&condition, &mutex, &end);
	pthread_mutex_unlock(&mutex);
	server->report->gone_on = 1;
}

static void waits_for_semaphore(struct server *server)
{
	struct timespec end = wait_end();
	sem_init(&semaphore, 0, 0);
	send_all(server);
	sem_timedwait(&semaphore, &end);
	server->report->gone_on = 1;
}

static void *locks(void *unused)
{
	struct timespec time = wait_time();
	pthread_mutex_lock(&mutex);
	shared->report->counts[0] = 1;
	nanosleep(&time, NULL);
	pthread_mutex_unlock(&mutex);
	return unused;
}

/* A lock is nothing that the shim sees: the deadline sends. */
static void waits_for_lock(struct server *server)
{
	struct epoll_event event = {.events = EPOLLOUT};
	pthread_t thread;
	shared = server;
	pthread_create(&thread, NULL, locks, NULL);
	while (!server->report->counts[0])
		usleep(1000);
	epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->fd, &event);
	turn(server);
	send_all(server);
	pthread_mutex_lock(&mutex);
	server->report->gone_on = 1;
	pthread_mutex_unlock(&mutex);
	pthread_join(thread, NULL);
}

const struct hazard waits[] = {
	{"computes", computes, in_time, ENDS_IT},
	{"computes-often", computes_often, often_in_time, READS},
	{"nanosleep", sleeps, in_time, ENDS_IT},
	{"poll", polls, in_time, ENDS_IT},
	{"select", selects, in_time, ENDS_IT},
	{"read-a-pipe", reads_a_pipe, in_time, ENDS_IT},
	{"condition", waits_for_condition, in_time, ENDS_IT},
	{"semaphore", waits_for_semaphore, in_time, ENDS_IT},
	{"lock", waits_for_lock, in_time, ENDS_IT},
	{0},
};
