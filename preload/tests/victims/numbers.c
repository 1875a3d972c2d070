/* Hazards around descriptors: closed, copied, used again, passed on. */
#include "harness.h"

static void close_and_reuse(struct server *server)
{
	int fd = server->fd;
	send(fd, "all", 3, 0);
	close(fd);
	/* The lowest number is free again, and means something else. */
	int again = open("/dev/null", O_WRONLY);
	if (again != fd)
		fail("close has not freed the number");
	if (write(again, "elsewhere", 9) != 9)
		fail("write");
}

static const char *all(struct got *got)
{
	return equals(got, "all");
}

static void accept_reuses(struct server *server)
{
	struct sockaddr_in address;
	socklen_t len = sizeof address;
	int fd = server->fd;
	char text[16] = {0};
	getsockname(server->listener, (struct sockaddr *)&address, &len);
	int second = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(second, (struct sockaddr *)&address, len))
		fail("connect");
	send(fd, "all", 3, 0);
	close(fd);
	int accepted = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK);
	if (accepted != fd)
		fail("accept gave another number");
	send(accepted, "other", 5, 0);
	if (read(second, text, sizeof text) < 0 || strncmp(text, "other", 5))
		fail("the second connection got the first one's bytes");
}

static void dup2_over(struct server *server)
{
	int null = open("/dev/null", O_WRONLY);
	send(server->fd, "all", 3, 0);
	if (dup2(null, server->fd) != server->fd)
		fail("dup2");
	if (write(server->fd, "elsewhere", 9) != 9)
		fail("write");
}

static void dup_orders(struct server *server)
{
	send(server->fd, "a", 1, 0);
	int copy = dup(server->fd);
	send(copy, "l", 1, 0);
	send(server->fd, "l", 1, 0);
	int third = fcntl(copy, F_DUPFD, 100);
	send(third, "", 0, 0);
	close(server->fd);
}

static void shutdown_then_close(struct server *server)
{
	char byte;
	send(server->fd, "all", 3, 0);
	if (shutdown(server->fd, SHUT_WR))
		fail("shutdown");
	if (send(server->fd, "x", 1, MSG_NOSIGNAL) != -1 || errno != EPIPE)
		fail("send after shutdown");
	if (read(server->fd, &byte, 1) > 0)
		fail("read");
	close(server->fd);
	if (send(server->fd, "x", 1, MSG_NOSIGNAL) != -1 || errno != EBADF)
		fail("send after close");
}

static void close_then_use(struct server *server)
{
	struct epoll_event event = {.events = EPOLLOUT};
	send(server->fd, "all", 3, 0);
	close(server->fd);
	if (write(server->fd, "x", 1) != -1 || errno != EBADF)
		fail("write after close");
	if (epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->fd, &event) != -1 || errno != EBADF)
		fail("epoll_ctl after close");
	if (fcntl(server->fd, F_GETFD) != -1 || errno != EBADF)
		fail("fcntl after close");
}

/* Another process gets the connection, and goes on with it when it is told to by other means. */
static void passed_on(struct server *server)
{
	int pair[2], go[2];
	char byte;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || pipe(go))
		fail("pair");
	struct {
		struct cmsghdr head;
		int fd;
	} control = {{CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}, server->fd};
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
				 .msg_controllen = CMSG_SPACE(sizeof(int))};
	pid_t child = fork();
	if (!child) {
		close(server->fd);
		close(go[1]);
		if (recvmsg(pair[1], &message, 0) != 1)
			_exit(1);
		int fd = control.fd;
		if (read(go[0], &byte, 1) != 1 || write(fd, "ll", 2) != 2)
			_exit(1);
		_exit(0);
	}
	turn(server);
	if (sendmsg(pair[0], &message, 0) != 1)
		fail("sendmsg");
	send(server->fd, "a", 1, 0);
	if (write(go[1], "g", 1) != 1)
		fail("go");
	int status;
	waitpid(child, &status, 0);
	if (status)
		fail("child");
}

/* So that `turn` in `passed_on` comes back at once. */
static void passed_on_soon(struct server *server)
{
	struct epoll_event event = {.events = EPOLLOUT};
	epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->fd, &event);
	passed_on(server);
}

const struct hazard numbers[] = {
	{"close-and-reuse", close_and_reuse, all, READS},
	{"accept-reuses", accept_reuses, all, READS},
	{"dup2-over-queued", dup2_over, all, READS},
	{"dup-orders", dup_orders, all, READS},
	{"shutdown-then-close", shutdown_then_close, all, READS},
	{"close-then-use", close_then_use, all, READS},
	{"passed-on", passed_on_soon, all, READS},
	{0},
};
