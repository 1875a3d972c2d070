/* What the header promises beside the plain case. Each check says what it is about and ends the program where it fails. */
#define _GNU_SOURCE

#include <esca.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(what)                                                                   \
	do {                                                                          \
		if (!(what)) {                                                        \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
			_Exit(1);                                                     \
		}                                                                     \
	} while (0)

static int left, right;
static char bytes[1 << 16];

static size_t arrived(void)
{
	ssize_t count = recv(right, bytes, sizeof bytes, MSG_DONTWAIT);

	return count < 0 ? 0 : (size_t)count;
}

static void outside_of_a_batch(void)
{
	esca_token first, last = 0;
	int i;

	first = esca_write(left, "at once", 7);
	CHECK(first >= 0 && esca_result(first) == 7 && arrived() == 7);
	CHECK(esca_result(esca_send(-1, "x", 1, 0)) == -EBADF);
	CHECK(esca_result(esca_send(left, NULL, 1, 0)) == -EFAULT);
	CHECK(batch_flush() == -EINVAL);
	CHECK(esca_result(-EBUSY) == -EBUSY);
	for (i = 0; i < ESCA_RESULTS_KEPT; i++)
		last = esca_close(-1);
	CHECK(esca_result(first) == ESCA_UNKNOWN && esca_result(last) == -EBADF);
	CHECK(esca_result(last - ESCA_RESULTS_KEPT + 1) == -EBADF);
	CHECK(esca_result(last + 1) == ESCA_UNKNOWN);
}

static void nested(void)
{
	esca_token token;

	CHECK(batch_start() == 0 && batch_start() == 0);
	token = esca_send(left, "inner", 5, 0);
	CHECK(batch_flush() == 0 && esca_result(token) == ESCA_PENDING && arrived() == 0);
	CHECK(batch_flush() == 1 && esca_result(token) == 5 && arrived() == 5);
	CHECK(batch_start() == 0 && batch_flush() == 0);
	CHECK(esca_result(token) == ESCA_UNKNOWN);
}

static void memory(void)
{
	struct iovec parts[2] = { { (char[]){ 'a', 'b' }, 2 }, { (char[]){ 'c' }, 1 } };
	struct iovec too_long[2] = { { bytes, SIZE_MAX / 2 }, { bytes, SIZE_MAX / 2 } };
	char copied[] = "copied", borrowed[] = "borrowed", into[8] = "", *large = calloc(1, 3000);
	esca_token tokens[9];

	CHECK(large && batch_start() == 0);
	tokens[0] = esca_send(left, copied, 6, 0);
	tokens[1] = esca_send_borrowed(left, borrowed, 8, 0);
	tokens[2] = esca_writev(left, parts, 2);
	tokens[3] = esca_writev(left, parts, -1);
	tokens[4] = esca_writev(left, too_long, 2);
	tokens[5] = esca_writev(left, NULL, 0);
	tokens[6] = esca_recv(right, into, 6, 0);
	tokens[7] = esca_write(left, large, 3000);
	tokens[8] = esca_write_borrowed(left, NULL, 4);
	memset(copied, '#', sizeof copied);
	memset(parts, 0, sizeof parts);
	free(large);
	CHECK(batch_flush() == 9);
	CHECK(esca_result(tokens[0]) == 6 && esca_result(tokens[1]) == 8 && esca_result(tokens[2]) == 3);
	CHECK(esca_result(tokens[3]) == -EINVAL && esca_result(tokens[4]) == -EINVAL);
	CHECK(esca_result(tokens[5]) == 0 && esca_result(tokens[6]) == 6);
	CHECK(esca_result(tokens[7]) == 3000 && esca_result(tokens[8]) == -EFAULT);
	CHECK(memcmp(into, "copied", 6) == 0);
	CHECK(arrived() == 8 + 3 + 3000 && memcmp(bytes, "borrowedabc", 11) == 0);
}

static void chains(void)
{
	struct iovec part = { bytes, SIZE_MAX };
	esca_token tokens[4];

	CHECK(batch_start() == 0);
	esca_link();
	tokens[0] = esca_writev(left, &part, 1);
	esca_link();
	tokens[1] = esca_send(left, "x", 1, 0);
	tokens[2] = esca_close(left);
	tokens[3] = esca_send(left, "still open", 10, 0);
	CHECK(batch_flush() == 4);
	CHECK(esca_result(tokens[0]) == -EINVAL && esca_result(tokens[1]) == -ECANCELED);
	CHECK(esca_result(tokens[2]) == -ECANCELED && esca_result(tokens[3]) == 10 && arrived() == 10);
}

static void more_than_the_table_holds(void)
{
	esca_token tokens[1000];
	FILE *file = tmpfile();
	int i;

	CHECK(file && batch_start() == 0);
	for (i = 0; i < 1000; i++)
		tokens[i] = i % 10 ? esca_write(fileno(file), &i, 1 + (size_t)i % 3) : esca_shutdown(-1, SHUT_WR);
	CHECK(batch_flush() == 1000);
	for (i = 0; i < 1000; i++)
		CHECK(esca_result(tokens[i]) == (i % 10 ? 1 + i % 3 : -EBADF));
	fclose(file);
}

static void tcp(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, off = 0, out, in;
	struct iovec part = { (void *)"body", 4 };
	esca_token tokens[5];
	char text[16];

	CHECK(bind(listener, (void *)&address, len) == 0 && listen(listener, 1) == 0);
	CHECK(getsockname(listener, (void *)&address, &len) == 0);
	out = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(out, (void *)&address, len) == 0);
	in = accept(listener, NULL, NULL);
	CHECK(in >= 0 && batch_start() == 0);
	esca_assume_tcp(out);
	tokens[0] = esca_setsockopt(out, IPPROTO_TCP, TCP_CORK, &one, sizeof one);
	tokens[1] = esca_send(out, "head ", 5, 0);
	tokens[2] = esca_writev(out, &part, 1);
	tokens[3] = esca_setsockopt(out, IPPROTO_TCP, TCP_CORK, &off, sizeof off);
	tokens[4] = esca_shutdown(out, SHUT_WR);
	CHECK(batch_flush() == 5);
	CHECK(esca_result(tokens[0]) == 0 && esca_result(tokens[1]) == 5 && esca_result(tokens[2]) == 4);
	CHECK(esca_result(tokens[3]) == 0 && esca_result(tokens[4]) == 0);
	CHECK(recv(in, text, sizeof text, MSG_WAITALL) == 9 && memcmp(text, "head body", 9) == 0);
	close(in);
	close(out);
	close(listener);
}

/* Name, control data and parts: everything that sendmsg() points to is copied. */
static void messages(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	char head[] = "head ", body[] = "body", got[16];
	struct iovec parts[2] = { { head, 5 }, { body, 4 } };
	union { struct cmsghdr align; char bytes[CMSG_SPACE(sizeof(int))]; } control, received;
	struct msghdr plain = { .msg_iov = parts, .msg_iovlen = 2 }, full = plain, into = { 0 };
	struct msghdr many = { .msg_iov = parts, .msg_iovlen = 1025 }, nowhere = { .msg_iovlen = 1 };
	struct iovec space = { got, sizeof got };
	int datagrams = socket(AF_UNIX, SOCK_DGRAM, 0), out = socket(AF_UNIX, SOCK_DGRAM, 0), passed;
	socklen_t len = sizeof(sa_family_t);
	esca_token tokens[7];

	/* A name that the kernel chooses. */
	CHECK(bind(datagrams, (void *)&name, len) == 0);
	len = sizeof name;
	CHECK(getsockname(datagrams, (void *)&name, &len) == 0);
	memset(&control, 0, sizeof control);
	full.msg_name = &name;
	full.msg_namelen = len;
	full.msg_control = &control;
	full.msg_controllen = sizeof control;
	control.align = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.align), &right, sizeof right);
	CHECK(batch_start() == 0);
	tokens[0] = esca_sendmsg(out, &full, 0);
	tokens[1] = esca_sendmsg(left, &plain, MSG_NOSIGNAL);
	tokens[2] = esca_sendmsg(out, &plain, 0);
	tokens[3] = esca_sendmsg(out, NULL, 0);
	tokens[4] = esca_sendmsg(out, &many, 0);
	tokens[5] = esca_sendmsg(-1, &many, 0);
	tokens[6] = esca_sendmsg(left, &nowhere, 0);
	memset(&name, '#', sizeof name);
	memset(&control, '#', sizeof control);
	memset(&full, '#', sizeof full);
	memset(&plain, '#', sizeof plain);
	memset(parts, '#', sizeof parts);
	memset(head, '#', sizeof head);
	CHECK(batch_flush() == 7);
	CHECK(esca_result(tokens[0]) == 9 && esca_result(tokens[1]) == 9);
	CHECK(esca_result(tokens[2]) == -ENOTCONN && esca_result(tokens[3]) == -EFAULT);
	CHECK(esca_result(tokens[4]) == -EMSGSIZE && esca_result(tokens[5]) == -EBADF);
	CHECK(esca_result(tokens[6]) == -EFAULT);
	CHECK(arrived() == 9 && memcmp(bytes, "head body", 9) == 0);
	into.msg_iov = &space;
	into.msg_iovlen = 1;
	into.msg_control = &received;
	into.msg_controllen = sizeof received;
	CHECK(recvmsg(datagrams, &into, MSG_DONTWAIT) == 9 && memcmp(got, "head body", 9) == 0);
	CHECK(CMSG_FIRSTHDR(&into) && CMSG_FIRSTHDR(&into)->cmsg_type == SCM_RIGHTS);
	memcpy(&passed, CMSG_DATA(CMSG_FIRSTHDR(&into)), sizeof passed);
	CHECK(passed >= 0 && close(passed) == 0);
	close(datagrams);
	close(out);
}

/* One turn of an event loop as one batch, with the wait at its end. */
static void events(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } }, peer, own;
	socklen_t len = sizeof address, peer_len = sizeof peer;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), out, in, epfd = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN, .data = { .u64 = 77 } }, ready[4];
	esca_token tokens[6];

	CHECK(bind(listener, (void *)&address, len) == 0 && listen(listener, 1) == 0);
	CHECK(getsockname(listener, (void *)&address, &len) == 0);
	out = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(out, (void *)&address, len) == 0 && getsockname(out, (void *)&own, &len) == 0);
	CHECK(batch_start() == 0);
	tokens[0] = esca_accept4(listener, (void *)&peer, &peer_len, SOCK_CLOEXEC);
	tokens[1] = esca_accept4(listener, NULL, NULL, 0);
	CHECK(batch_flush() == 2);
	in = (int)esca_result(tokens[0]);
	CHECK(in >= 0 && esca_result(tokens[1]) == -EAGAIN && (fcntl(in, F_GETFD) & FD_CLOEXEC));
	CHECK(peer_len == sizeof peer && peer.sin_port == own.sin_port);

	CHECK(batch_start() == 0);
	tokens[0] = esca_epoll_ctl(epfd, EPOLL_CTL_ADD, in, &event);
	tokens[1] = esca_epoll_ctl(epfd, 99, in, &event);
	tokens[2] = esca_epoll_ctl(epfd, EPOLL_CTL_MOD, in, NULL);
	event.data.u64 = 0;
	tokens[3] = esca_send(out, "wake", 4, 0);
	tokens[4] = esca_epoll_wait(epfd, ready, 4, 10000);
	CHECK(esca_result(tokens[4]) == ESCA_PENDING);
	/* Behind the wait: it has run first. */
	tokens[5] = esca_epoll_ctl(epfd, EPOLL_CTL_DEL, in, NULL);
	CHECK(esca_result(tokens[4]) == 1 && esca_result(tokens[5]) == ESCA_PENDING);
	CHECK(batch_flush() == 6);
	CHECK(esca_result(tokens[0]) == 0 && esca_result(tokens[1]) == -EINVAL);
	CHECK(esca_result(tokens[2]) == -EFAULT && esca_result(tokens[3]) == 4);
	CHECK(esca_result(tokens[5]) == 0 && ready[0].data.u64 == 77 && ready[0].events == EPOLLIN);
	CHECK(esca_result(esca_epoll_wait(epfd, ready, 0, 0)) == -EINVAL);
	CHECK(esca_result(esca_epoll_wait(epfd, ready, 4, 0)) == 0);
	close(in);
	close(out);
	close(listener);
	close(epfd);
}

static void pipes(void)
{
	FILE *file = tmpfile();
	esca_token tokens[4];
	int ends[2];

	CHECK(file && fputs("0123456789", file) >= 0 && fflush(file) == 0 && pipe(ends) == 0);
	CHECK(lseek(fileno(file), 1, SEEK_SET) == 1 && batch_start() == 0);
	tokens[0] = esca_splice(fileno(file), 5, ends[1], ESCA_POSITION, 3, 0);
	tokens[1] = esca_splice(fileno(file), ESCA_POSITION, ends[1], ESCA_POSITION, 2, 0);
	tokens[2] = esca_splice(ends[0], ESCA_POSITION, left, ESCA_POSITION, 5, 0);
	tokens[3] = esca_fsync(fileno(file));
	CHECK(batch_flush() == 4);
	CHECK(esca_result(tokens[0]) == 3 && esca_result(tokens[1]) == 2 && esca_result(tokens[2]) == 5);
	CHECK(esca_result(tokens[3]) == 0 && lseek(fileno(file), 0, SEEK_CUR) == 3);
	CHECK(arrived() == 5 && memcmp(bytes, "56712", 5) == 0);
	CHECK(esca_result(esca_splice(fileno(file), 0, ends[1], ESCA_POSITION, 4, 0)) == 4);
	CHECK(esca_result(esca_splice(fileno(file), -5, ends[1], ESCA_POSITION, 4, 0)) == -EINVAL);
	close(ends[0]);
	close(ends[1]);
	fclose(file);
}

static void *other_thread(void *unused)
{
	(void)unused;
	CHECK(esca_executor_name() == NULL && batch_start() == 0);
	CHECK(esca_send(left, "never", 5, 0) >= 0);
	/* It ends inside of its batch. */
	return NULL;
}

static void threads_and_children(void)
{
	esca_token token;
	pthread_t thread;
	int status;
	pid_t child;

	CHECK(batch_start() == 0);
	token = esca_send(left, "parent", 6, 0);
	CHECK(pthread_create(&thread, NULL, other_thread, NULL) == 0 && pthread_join(thread, NULL) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		CHECK(batch_flush() == -EINVAL && esca_result(token) == ESCA_UNKNOWN);
		CHECK(batch_start() == 0);
		token = esca_send(left, "child ", 6, 0);
		CHECK(batch_flush() == 1 && esca_result(token) == 6);
		exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(batch_flush() == 1 && esca_result(token) == 6);
	CHECK(arrived() == 12 && memcmp(bytes, "child parent", 12) == 0);
}

int main(int argc, char **argv)
{
	int pair[2];

	if (argc > 1) {
		/* An executor that cannot be had: an error in words, and plain calls. */
		int error = batch_start();

		CHECK(error == -atoi(argv[1]) && strlen(esca_error()) > 20 && esca_executor_name() == NULL);
		puts(esca_error());
		CHECK(esca_result(esca_close(-1)) == -EBADF);
		return 0;
	}
	/* What hangs fails. */
	alarm(20);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	left = pair[0];
	right = pair[1];
	CHECK(esca_init() == 0 && esca_init() == 0 && strcmp(esca_error(), "") == 0);
	outside_of_a_batch();
	nested();
	memory();
	chains();
	more_than_the_table_holds();
	tcp();
	messages();
	events();
	pipes();
	threads_and_children();
	puts(esca_executor_name());
	return 0;
}
