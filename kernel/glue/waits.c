// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Which calls may wait while a close of the same batch is not finished.
 *
 * The last reference to a file is dropped on the way back to user space. Until then the peer of a closed socket sees
 * nothing, so a call that waits for the peer would wait for itself.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/socket.h>
#include <linux/thread_info.h>
#include <asm/unistd.h>

#include "esca.h"

/* Whether reading and writing this file may wait for somebody. */
static bool blocks(u32 fd)
{
	struct file *file = fget(fd);
	bool blocks;

	if (!file)
		return false;
	blocks = !(file->f_flags & O_NONBLOCK) && !S_ISREG(file_inode(file)->i_mode);
	fput(file);
	return blocks;
}

bool esca_host_may_wait(u32 nr, const u64 args[6])
{
	/* Nothing is left for the way back to user space: the closed files were open elsewhere too. */
	if (!test_thread_flag(TIF_NOTIFY_RESUME))
		return false;
	switch (nr) {
	case __NR_epoll_pwait:
		return (int)args[3] != 0;
	case __NR_sendto:
	case __NR_recvfrom:
		return !(args[3] & MSG_DONTWAIT) && blocks(args[0]);
	case __NR_sendmsg:
	case __NR_recvmsg:
		return !(args[2] & MSG_DONTWAIT) && blocks(args[0]);
	case __NR_read:
	case __NR_write:
	case __NR_writev:
	case __NR_accept4:
	case __NR_sendfile:
		return blocks(args[0]);
	case __NR_splice:
		return blocks(args[0]) || blocks(args[2]);
	}
	return false;
}
