/* Hazards around signals: a handler may send at any moment, and may never return. */
#include "harness.h"

#include <sys/ioctl.h>
#include <setjmp.h>

static struct server *shared;
static volatile uint32_t handled;
static uint32_t wanted;
/* How many records may be sent before the socket is empty again, so that none is torn by a full buffer. */
static volatile int allowance;

static timer_t timer;

/* The next SIGALRM in three to eleven microseconds, wherever the thread is then, in or out of the library. Not by an interval, which
   on a busy machine leaves no time between handlers. */
static void next_alarm(void)
{
	static uint32_t random = 1;
	random = random * 1664525 + 1013904223;
	struct itimerspec times = {.it_value.tv_nsec = 3000 + (random >> 8 & 8191)};
	timer_settime(timer, 0, &times, NULL);
}

static void start_alarms(void (*handler)(int))
{
	struct sigevent notify = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
	signal(SIGALRM, handler);
	if (timer_create(CLOCK_MONOTONIC, &notify, &timer))
		fail("timer");
	next_alarm();
}

static void send_record(uint32_t kind, uint32_t index)
{
	uint32_t record[4] = {kind, index, ~index, 0x5a5a5a5a};
	ssize_t sent = send(shared->fd, record, sizeof record, 0);
	if (sent != sizeof record)
		fail("record");
}

static void handler(int signal)
{
	int before = errno;
	(void)signal;
	if (handled < wanted && allowance > 0) {
		allowance--;
		send_record(1, handled);
		handled++;
	}
	if (handled < wanted)
		next_alarm();
	errno = before;
}

/* The server sends all the while, until that many handlers have sent, too. */
static void alarms(struct server *server)
{
	const char *count = getenv("ALARMS");
	struct epoll_event event = {.events = EPOLLOUT};
	uint32_t own = 0;

	wanted = count ? atoi(count) : 20000;
	shared = server;
	start_alarms(handler);
	epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->fd, &event);
	while (handled < wanted) {
		int held;
		while (ioctl(server->fd, TIOCOUTQ, &held) == 0 && held > 0)
			usleep(100);
		allowance = 2000;
		turn(server);
		while (allowance > 0 && handled < wanted) {
			uint32_t record[4] = {0, own, ~own, 0x5a5a5a5a};
			if (own % 256 == 0)
				turn(server);
			allowance--;
			ssize_t sent = send(server->fd, record, sizeof record, 0);
			if (sent == sizeof record)
				own++;
			else
				fail("record");
		}
	}
	timer_delete(timer);
	server->report->counts[0] = own;
	server->report->counts[1] = handled;
}

/* Whole records, each kind in order. */
static const char *alarmed(struct got *got)
{
	static char wrong[128];
	uint32_t next[2] = {0};
	for (size_t at = 0; at + 16 <= got->len; at += 16) {
		uint32_t record[4];
		memcpy(record, got->bytes + at, 16);
		if (record[0] > 1 || record[1] != ~record[2] || record[3] != 0x5a5a5a5a)
			return "a record is torn";
		if (record[1] != next[record[0]]) {
			snprintf(wrong, sizeof wrong, "record %u of %s where %u was expected, at byte %zu of %zu", record[1],
				 record[0] ? "the handler" : "the server", next[record[0]], at, got->len);
			return wrong;
		}
		next[record[0]]++;
	}
	if (got->len % 16)
		return "a part of a record is left";
	if (next[0] != got->report->counts[0] || next[1] != got->report->counts[1])
		return "the last records are missing";
	return NULL;
}

enum { JUMPS = 1000 };
static sigjmp_buf place;
static volatile sig_atomic_t may_jump;

static void jumps(int signal)
{
	(void)signal;
	next_alarm();
	if (may_jump)
		siglongjmp(place, 1);
}

static __attribute__((noinline)) void send_index(int fd, uint32_t index)
{
	uint32_t record[64];
	for (size_t at = 0; at < 64; at++)
		record[at] = index;
	may_jump = 1;
	ssize_t sent = send(fd, record, sizeof record, 0);
	may_jump = 0;
	if (sent < 0 && errno != EAGAIN)
		fail("send");
	memset(record, 0xee, sizeof record);
	__asm__ volatile("" : : "r"(record) : "memory");
}

/* A handler jumps out of sends, wherever they are. */
static void jumped_out(struct server *server)
{
	struct epoll_event event = {.events = EPOLLOUT};
	volatile uint32_t index = 0;
	volatile long jumped = 0;

	start_alarms(jumps);
	epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->fd, &event);
	/* A second and a half on a machine of its own, longer where others have a part of it. */
	double begin = now_ms();
	while (now_ms() < begin + 1500 || (jumped < JUMPS && now_ms() < begin + 60000)) {
		may_jump = 0;
		turn(server);
		volatile int burst = 0;
		if (sigsetjmp(place, 1)) {
			may_jump = 0;
			jumped++;
		}
		while (burst < 20) {
			burst++;
			index++;
			send_index(server->fd, index);
		}
		may_jump = 0;
	}
	timer_delete(timer);
	/* After all that the connection still works, and in order. */
	turn(server);
	index++;
	uint32_t last[64];
	for (size_t at = 0; at < 64; at++)
		last[at] = index;
	while (send(server->fd, last, sizeof last, 0) < 0)
		turn(server);
	server->report->counts[0] = index;
	server->report->counts[1] = jumped;
}

/* Whole records, none twice, none out of order; whether one that was jumped out of is there, nobody can say. */
static const char *jumps_survived(struct got *got)
{
	static char wrong[64];
	uint32_t last = 0;
	if (got->report->counts[1] < JUMPS) {
		snprintf(wrong, sizeof wrong, "there were but %ld jumps", got->report->counts[1]);
		return wrong;
	}
	for (size_t at = 0; at + 256 <= got->len; at += 256) {
		uint32_t record[64];
		memcpy(record, got->bytes + at, sizeof record);
		for (size_t word = 1; word < 64; word++)
			if (record[word] != record[0])
				return "a record is torn";
		if (record[0] <= last)
			return "a record came twice, or too late";
		last = record[0];
	}
	if (got->len % 256)
		return "a part of a record is left";
	return last == got->report->counts[0] ? NULL : "the last record is missing";
}

static void canary(struct server *server)
{
	off_t offset = 0;
	int on = 1;
	errno = 4321;
	send(server->fd, "a", 1, 0);
	setsockopt(server->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
	on = 0;
	setsockopt(server->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
	if (sendfile(server->fd, server->file, &offset, 1) != 1 || errno != 4321)
		fail("errno was touched");
	struct epoll_event event = {.events = EPOLLOUT};
	epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->fd, &event);
	errno = 1234;
	turn(server);
	shutdown(server->fd, SHUT_WR);
	close(server->fd);
	if (errno != 1234)
		fail("errno was touched");
	if (send(server->fd, "a", 1, 0) != -1 || errno != EBADF)
		fail("no error for a closed descriptor");
	if (send(-1, "a", 1, 0) != -1 || errno != EBADF)
		fail("no error for no descriptor");
}

static const char *untouched(struct got *got)
{
	if (got->len != 2 || got->bytes[0] != 'a' || got->bytes[1] != known(0))
		return "the bytes are wrong";
	return NULL;
}

const struct hazard signals[] = {
	{"alarms", alarms, alarmed, READS},
	{"jumped-out-of", jumped_out, jumps_survived, READS},
	{"errno", canary, untouched, READS},
	{0},
};
