/* Runs one hazard, named on the command line: exit status 0 where everything is as it should be. */
#include "harness.h"

#include <poll.h>

unsigned char known(size_t at)
{
	uint32_t mixed = (uint32_t)at * 2654435761u;
	return (unsigned char)(mixed >> 24 ^ mixed >> 9);
}

void fail(const char *why)
{
	fprintf(stderr, "server: %s (%s)\n", why, strerror(errno));
	_exit(99);
}

double now_ms(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

long wait_ms(void)
{
	const char *given = getenv("WAIT_MS");
	return given ? atol(given) : 10000;
}

struct timespec wait_time(void)
{
	return (struct timespec){.tv_sec = wait_ms() / 1000, .tv_nsec = wait_ms() % 1000 * 1000000};
}

void turn(struct server *server)
{
	struct epoll_event event;
	int got;
	do
		got = epoll_wait(server->epoll, &event, 1, 60000);
	while (got < 0 && errno == EINTR);
	if (got != 1)
		fail("no event");
}

const char *equals(struct got *got, const char *text)
{
	static char wrong[256];
	if (got->len == strlen(text) && !memcmp(got->bytes, text, got->len))
		return NULL;
	snprintf(wrong, sizeof wrong, "got %zu bytes \"%.*s\", expected \"%s\"", got->len,
		 got->len < 60 ? (int)got->len : 60, got->bytes, text);
	return wrong;
}

const char *equals_known(struct got *got, size_t len)
{
	static char wrong[128];
	for (size_t at = 0; at < got->len && at < len; at++) {
		if (got->bytes[at] != known(at)) {
			snprintf(wrong, sizeof wrong, "byte %zu is wrong", at);
			return wrong;
		}
	}
	if (got->len == len)
		return NULL;
	snprintf(wrong, sizeof wrong, "got %zu bytes, expected %zu", got->len, len);
	return wrong;
}

static int known_file(void)
{
	int file = memfd_create("known", 0);
	char path[64];
	unsigned char block[1000];
	for (size_t at = 0; at < 100000; at += sizeof block) {
		for (size_t offset = 0; offset < sizeof block; offset++)
			block[offset] = known(at + offset);
		if (write(file, block, sizeof block) != sizeof block)
			fail("known file");
	}
	/* Opened anew, as from a disk. */
	snprintf(path, sizeof path, "/proc/self/fd/%d", file);
	int reader = open(path, O_RDONLY);
	if (reader < 0)
		fail("known file");
	return reader;
}

static void serve(const struct hazard *hazard, int listener, struct report *report)
{
	struct server server = {.listener = listener, .report = report};
	struct epoll_event event = {.events = EPOLLIN};
	char go;

	server.file = known_file();
	server.epoll = epoll_create1(0);
	struct pollfd connection = {.fd = listener, .events = POLLIN};
	poll(&connection, 1, 60000);
	server.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	if (server.fd < 0)
		fail("accept");
	epoll_ctl(server.epoll, EPOLL_CTL_ADD, server.fd, &event);
	turn(&server);
	/* The first send only shows that there is something to defer; from the next event on it is done. */
	send(server.fd, "", 0, MSG_NOSIGNAL);
	turn(&server);
	if (read(server.fd, &go, 1) != 1)
		fail("no request");
	hazard->server(&server);
	exit(0);
}

/* Waits until the server asks for it. */
static void await_go(struct got *got)
{
	for (int waited = 0; !got->report->go && waited < 60000; waited++)
		usleep(1000);
}

static void look(const struct hazard *hazard, int fd, pid_t server, struct got *got)
{
	size_t room = (size_t)1 << 30, most = 1 << 16;
	struct timeval limit = {.tv_sec = 60};

	got->bytes = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (hazard->peer == READS_LATE)
		usleep(300000);
	if (hazard->peer == READS_WHEN_TOLD || hazard->peer == RESETS_WHEN_TOLD)
		await_go(got);
	if (hazard->peer == READS_LITTLE)
		most = 3000;
	if (hazard->peer == RESETS_WHEN_TOLD) {
		struct linger abort = {.l_onoff = 1};
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
		close(fd);
		return;
	}
	for (;;) {
		ssize_t len = read(fd, got->bytes + got->len, most);
		/* With a time limit a call fails when the whole test is stopped and goes on. */
		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			break;
		int late = got->report->gone_on;
		double now = now_ms();
		for (size_t word = got->len / 8; word < (got->len + len) / 8 && word < 128; word++)
			got->report->arrivals[word] = now;
		if (!got->len) {
			got->first_ms = now;
			got->late = late;
		}
		got->len += len;
		if (hazard->peer == ENDS_IT)
			kill(server, SIGKILL);
	}
}

static const struct hazard *find(const char *name)
{
	const struct hazard *groups[] = {bytes, numbers, processes, signals, errors, waits, reads};
	for (size_t group = 0; group < sizeof groups / sizeof *groups; group++)
		for (const struct hazard *each = groups[group]; each->name; each++)
			if (!name)
				puts(each->name);
			else if (!strcmp(each->name, name))
				return each;
	return NULL;
}

int main(int argc, char **argv)
{
	const struct hazard *hazard = find(argc > 1 ? argv[1] : NULL);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	struct got got = {0};

	if (!hazard)
		return argc > 1 ? 2 : 0;
	/* Started anew by a hazard about `exec`. */
	if (argc > 2)
		return write(atoi(argv[2]), "after", 5) == 5 ? 0 : 1;
	got.report = mmap(NULL, sizeof *got.report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, len) || listen(listener, 16) ||
	    getsockname(listener, (struct sockaddr *)&address, &len))
		fail("listen");
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (hazard->peer == READS_LATE || hazard->peer == READS_LITTLE) {
		int small = 4096;
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	}
	pid_t child = fork();
	if (!child) {
		close(fd);
		serve(hazard, listener, got.report);
	}
	close(listener);
	if (connect(fd, (struct sockaddr *)&address, len) || write(fd, "g", 1) != 1)
		fail("connect");
	look(hazard, fd, child, &got);
	int limit = getenv("HANGS_MS") ? atoi(getenv("HANGS_MS")) / 10 : 12000;
	for (int waited = 0; waitpid(child, &got.status, WNOHANG) == 0; waited++) {
		if (waited > limit) {
			kill(child, SIGKILL);
			waitpid(child, &got.status, 0);
			fprintf(stderr, "%s: the server hangs\n", hazard->name);
			return 1;
		}
		usleep(10000);
	}
	if (WIFEXITED(got.status) && WEXITSTATUS(got.status) == 99)
		return 1;
	const char *wrong = hazard->check(&got);
	if (wrong)
		fprintf(stderr, "%s: %s\n", hazard->name, wrong);
	return wrong ? 1 : 0;
}
