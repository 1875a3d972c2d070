/* Hazards to the bytes themselves. */
#include "harness.h"

static void reuses_buffer(struct server *server)
{
	char buffer[] = "first ";
	send(server->fd, buffer, 6, 0);
	memcpy(buffer, "second", 6);
	send(server->fd, buffer, 6, 0);
	memset(buffer, 'x', 6);
}

static const char *reused_buffer(struct got *got)
{
	return equals(got, "first second");
}

static __attribute__((noinline)) void send_from_stack(int fd, char letter)
{
	char text[8];
	memset(text, letter, sizeof text);
	struct iovec parts[2] = {{text, 4}, {text + 4, 4}};
	if (writev(fd, parts, 2) != 8)
		fail("writev");
	memset(text, '?', sizeof text);
	__asm__ volatile("" : : "r"(text) : "memory");
}

static void vectors_on_stack(struct server *server)
{
	send_from_stack(server->fd, 'a');
	send_from_stack(server->fd, 'b');
}

static const char *stack_vectors(struct got *got)
{
	return equals(got, "aaaaaaaabbbbbbbb");
}

/* Sends all of the known stream in pieces, an event at a time. */
static void stream(struct server *server, size_t len, size_t piece)
{
	struct epoll_event event = {.events = EPOLLOUT};
	unsigned char *all = malloc(len);
	for (size_t at = 0; at < len; at++)
		all[at] = known(at);
	epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->fd, &event);
	for (size_t at = 0; at < len;) {
		size_t want = len - at < piece ? len - at : piece;
		ssize_t sent = send(server->fd, all + at, want, MSG_NOSIGNAL);
		if (sent > 0)
			at += sent;
		else if (errno == EAGAIN)
			turn(server);
		else
			fail("send");
	}
}

static void slow_reader(struct server *server)
{
	int small = 8192;
	setsockopt(server->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	stream(server, 2 << 20, 1500);
}

static const char *slowly_read(struct got *got)
{
	return equals_known(got, 2 << 20);
}

/* Edge-triggered: after EAGAIN one edge has to come. */
static void edge_triggered(struct server *server)
{
	struct epoll_event event = {.events = EPOLLOUT | EPOLLET};
	epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->fd, &event);
	unsigned char piece[1000];
	for (size_t at = 0; at < 3000000;) {
		size_t len = 3000000 - at < sizeof piece ? 3000000 - at : sizeof piece;
		for (size_t offset = 0; offset < len; offset++)
			piece[offset] = known(at + offset);
		ssize_t sent = write(server->fd, piece, len);
		if (sent > 0) {
			at += sent;
			continue;
		}
		if (errno != EAGAIN)
			fail("write");
		turn(server);
	}
}

static const char *edges_came(struct got *got)
{
	return equals_known(got, 3000000);
}

static void header_then_file(struct server *server)
{
	struct iovec header = {"header ", 7};
	off_t offset = 90000;
	if (writev(server->fd, &header, 1) != 7)
		fail("writev");
	if (sendfile(server->fd, server->file, &offset, 2000) != 2000 || offset != 92000)
		fail("sendfile");
	/* Beyond the end: what there is. */
	offset = 99990;
	if (sendfile(server->fd, server->file, &offset, 2000) != 10 || offset != 100000)
		fail("sendfile at the end");
	if (sendfile(server->fd, server->file, &offset, 2000) != 0)
		fail("sendfile behind the end");
	/* The file's own position. */
	lseek(server->file, 100, SEEK_SET);
	if (sendfile(server->fd, server->file, NULL, 50) != 50 || lseek(server->file, 0, SEEK_CUR) != 150)
		fail("sendfile from the position");
	/* A large one, which no buffer holds. */
	offset = 0;
	for (size_t left = 100000; left;) {
		ssize_t sent = sendfile(server->fd, server->file, &offset, left);
		if (sent > 0)
			left -= sent;
		else if (errno == EAGAIN)
			usleep(1000);
		else
			fail("large sendfile");
	}
	send(server->fd, "end", 3, 0);
}

static const char *header_and_file(struct got *got)
{
	static const struct {
		size_t from, len;
	} pieces[] = {{90000, 2000}, {99990, 10}, {100, 50}, {0, 100000}};
	unsigned char *at = got->bytes + 7;
	if (got->len != 7 + 2000 + 10 + 50 + 100000 + 3)
		return "the length is wrong";
	if (memcmp(got->bytes, "header ", 7))
		return "the header is not first";
	for (size_t piece = 0; piece < 4; piece++)
		for (size_t offset = 0; offset < pieces[piece].len; offset++)
			if (*at++ != known(pieces[piece].from + offset))
				return "a piece of the file is wrong";
	return memcmp(at, "end", 3) ? "the end is wrong" : NULL;
}

/* What a file held when it was sent is what arrives, or the connection is reset; never something else. */
static void file_is_cut(struct server *server)
{
	char path[64];
	off_t offset = 0;
	send(server->fd, "size=4096 ", 10, 0);
	if (sendfile(server->fd, server->file, &offset, 4096) != 4096)
		fail("sendfile");
	snprintf(path, sizeof path, "/proc/self/fd/%d", server->file);
	int writer = open(path, O_WRONLY);
	if (ftruncate(writer, 100))
		fail("truncate");
	close(server->file);
	if (write(server->fd, "next", 4) != 4)
		fail("write");
}

static const char *cut_file(struct got *got)
{
	if (got->len != 10 + 4096 + 4)
		return "the length is wrong";
	for (size_t at = 0; at < 4096; at++)
		if (got->bytes[10 + at] != known(at))
			return "the file's bytes are wrong";
	return memcmp(got->bytes + 10 + 4096, "next", 4) ? "what follows is wrong" : NULL;
}

/* Small sends, large ones, corks and files, in an order that only the program knows. */
static void mixture(struct server *server)
{
	static unsigned char all[60000];
	uint32_t random = 12345;
	size_t at = 0;
	int corked = 0;
	struct epoll_event event = {.events = EPOLLOUT};
	epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->fd, &event);
	while (at < 20000000) {
		random = random * 1664525 + 1013904223;
		size_t len = 1 + (random >> 20) % ((random >> 8) % 16 ? 600 : 50000);
		for (size_t offset = 0; offset < len; offset++)
			all[offset] = known(at + offset);
		struct iovec parts[2] = {{all, len / 3}, {all + len / 3, len - len / 3}};
		struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
		ssize_t sent = -1;
		off_t offset = at % 50000;
		switch ((random >> 4) % 7) {
		case 0: sent = write(server->fd, all, len); break;
		case 1: sent = send(server->fd, all, len, MSG_MORE | MSG_NOSIGNAL); break;
		case 2: sent = writev(server->fd, parts, 2); break;
		case 3: sent = sendmsg(server->fd, &message, 0); break;
		case 4:
			corked = !corked;
			setsockopt(server->fd, IPPROTO_TCP, TCP_CORK, &corked, sizeof corked);
			continue;
		case 5:
			/* The file holds the same bytes, at the same place, only in its own range. */
			if (at + len > 100000)
				continue;
			offset = at;
			sent = sendfile(server->fd, server->file, &offset, len);
			break;
		case 6:
			if ((random >> 12) % 50 == 0)
				turn(server);
			continue;
		}
		memset(all, 0, len);
		if (sent > 0)
			at += sent;
		else if (errno == EAGAIN)
			turn(server);
		else
			fail("send");
	}
	server->report->counts[0] = at;
}

static const char *mixed(struct got *got)
{
	return equals_known(got, got->report->counts[0]);
}

const struct hazard bytes[] = {
	{"reused-buffer", reuses_buffer, reused_buffer, READS},
	{"vectors-on-the-stack", vectors_on_stack, stack_vectors, READS},
	{"slow-reader", slow_reader, slowly_read, READS_LITTLE},
	{"edge-triggered", edge_triggered, edges_came, READS_LATE},
	{"header-then-file", header_then_file, header_and_file, READS},
	{"file-is-cut", file_is_cut, cut_file, READS},
	{"mixture", mixture, mixed, READS},
	{0},
};
