/* A server in a process of its own, and a peer that looks at what arrives. */
#ifndef HARNESS_H
#define HARNESS_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What the server has: one accepted connection, non-blocking and in an epoll instance, whose first event has just been taken. */
struct server {
	int fd;
	int epoll;
	int listener;
	/* A file of 100000 known bytes, opened for reading. */
	int file;
	/* The server tells the peer's side how it went. */
	struct report *report;
};

/* Memory that both sides share. */
struct report {
	volatile long counts[8];
	/* When the server sent what its peer is to get soon, in milliseconds of the clock. */
	volatile double sent_ms;
	/* The server has gone on, so what has not come yet comes too late. */
	volatile int gone_on;
	/* The server asks a peer to act that waits for that. */
	volatile int go;
	/* When each of the first words of eight bytes came, in milliseconds of the clock. */
	volatile double arrivals[128];
};

/* What the peer got. */
struct got {
	unsigned char *bytes;
	size_t len;
	/* When the first byte came, in milliseconds of the clock, and whether the server had gone on by then. */
	double first_ms;
	int late;
	/* How the server ended. */
	int status;
	struct report *report;
};

/* The last one reads, and ends the server as soon as something has come: there is nothing more to wait for. */
enum behaviour { READS, READS_LATE, READS_WHEN_TOLD, READS_LITTLE, RESETS_WHEN_TOLD, ENDS_IT };

struct hazard {
	const char *name;
	void (*server)(struct server *);
	/* Null, or what is wrong. */
	const char *(*check)(struct got *);
	enum behaviour peer;
};

extern const struct hazard bytes[], numbers[], processes[], signals[], errors[], waits[], reads[];

/* The byte at an offset of the known file, and of long streams. */
unsigned char known(size_t at);
/* Ends the server as a failure. */
void fail(const char *why);
double now_ms(void);
/* How long a server waits whose peer ends it sooner, in milliseconds. */
long wait_ms(void);
struct timespec wait_time(void);
/* Waits for an event, so that a new turn begins. */
void turn(struct server *server);
const char *equals(struct got *got, const char *text);
const char *equals_known(struct got *got, size_t len);

#endif
