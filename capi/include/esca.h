/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * libesca: system calls recorded one by one, run together, each with its own result.
 *
 *	esca_token head, file;
 *
 *	batch_start();
 *	esca_link();
 *	head = esca_send(sock, header, header_len, MSG_NOSIGNAL);
 *	file = esca_sendfile(sock, fd, 0, file_len);
 *	batch_flush();
 *	if (esca_result(head) < 0 || esca_result(file) < 0)
 *		...
 *
 * Between batch_start() and batch_flush() of a thread, the functions below record their call and return at once.
 * batch_flush() runs what was recorded, in the order of recording. Outside of a batch each of them makes its call
 * at once. Either way it returns a token, and esca_result() gives the result of the call for the token, so that a
 * function need not know whether its caller has begun a batch.
 *
 * Results are exact: what the plain system call in its place would have returned, short counts and errors included.
 * Nothing is assumed to have worked, and errno is neither read nor written: an error is a negated error number.
 *
 * Threads: every thread has a batch, tokens and results of its own. A thread that ends inside of a batch does not
 * run what it recorded. The functions are not async-signal-safe: called from a signal handler that interrupted one
 * of them, they do nothing and return -EBUSY.
 *
 * fork(): a child starts outside of a batch and without results; what was recorded stays with the parent. (After
 * clone() or _Fork(), which skip the handlers of pthread_atfork(), call exec or nothing of this library.)
 *
 * Files: a file named by a recorded call must stay open until it has run; close it by esca_close(), which is
 * recorded behind the other calls, and do not use the number afterwards.
 *
 * Memory: each function says whether it copies. Pointers to copied memory must be valid when the function is called,
 * batch or not: a wrong one is a crash, not -EFAULT.
 */
#ifndef ESCA_H
#define ESCA_H

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Names one call of the calling thread. Never negative for a call that was recorded or made; a negated error number
 * where it was neither: -EBUSY as said above, -ESHUTDOWN while the thread ends.
 */
typedef int64_t esca_token;

/* What esca_result() returns beside results, which are never below -4095. */
#define ESCA_PENDING INT64_MIN       /* the call is recorded and has not run yet */
#define ESCA_UNKNOWN (INT64_MIN + 1) /* no such call in this thread, or its result has been dropped */

/* A result outlives at least as many calls that the thread makes outside of a batch. */
#define ESCA_RESULTS_KEPT 1024

/*
 * Prepares the calling thread; without it the first batch_start() does. Returns 0, also when it was called before.
 * The environment variable ESCA_EXECUTOR (direct, uring or io_uring, kernel, auto) says who runs batches; without it the
 * best executor that works here is taken.
 *
 * Errors: -EINVAL where ESCA_EXECUTOR is none of the names, -ENODEV where it is kernel and /dev/esca cannot be used,
 * what io_uring_setup(2) says where it is uring, -ENOMEM. esca_error() says it in words.
 */
int esca_init(void);

/*
 * "direct", "uring" or "kernel": who runs the batches of the calling thread, or NULL where esca_init() or
 * batch_start() has not been called or has failed. The string is static.
 */
const char *esca_executor_name(void);

/*
 * Why the last esca_init() or batch_start() of the calling thread failed, one sentence; "" where it did not. Valid
 * until the thread calls one of them again, or ends.
 */
const char *esca_error(void);

/*
 * Begins a batch. Calls nest and are counted: the batch ends with the batch_flush() of the outermost one. The
 * outermost one also drops the results of what the thread did before.
 *
 * Returns 0, or an error of esca_init(); then no batch has begun, and calls go on to be made at once.
 */
int batch_start(void);

/*
 * Ends a batch and runs what was recorded, unless it is an inner one, which only counts. Without recorded calls it
 * makes no system call. When it returns, nothing is in flight any more.
 *
 * Where a table of 256 calls is full, it is run before the flush; this changes no result.
 *
 * Returns how many calls the batch had, 0 for an inner one; -EINVAL where no batch has begun. It does not fail
 * otherwise: plain calls stand in for an executor that does.
 */
int64_t batch_flush(void);

/*
 * The result of a call: 0 or more, or a negated error number (-ECANCELED: it did not run because its chain broke), or
 * ESCA_PENDING, or ESCA_UNKNOWN. For a negative token it is that number.
 *
 * Results are kept until the next outermost batch_start() of the thread, or until the thread has made
 * ESCA_RESULTS_KEPT further calls outside of a batch. Asking does not drop them.
 */
int64_t esca_result(esca_token token);

/*
 * Links the next call that this thread records to the one behind it: if it fails or moves fewer bytes than it was
 * asked to, the one behind it does not run and has the result -ECANCELED. Linked calls in a row are one chain. A
 * chain ends with a call that is not linked, or with the batch. Outside of a batch it does nothing.
 */
void esca_link(void);

/*
 * Says that a file is a TCP socket, until the batch ends: then adjacent sends on it may leave as one, with results
 * split back exactly, and a header leaves in one segment with the file behind it. Wrong for any other file: messages
 * would lose their boundaries. Outside of a batch it does nothing.
 */
void esca_assume_tcp(int fd);

/* send(2), write(2), writev(2): the bytes, and the array of iov, are copied. -ENOMEM where there is no room for it. */
esca_token esca_send(int sock, const void *buf, size_t len, int flags);
esca_token esca_write(int fd, const void *buf, size_t len);
esca_token esca_writev(int fd, const struct iovec *iov, int iovcnt);

/*
 * As esca_send() and esca_write(), but nothing is copied: the bytes belong to the call, and must neither change nor be
 * freed, until batch_flush() has returned. For large payloads.
 */
esca_token esca_send_borrowed(int sock, const void *buf, size_t len, int flags);
esca_token esca_write_borrowed(int fd, const void *buf, size_t len);

/*
 * recv(2), read(2): the buffer belongs to the call until batch_flush() has returned; only then the bytes are there. A
 * file that waits makes the flush wait.
 */
esca_token esca_recv(int sock, void *buf, size_t len, int flags);
esca_token esca_read(int fd, void *buf, size_t len);

/* sendfile(2) from offset on; the position of in_fd stays. The result may be less than count at the end of a file. */
esca_token esca_sendfile(int out_fd, int in_fd, int64_t offset, size_t count);

/*
 * sendmsg(2): the header, the name, the bytes and the control data are copied. Files that the control data names must
 * stay open until the call has run.
 */
esca_token esca_sendmsg(int sock, const struct msghdr *msg, int flags);

/* An offset of esca_splice() that stands for the file's own position, which then moves. */
#define ESCA_POSITION (-1)

/* splice(2) between a pipe and another file. A position moves only where it stands for the offset. */
esca_token esca_splice(int fd_in, int64_t off_in, int fd_out, int64_t off_out, size_t len, unsigned int flags);

/* fsync(2). */
esca_token esca_fsync(int fd);

/*
 * accept4(2): the result is a new file, which is the program's to close. addr and *addrlen, which may both be NULL,
 * belong to the call until batch_flush() has returned. A listener that waits makes the flush wait.
 */
esca_token esca_accept4(int sock, struct sockaddr *addr, socklen_t *addrlen, int flags);

/* epoll_ctl(2): the event is copied. */
esca_token esca_epoll_ctl(int epfd, int op, int fd, const struct epoll_event *event);

/*
 * epoll_wait(2): the events belong to the call until batch_flush() has returned, and are there only then. As the last
 * call of a batch it makes one turn of an event loop one batch. A call that is recorded behind it first runs everything
 * up to the wait. Should a signal end the wait, its result is -EINTR.
 */
esca_token esca_epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout);

/* setsockopt(2): the value is copied. */
esca_token esca_setsockopt(int sock, int level, int name, const void *value, socklen_t len);

/* shutdown(2). */
esca_token esca_shutdown(int sock, int how);

/* close(2). Where its chain broke (-ECANCELED), the file is still open and still the caller's. */
esca_token esca_close(int fd);

#ifdef __cplusplus
}
#endif

#endif /* ESCA_H */
