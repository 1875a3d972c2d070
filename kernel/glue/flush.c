// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * One flush: who may do it, and what happens between two entries.
 */
#include <linux/bug.h>
#include <linux/file.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "esca.h"

/* A bit and not a mutex: nobody ever waits for it, and it is held while handlers take any lock of the kernel. */
bool esca_try_lock(struct esca_device *device)
{
	return !test_and_set_bit_lock(0, &device->busy);
}

void esca_unlock(struct esca_device *device)
{
	clear_bit_unlock(0, &device->busy);
}

/* A tracer that has only attached sees no system calls yet; but it is about to, and it comes with a signal. */
static bool watched(void)
{
	return (READ_ONCE(*ESCA_WATCH_WORD) & ESCA_WATCH_MASK) || READ_ONCE(current->ptrace);
}

/* Called when one of the signs of esca_flush() shows. */
int esca_host_check(void)
{
	if (watched())
		return 2;
	if (need_resched())
		cond_resched();
	return signal_pending(current) ? 1 : 0;
}

/* The core found itself in a state that cannot be. The caller ends the task, whether or not this returns. */
void esca_host_panic(void)
{
	BUG();
}

long esca_flush(struct file *file, struct esca_device *device, unsigned long argument)
{
	const struct esca_sign signs[2] = {
		{ ESCA_WATCH_WORD, ESCA_WATCH_MASK },
		{ &current_thread_info()->flags, _TIF_SIGPENDING | _TIF_NOTIFY_SIGNAL | _TIF_NEED_RESCHED },
	};
	long finished;

	if (device->mm != current->mm)
		return -EPERM;
	if (watched())
		return -EOPNOTSUPP;
	if (!esca_try_lock(device))
		return -EBUSY;
	if (!device->table) {
		esca_unlock(device);
		return -EINVAL;
	}
	/* An entry may close the file that this comes from. */
	get_file(file);
	finished = esca_core_flush(device->table, device->capacity, argument, device, signs);
	if (finished >= 0) {
		device->stats.flushes++;
		device->stats.finished += finished;
		device->stats.stopped += finished != (argument & 0xffff);
	}
	esca_unlock(device);
	fput(file);
	/* A thread of the same process may have begun to watch this one since the check above. */
	if (unlikely(!finished) && (argument & 0xffff) && watched())
		return -EOPNOTSUPP;
	return finished;
}
