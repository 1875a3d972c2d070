/* Programs that read until there is nothing, while more arrives between one read and the next. */
#include "harness.h"

#include <poll.h>
#include <pthread.h>

enum { ROUNDS = 30 };

/* What the other end does when it is asked to. */
enum { SAYS = 1, ENDS, RESETS_IT };

struct line {
	/* The accepted end, non-blocking and watched. */
	int fd;
	/* The other end, where it is not in a process of its own. */
	int from;
	struct report *report;
};

static void act(int from, long what)
{
	struct linger abort = {.l_onoff = 1};
	char byte = 'b';
	if (what == SAYS && write(from, &byte, 1) != 1)
		_exit(1);
	if (what == RESETS_IT)
		setsockopt(from, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
	if (what != SAYS)
		close(from);
}

/* The other end in a process of its own: acts on each number that is set. */
static void other_end(struct report *report, struct sockaddr_in place)
{
	int from = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(from, (struct sockaddr *)&place, sizeof place))
		_exit(1);
	double end = now_ms() + 50000;
	while (now_ms() < end) {
		long what = report->counts[0];
		if (what) {
			act(from, what);
			report->counts[0] = 0;
		} else {
			sched_yield();
		}
	}
	_exit(0);
}

/* Has it act, and waits for that without a call that the library could see. */
static void ask(struct line *line, long what)
{
	double end = now_ms() + 20000;
	line->report->counts[0] = what;
	while (line->report->counts[0])
		if (now_ms() > end)
			fail("the other end does nothing");
}

static void accepted(struct server *server, struct line *line, int listener, uint32_t events)
{
	struct epoll_event event = {.events = events};
	line->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	if (line->fd < 0 || epoll_ctl(server->epoll, EPOLL_CTL_ADD, line->fd, &event))
		fail("the other end");
}

static int listens(struct sockaddr_in *place)
{
	socklen_t len = sizeof *place;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	*place = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (bind(listener, (struct sockaddr *)place, len) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)place, &len))
		fail("a listener");
	return listener;
}

static struct line begin(struct server *server, uint32_t events)
{
	struct line line = {.report = server->report};
	struct sockaddr_in place;
	int listener = listens(&place);
	line.report->counts[0] = 0;
	pid_t other = fork();
	if (other < 0)
		fail("fork");
	if (other == 0)
		other_end(line.report, place);
	line.report->counts[1] = other;
	accepted(server, &line, listener, events);
	close(listener);
	return line;
}

static void done(struct server *server, struct line *line)
{
	kill((pid_t)line->report->counts[1], SIGKILL);
	while (waitpid(-1, NULL, 0) < 0 && errno == EINTR)
		;
	close(line->fd);
	send(server->fd, "all", 3, 0);
}

/* A read that gets all there is. */
static void first(struct line *line)
{
	char buffer[16];
	if (read(line->fd, buffer, sizeof buffer) != 1 || buffer[0] != 'b')
		fail("the first byte");
}

static void second(struct line *line, const char *why)
{
	char buffer[16];
	if (read(line->fd, buffer, sizeof buffer) != 1 || buffer[0] != 'b')
		fail(why);
}

/* Nothing, or what has just come; and the next wait reports what was not read. */
static ssize_t late(struct server *server, struct line *line, long what)
{
	char buffer[16];
	ask(line, SAYS);
	turn(server);
	first(line);
	if (send(line->fd, "answer", 6, MSG_NOSIGNAL) != 6)
		fail("an answer");
	ask(line, what);
	errno = 0;
	ssize_t got = read(line->fd, buffer, sizeof buffer);
	if (got < 0 && errno == EAGAIN) {
		turn(server);
		got = read(line->fd, buffer, sizeof buffer);
	}
	return got;
}

static void arrives_late(struct server *server)
{
	struct line line = begin(server, EPOLLIN);
	for (int round = 0; round < ROUNDS; round++)
		if (late(server, &line, SAYS) != 1)
			fail("what came late");
	done(server, &line);
}

static void ends_late(struct server *server)
{
	struct line line = begin(server, EPOLLIN);
	ssize_t got = late(server, &line, ENDS);
	/* It was closed with an answer unread, so a reset it may be. */
	if (got != 0 && !(got < 0 && errno == ECONNRESET))
		fail("the end");
	done(server, &line);
}

static void resets_late(struct server *server)
{
	struct line line = begin(server, EPOLLIN);
	if (late(server, &line, RESETS_IT) != -1 || errno != ECONNRESET)
		fail("the reset");
	done(server, &line);
}

/* To look again at once is to wait. */
static void spins(struct server *server)
{
	struct line line = begin(server, EPOLLIN);
	char buffer[16];
	for (int round = 0; round < ROUNDS; round++) {
		ask(&line, SAYS);
		turn(server);
		first(&line);
		ask(&line, SAYS);
		if (read(line.fd, buffer, sizeof buffer) < 0)
			second(&line, "at the second look");
	}
	done(server, &line);
}

/* What must be found at once, because no wait would report it. */
static void at_once(struct server *server, struct line *line, void (*wait)(struct server *, struct line *))
{
	for (int round = 0; round < ROUNDS; round++) {
		ask(line, SAYS);
		wait(server, line);
		first(line);
		ask(line, SAYS);
		second(line, "what no wait reports");
	}
	done(server, line);
}

static void turns(struct server *server, struct line *line)
{
	(void)line;
	turn(server);
}

static void on_edges(struct server *server)
{
	struct line line = begin(server, EPOLLIN | EPOLLET);
	at_once(server, &line, turns);
}

static void waits_once(struct server *server, struct line *line)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT};
	epoll_ctl(server->epoll, EPOLL_CTL_MOD, line->fd, &event);
	turn(server);
}

static void once(struct server *server)
{
	struct line line = begin(server, EPOLLIN | EPOLLONESHOT);
	at_once(server, &line, waits_once);
}

/* The epoll instance is there, but nobody waits on it. */
static void polls(struct server *server, struct line *line)
{
	struct pollfd one = {.fd = line->fd, .events = POLLIN};
	(void)server;
	if (poll(&one, 1, 20000) != 1)
		fail("poll");
}

static void by_poll(struct server *server)
{
	struct line line = begin(server, EPOLLIN);
	at_once(server, &line, polls);
}

/* Both ends are the program's own: what it has said, it hears. */
static void from_itself(struct server *server)
{
	struct sockaddr_in place;
	struct line line = {.report = server->report, .from = socket(AF_INET, SOCK_STREAM, 0)};
	int listener = listens(&place);
	if (connect(line.from, (struct sockaddr *)&place, sizeof place))
		fail("connection to itself");
	accepted(server, &line, listener, EPOLLIN);
	for (int round = 0; round < ROUNDS; round++) {
		act(line.from, SAYS);
		turn(server);
		first(&line);
		act(line.from, SAYS);
		second(&line, "what it said itself");
	}
	send(server->fd, "all", 3, 0);
}

/* Other ways to look, and to let time pass. */
static void otherwise(struct server *server)
{
	struct timespec moment = {.tv_nsec = 100000};
	struct line line = begin(server, EPOLLIN);
	char buffer[16];
	for (int round = 0; round < ROUNDS; round++) {
		ask(&line, SAYS);
		turn(server);
		first(&line);
		if (read(line.fd, buffer, 0) != 0)
			fail("a read of nothing");
		ask(&line, SAYS);
		nanosleep(&moment, NULL);
		second(&line, "after a pause");

		ask(&line, SAYS);
		turn(server);
		first(&line);
		ask(&line, SAYS);
		if (recv(line.fd, buffer, 1, MSG_PEEK) != 1)
			fail("a peep");
		second(&line, "after a peep");

		ask(&line, SAYS);
		turn(server);
		if (recv(line.fd, buffer, sizeof buffer, MSG_PEEK) != 1)
			fail("a peep at first");
		first(&line);
	}
	done(server, &line);
}

static void *says_nothing(void *unused)
{
	return unused;
}

/* Another thread may have sent what this one expects. */
static void by_two(struct server *server)
{
	struct line line = begin(server, EPOLLIN);
	pthread_t thread;
	if (pthread_create(&thread, NULL, says_nothing, NULL))
		fail("a thread");
	at_once(server, &line, turns);
	pthread_join(thread, NULL);
}

static const char *all(struct got *got)
{
	return equals(got, "all");
}

const struct hazard reads[] = {
	{"read-arrives-late", arrives_late, all, READS},
	{"read-ends-late", ends_late, all, READS},
	{"read-resets-late", resets_late, all, READS},
	{"read-spins", spins, all, READS},
	{"read-on-edges", on_edges, all, READS},
	{"read-once", once, all, READS},
	{"read-by-poll", by_poll, all, READS},
	{"read-from-itself", from_itself, all, READS},
	{"read-otherwise", otherwise, all, READS},
	{"read-by-two", by_two, all, READS},
	{0},
};
