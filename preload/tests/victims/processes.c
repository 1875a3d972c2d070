/* Hazards around processes and threads: every byte is sent exactly once, by whoever was told that it is. */
#include "harness.h"

#include <pthread.h>
#include <sys/ioctl.h>

static void forks(struct server *server)
{
	int status;
	send(server->fd, "before ", 7, 0);
	pid_t child = fork();
	if (!child) {
		send(server->fd, "child ", 6, 0);
		exit(0);
	}
	waitpid(child, &status, 0);
	send(server->fd, "after", 5, 0);
}

static const char *forked(struct got *got)
{
	return equals(got, "before child after");
}

static void vforks(struct server *server)
{
	int status;
	char number[16];
	snprintf(number, sizeof number, "%d", server->fd);
	send(server->fd, "before ", 7, 0);
	pid_t child = vfork();
	if (!child) {
		execl("/proc/self/exe", "victim", "vfork", number, (char *)NULL);
		_exit(1);
	}
	waitpid(child, &status, 0);
	if (status)
		fail("child");
}

static const char *before_after(struct got *got)
{
	return equals(got, "before after");
}

static void executes(struct server *server)
{
	char number[16];
	snprintf(number, sizeof number, "%d", server->fd);
	send(server->fd, "before ", 7, 0);
	execl("/proc/self/exe", "victim", "exec", number, (char *)NULL);
	fail("exec");
}

static void exec_fails(struct server *server)
{
	send(server->fd, "before ", 7, 0);
	if (execl("/proc/self/no-such-program", "x", (char *)NULL) != -1 || errno != ENOENT)
		fail("exec");
	send(server->fd, "after", 5, 0);
}

static void spawns(struct server *server)
{
	char command[64];
	send(server->fd, "before ", 7, 0);
	snprintf(command, sizeof command, "printf after >&%d", server->fd);
	if (system(command))
		fail("system");
}

static void exits(struct server *server)
{
	send(server->fd, "all", 3, 0);
	_exit(0);
}

static const char *all(struct got *got)
{
	return equals(got, "all");
}

static void daemonizes(struct server *server)
{
	send(server->fd, "before ", 7, 0);
	if (daemon(1, 1))
		fail("daemon");
	send(server->fd, "after", 5, 0);
}

static struct server *shared;

static void *closes_there(void *unused)
{
	close(shared->fd);
	return unused;
}

/* One thread sends, another one closes. */
static void thread_closes(struct server *server)
{
	pthread_t thread;
	shared = server;
	send(server->fd, "all", 3, 0);
	pthread_create(&thread, NULL, closes_there, NULL);
	pthread_join(thread, NULL);
}

static void *sends_there(void *unused)
{
	/* More than is copied: it goes out at once. */
	static unsigned char large[40000];
	memset(large, 'l', sizeof large);
	for (size_t at = 0; at < sizeof large;) {
		ssize_t sent = send(shared->fd, large + at, sizeof large - at, 0);
		if (sent > 0)
			at += sent;
		else
			usleep(1000);
	}
	shared->report->counts[0] = 1;
	return unused;
}

/* The second thread is told without a system call. */
static void *waits_then_sends(void *unused)
{
	while (!shared->report->counts[1])
		__asm__ volatile("" ::: "memory");
	return sends_there(unused);
}

static void threads_take_turns(struct server *server)
{
	pthread_t thread;
	shared = server;
	pthread_create(&thread, NULL, waits_then_sends, NULL);
	struct epoll_event event = {.events = EPOLLOUT};
	epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->fd, &event);
	turn(server);
	send(server->fd, "first ", 6, 0);
	server->report->counts[1] = 1;
	while (!server->report->counts[0])
		__asm__ volatile("" ::: "memory");
	send(server->fd, " last", 5, 0);
}

static const char *turns_taken(struct got *got)
{
	if (got->len != 6 + 40000 + 5 || memcmp(got->bytes, "first ", 6) || memcmp(got->bytes + 40006, " last", 5))
		return "the order is wrong";
	for (size_t at = 6; at < 40006; at++)
		if (got->bytes[at] != 'l')
			return "the middle is wrong";
	return NULL;
}

/* Waits for the peer to read, so that no record is torn because the socket is full. */
static void drain(int fd)
{
	int held;
	while (ioctl(fd, TIOCOUTQ, &held) == 0 && held > 50000)
		usleep(100);
}

/* Eight threads write records to one connection; each record stays whole, and each thread's stay in order. */
static void *writes_records(void *which)
{
	struct server server = *shared;
	struct epoll_event event = {.events = EPOLLOUT};
	server.epoll = epoll_create1(0);
	epoll_ctl(server.epoll, EPOLL_CTL_ADD, server.fd, &event);
	for (uint32_t index = 0; index < 20000; index++) {
		uint32_t record[4] = {(uint32_t)(uintptr_t)which, index, ~index, 0x5a5a5a5a};
		if (index % 16 == 0) {
			turn(&server);
			drain(server.fd);
		}
		ssize_t sent;
		while ((sent = send(server.fd, record, sizeof record, 0)) < 0 && errno == EAGAIN)
			turn(&server);
		/* A part of a record would need a lock to be finished, which is not what is tested. */
		if (sent != sizeof record)
			fail("record");
	}
	return NULL;
}

static void many_threads(struct server *server)
{
	pthread_t threads[8];
	int large = 8 << 20;
	setsockopt(server->fd, SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
	setsockopt(server->fd, SOL_SOCKET, SO_SNDBUFFORCE, &large, sizeof large);
	shared = server;
	for (size_t thread = 0; thread < 8; thread++)
		pthread_create(threads + thread, NULL, writes_records, (void *)thread);
	for (size_t thread = 0; thread < 8; thread++)
		pthread_join(threads[thread], NULL);
}

static const char *records_in_order(struct got *got)
{
	uint32_t next[8] = {0};
	if (got->len != 8 * 20000 * 16)
		return "records are missing";
	for (size_t at = 0; at < got->len; at += 16) {
		uint32_t record[4];
		memcpy(record, got->bytes + at, 16);
		if (record[0] >= 8 || record[1] != ~record[2] || record[3] != 0x5a5a5a5a)
			return "a record is torn";
		if (record[1] != next[record[0]]++)
			return "a thread's records are out of order";
	}
	return NULL;
}

/* The thread ends with something queued. */
static void *turns_and_sends(void *unused)
{
	struct epoll_event event = {.events = EPOLLOUT};
	epoll_ctl(shared->epoll, EPOLL_CTL_MOD, shared->fd, &event);
	turn(shared);
	send(shared->fd, "all", 3, 0);
	return unused;
}

static void thread_ends(struct server *server)
{
	pthread_t thread;
	shared = server;
	/* More threads than there are places, so each has to leave its own. */
	for (int round = 0; round < 600; round++) {
		pthread_create(&thread, NULL, turns_and_sends, NULL);
		pthread_join(thread, NULL);
	}
}

static const char *all_of_all(struct got *got)
{
	if (got->len != 600 * 3)
		return "a thread's bytes are missing";
	for (size_t at = 0; at < got->len; at++)
		if (got->bytes[at] != "all"[at % 3])
			return "a byte is wrong";
	return NULL;
}

/* Not by a function of libc, which would be seen. */
static void kill_outright(void)
{
	long pid = getpid();
#if defined(__x86_64__)
	long result = 62;
	__asm__ volatile("syscall" : "+a"(result) : "D"(pid), "S"(SIGKILL) : "rcx", "r11", "memory");
#else
	register long number __asm__("x8") = 129, first __asm__("x0") = pid, second __asm__("x1") = SIGKILL;
	__asm__ volatile("svc 0" : "+r"(first) : "r"(number), "r"(second) : "memory");
#endif
}

/* Killed: what has arrived is a beginning of what was sent, with nothing left out. */
static void is_killed(struct server *server)
{
	static unsigned char piece[30000];
	struct epoll_event event = {.events = EPOLLOUT};
	epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->fd, &event);
	double end = now_ms() + 50;
	for (size_t at = 0;;) {
		/* Small and large ones by turns: a header and a body. */
		size_t len = at % 7 < 4 ? 100 : sizeof piece;
		for (size_t offset = 0; offset < len; offset++)
			piece[offset] = known(at + offset);
		ssize_t sent = send(server->fd, piece, len, 0);
		if (sent > 0)
			at += sent;
		else
			turn(server);
		if (sent == 100 && now_ms() > end)
			kill_outright();
	}
}

static const char *prefix(struct got *got)
{
	if (!WIFSIGNALED(got->status) || WTERMSIG(got->status) != SIGKILL)
		return "the server was not killed";
	return equals_known(got, got->len);
}

const struct hazard processes[] = {
	{"fork", forks, forked, READS},
	{"vfork", vforks, before_after, READS},
	{"exec", executes, before_after, READS},
	{"exec-fails", exec_fails, before_after, READS},
	{"system", spawns, before_after, READS},
	{"daemon", daemonizes, before_after, READS},
	{"exit", exits, all, READS},
	{"thread-closes", thread_closes, all, READS},
	{"threads-take-turns", threads_take_turns, turns_taken, READS},
	{"many-threads", many_threads, records_in_order, READS},
	{"thread-ends", thread_ends, all_of_all, READS},
	{"kill-leaves-a-prefix", is_killed, prefix, READS},
	{0},
};
