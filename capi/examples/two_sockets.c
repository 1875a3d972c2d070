/*
 * Two sockets, one batch: a header and a file for each, as a chain, with the real result of every call.
 *
 *	cc -std=c11 -Icapi/include capi/examples/two_sockets.c -Ltarget/release -lesca
 */
#define _POSIX_C_SOURCE 200809L

#include <esca.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static void report(const char *what, esca_token token)
{
	int64_t result = esca_result(token);

	if (result < 0)
		printf("%s: %s\n", what, strerror((int)-result));
	else
		printf("%s: %lld bytes\n", what, (long long)result);
}

int main(void)
{
	static const char body[] = "the body\n";
	int alive[2], gone[2], client[2], i;
	esca_token head[2], file[2], end[2];
	char header[64], received[128];
	size_t filled = 0;
	ssize_t count;
	FILE *page = tmpfile();

	check(page && fwrite(body, 1, sizeof body - 1, page) == sizeof body - 1 && fflush(page) == 0, "page");
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, alive) == 0, "socketpair");
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, gone) == 0, "socketpair");
	check(close(gone[1]) == 0, "close");
	client[0] = alive[0];
	client[1] = gone[0];

	if (batch_start() < 0) {
		fprintf(stderr, "%s\n", esca_error());
		return 1;
	}
	for (i = 0; i < 2; i++) {
		int len = snprintf(header, sizeof header, "length: %zu\n\n", sizeof body - 1);

		/* Linked: without its header the body makes no sense, so it is not sent. */
		esca_link();
		head[i] = esca_send(client[i], header, (size_t)len, MSG_NOSIGNAL);
		file[i] = esca_sendfile(client[i], fileno(page), 0, sizeof body - 1);
		end[i] = esca_close(client[i]);
		/* It was copied. */
		memset(header, '#', sizeof header);
	}
	check(esca_result(head[0]) == ESCA_PENDING, "nothing runs before the flush");
	printf("%lld calls ran together\n", (long long)batch_flush());

	report("alive, header", head[0]);
	report("alive, body", file[0]);
	report("alive, close", end[0]);
	report("gone, header", head[1]);
	report("gone, body", file[1]);
	report("gone, close", end[1]);

	while ((count = read(alive[1], received + filled, sizeof received - filled)) > 0)
		filled += (size_t)count;
	printf("received: %.*s", (int)filled, received);
	fclose(page);
	return 0;
}
