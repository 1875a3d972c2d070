/* Hazards around errors that come late, flags that mean more, and sockets that are not streams. */
#include "harness.h"

#include <setjmp.h>
#include <sys/ioctl.h>

static volatile sig_atomic_t pipes;

static void counts_pipe(int signal)
{
	(void)signal;
	pipes++;
}

/* A minute is longer than anything takes; a machine that was stopped interrupts the call. */
static int next_event(struct server *server, struct epoll_event *event)
{
	int got;
	do
		got = epoll_wait(server->epoll, event, 1, 60000);
	while (got < 0 && errno == EINTR);
	return got;
}

/* The peer resets: the second send at the latest fails, and each EPIPE comes with its signal. */
static void is_reset(struct server *server)
{
	struct epoll_event event;
	int broken = 0, first_error = 0;
	signal(SIGPIPE, counts_pipe);
	send(server->fd, "a", 1, 0);
	server->report->go = 1;
	/* The reset is an event, too. */
	if (next_event(server, &event) != 1 || !(event.events & EPOLLHUP))
		fail("no hangup");
	for (int round = 1; round <= 6; round++) {
		if (send(server->fd, "b", 1, 0) < 0) {
			if (!first_error)
				first_error = round;
			if (errno == EPIPE)
				broken++;
			else if (errno != ECONNRESET)
				fail("an error of another kind");
		}
		/* Level-triggered: it goes on being reported. */
		if (next_event(server, &event) != 1 || !(event.events & EPOLLHUP))
			fail("no hangup");
	}
	server->report->counts[0] = first_error;
	server->report->counts[1] = broken;
	server->report->counts[2] = pipes;
}

static const char *reset_seen(struct got *got)
{
	static char wrong[128];
	if (WEXITSTATUS(got->status))
		return "the server failed";
	if (got->report->counts[0] < 1 || got->report->counts[0] > 2)
		return "the first error came too late, or never";
	if (got->report->counts[1] < 4 || got->report->counts[1] != got->report->counts[2]) {
		snprintf(wrong, sizeof wrong, "%ld times EPIPE, %ld times SIGPIPE", got->report->counts[1],
			 got->report->counts[2]);
		return wrong;
	}
	return NULL;
}

/* Whoever does not send again hears of it by reading, or by asking. */
static void reset_read(struct server *server)
{
	struct epoll_event event;
	char byte;
	signal(SIGPIPE, SIG_IGN);
	server->report->go = 1;
	turn(server);
	send(server->fd, "a", 1, 0);
	if (next_event(server, &event) != 1)
		fail("no hangup");
	int error = 0;
	socklen_t len = sizeof error;
	ssize_t got = read(server->fd, &byte, 1);
	int read_error = got < 0 ? errno : 0;
	getsockopt(server->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (got > 0 || (read_error && read_error != ECONNRESET))
		fail("read");
	server->report->counts[0] = read_error;
}

static const char *reset_was_read(struct got *got)
{
	if (WEXITSTATUS(got->status))
		return "the server failed";
	/* A plain server's send has told it already, and its read then finds the end. */
	return got->report->counts[0] == 0 || got->report->counts[0] == ECONNRESET ? NULL : "another error";
}

/* A blocking descriptor still blocks when its buffer is full. */
static void blocks(struct server *server)
{
	static unsigned char all[4 << 20];
	for (size_t at = 0; at < sizeof all; at++)
		all[at] = known(at);
	fcntl(server->fd, F_SETFL, fcntl(server->fd, F_GETFL) & ~O_NONBLOCK);
	if (send(server->fd, all, 1000, 0) != 1000)
		fail("send");
	if (send(server->fd, all + 1000, sizeof all - 1000, 0) != sizeof all - 1000)
		fail("a blocking send was short");
	/* And back, by the other way. */
	int on = 1;
	ioctl(server->fd, FIONBIO, &on);
	static unsigned char more[32 << 20];
	if (send(server->fd, more, sizeof more, 0) >= (ssize_t)sizeof more)
		fail("a non-blocking send was not short");
}

static const char *blocked(struct got *got)
{
	got->len = got->len < 4 << 20 ? got->len : 4 << 20;
	return WEXITSTATUS(got->status) ? "the server failed" : equals_known(got, 4 << 20);
}

/* Back-pressure: a peer that does not read makes a sender hear EAGAIN soon, whatever the size of its sends. */
static void never_read(struct server *server)
{
	struct epoll_event event = {.events = EPOLLOUT};
	int small = 8192;
	char piece[100] = {0};
	setsockopt(server->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->fd, &event);
	long taken = 0;
	for (long round = 1;; round++) {
		ssize_t sent = send(server->fd, piece, sizeof piece, 0);
		if (sent > 0)
			taken += sent;
		else if (errno == EAGAIN)
			break;
		else
			fail("send");
		if (taken > 16 << 20)
			fail("sixteen megabytes were taken that nobody reads");
		if (round % 5000 == 0 && epoll_wait(server->epoll, &event, 1, 0) < 0)
			fail("wait");
	}
	server->report->counts[0] = taken;
	server->report->go = 1;
}

static const char *pressed_back(struct got *got)
{
	if (WEXITSTATUS(got->status))
		return "the server failed";
	return got->len == (size_t)got->report->counts[0] ? NULL : "not all that was taken arrived";
}

/* Flags that are more than bytes go through, in their place. */
static void flags(struct server *server)
{
	struct epoll_event event = {.events = EPOLLOUT};
	epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->fd, &event);
	turn(server);
	send(server->fd, "a", 1, 0);
	send(server->fd, "b", 1, MSG_DONTWAIT);
	send(server->fd, "c", 1, MSG_MORE);
	send(server->fd, "d", 1, MSG_NOSIGNAL);
	send(server->fd, "e", 1, MSG_EOR);
	send(server->fd, "!", 1, MSG_OOB);
	send(server->fd, "f", 1, 0);
	volatile int negative = -1;
	struct iovec parts[3] = {{"g", 1}, {"", 0}, {"h", 1}};
	if (writev(server->fd, parts, 3) != 2 || writev(server->fd, parts, 0) != 0)
		fail("writev");
	if (writev(server->fd, parts, negative) != -1 || errno != EINVAL)
		fail("writev of a negative number");
	if (send(server->fd, NULL, 5, 0) != -1 || errno != EFAULT)
		fail("send from nowhere");
	if (send(server->fd, "x", 0, 0) != 0)
		fail("empty send");
	struct mmsghdr messages[2] = {{.msg_hdr = {.msg_iov = parts, .msg_iovlen = 1}},
				      {.msg_hdr = {.msg_iov = parts + 2, .msg_iovlen = 1}}};
	if (sendmmsg(server->fd, messages, 2, 0) != 2)
		fail("sendmmsg");
	off_t offset = -1;
	if (sendfile(server->fd, server->file, &offset, 5) != -1 || errno != EINVAL)
		fail("sendfile from a negative offset");
	offset = 0;
	if (sendfile(server->fd, server->fd, &offset, 5) != -1)
		fail("sendfile from a socket");
	dprintf(server->fd, "i%d", 1);
	send(server->fd, "j", 1, 0);
	FILE *stream = fdopen(server->fd, "w");
	fputs("k", stream);
	fflush(stream);
	send(server->fd, "l", 1, 0);
}

static const char *flagged(struct got *got)
{
	return equals(got, "abcdefghghi1jkl");
}

static sigjmp_buf place;

static void jumps_back(int signal)
{
	(void)signal;
	siglongjmp(place, 1);
}

/* Bytes at an address where nothing is: an error, or a fault in the copy. POSIX has both; success there is none, nor does anything else
   suffer. */
static void bad_pointer(struct server *server)
{
	struct epoll_event event = {.events = EPOLLOUT};
	char *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile uintptr_t high = -8192;
	signal(SIGSEGV, jumps_back);
	epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->fd, &event);
	for (volatile int round = 0; round < 3; round++) {
		turn(server);
		send(server->fd, "before ", 7, 0);
		/* The kernel's half. */
		if (send(server->fd, (void *)high, 5, 0) != -1 || errno != EFAULT)
			fail("the kernel's half");
		send(server->fd, "again ", 6, 0);
		if (!sigsetjmp(place, 1) && (send(server->fd, nowhere, 5, 0) != -1 || errno != EFAULT))
			fail("nothing was sent");
		send(server->fd, "after ", 6, 0);
	}
}

static const char *pointers_survived(struct got *got)
{
	if (WEXITSTATUS(got->status))
		return "the server failed";
	return equals(got, "before again after before again after before again after ");
}

/* Datagrams keep their boundaries; pipes and files are no sockets. */
static void not_streams(struct server *server)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	char text[16];
	int pair[2], udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	struct epoll_event event = {.events = EPOLLOUT};
	epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->fd, &event);
	turn(server);
	if (bind(udp, (struct sockaddr *)&address, len) || getsockname(udp, (struct sockaddr *)&address, &len) ||
	    connect(udp, (struct sockaddr *)&address, len))
		fail("udp");
	send(udp, "one", 3, 0);
	send(udp, "two", 3, 0);
	if (recv(udp, text, sizeof text, 0) != 3 || recv(udp, text, sizeof text, 0) != 3)
		fail("datagrams were joined");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) || write(pair[0], "pair", 4) != 4 ||
	    read(pair[1], text, sizeof text) != 4)
		fail("a pair of this process");
	if (pipe2(pair, O_NONBLOCK) || write(pair[1], "pipe", 4) != 4 || read(pair[0], text, sizeof text) != 4)
		fail("pipe");
	send(server->fd, "all", 3, 0);
}

static const char *all(struct got *got)
{
	return WEXITSTATUS(got->status) ? "the server failed" : equals(got, "all");
}

const struct hazard errors[] = {
	{"reset", is_reset, reset_seen, RESETS_WHEN_TOLD},
	{"reset-is-read", reset_read, reset_was_read, RESETS_WHEN_TOLD},
	{"blocking", blocks, blocked, READS_LATE},
	{"never-read", never_read, pressed_back, READS_WHEN_TOLD},
	{"flags", flags, flagged, READS},
	{"bad-pointer", bad_pointer, pointers_survived, READS},
	{"not-streams", not_streams, all, READS},
	{0},
};
