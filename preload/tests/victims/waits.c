/* Hazards of waiting: what was sent is what somebody waits for. */
#include "harness.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>

/* The program computes on. */
static void computes(struct server *server)
{
	send(server->fd, "all", 3, 0);
	double end = now_ms() + 1000;
	while (now_ms() < end)
		;
}

static const char *in_time(struct got *got)
{
	static char wrong[64];
	/* Five milliseconds are promised; a busy machine may take as long again, and more, to give a thread its turn. */
	if (got->first_ms > 100) {
		snprintf(wrong, sizeof wrong, "it took %.1f ms", got->first_ms);
		return wrong;
	}
	return equals(got, "all");
}

/* Forty sends of the time of day, each followed by computation. */
static void computes_often(struct server *server)
{
	struct epoll_event event = {.events = EPOLLOUT};
	epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->fd, &event);
	for (int round = 0; round < 40; round++) {
		turn(server);
		double start = now_ms();
		send(server->fd, &start, sizeof start, 0);
		while (now_ms() < start + 30)
			;
	}
}

/* Some of them keep the promise of five milliseconds even where the machine is busy with much else. */
static const char *often_in_time(struct got *got)
{
	static char wrong[64];
	int late = 0;
	double worst = 0;
	if (got->len != 40 * sizeof(double))
		return "bytes are missing";
	for (int round = 0; round < 40; round++) {
		double sent;
		memcpy(&sent, got->bytes + round * sizeof sent, sizeof sent);
		double delay = got->arrivals[round] - sent;
		late += delay > 5;
		worst = delay > worst ? delay : worst;
	}
	snprintf(wrong, sizeof wrong, "%d of 40 were late, by %.1f ms at most", late, worst);
	if (getenv("VERBOSE"))
		fprintf(stderr, "%s\n", wrong);
	return late > 36 ? wrong : NULL;
}

static struct server *shared;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static int pipe_ends[2];

static void sleeps(struct server *server)
{
	struct timespec second = {.tv_sec = 1};
	send(server->fd, "all", 3, 0);
	nanosleep(&second, NULL);
}

static void polls(struct server *server)
{
	struct pollfd none = {.fd = -1};
	send(server->fd, "all", 3, 0);
	poll(&none, 1, 1000);
}

static void selects(struct server *server)
{
	struct timeval second = {.tv_sec = 1};
	send(server->fd, "all", 3, 0);
	select(0, NULL, NULL, NULL, &second);
}

static void reads_a_pipe(struct server *server)
{
	char byte;
	if (pipe(pipe_ends))
		fail("pipe");
	alarm(1);
	signal(SIGALRM, SIG_DFL);
	send(server->fd, "all", 3, 0);
	/* Nobody writes: the alarm ends it. */
	(void)!read(pipe_ends[0], &byte, 1);
}

static void waits_for_condition(struct server *server)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	send(server->fd, "all", 3, 0);
	pthread_mutex_lock(&mutex);
	pthread_cond_timedwait(&condition, &mutex, &until);
	pthread_mutex_unlock(&mutex);
}

static void waits_for_semaphore(struct server *server)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	sem_init(&semaphore, 0, 0);
	send(server->fd, "all", 3, 0);
	sem_timedwait(&semaphore, &until);
}

static void *locks(void *unused)
{
	pthread_mutex_lock(&mutex);
	shared->report->counts[0] = 1;
	sleep(1);
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
	send(server->fd, "all", 3, 0);
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	pthread_join(thread, NULL);
}

const struct hazard waits[] = {
	{"computes", computes, in_time, READS},
	{"computes-often", computes_often, often_in_time, READS},
	{"nanosleep", sleeps, in_time, READS},
	{"poll", polls, in_time, READS},
	{"select", selects, in_time, READS},
	{"read-a-pipe", reads_a_pipe, in_time, READS},
	{"condition", waits_for_condition, in_time, READS},
	{"semaphore", waits_for_semaphore, in_time, READS},
	{"lock", waits_for_lock, in_time, READS},
	{0},
};
