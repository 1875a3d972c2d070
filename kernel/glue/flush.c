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

int esca_host_check(void)
{
	if (unlikely(esca_watched()))
		return 2;
	if (likely(!esca_wanted_elsewhere()))
		return 0;
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
	long finished;

	if (device->mm != current->mm)
		return -EPERM;
	if (esca_watched())
		return -EOPNOTSUPP;
	if (!esca_try_lock(device))
		return -EBUSY;
	if (!device->table) {
		esca_unlock(device);
		return -EINVAL;
	}
	/* An entry may close the file that this comes from. */
	get_file(file);
	finished = esca_core_flush(device->table, device->capacity, argument, &device->run);
	if (finished >= 0) {
		device->stats.flushes++;
		device->stats.finished += finished;
		device->stats.stopped += finished != (argument & 0xffff);
	}
	esca_unlock(device);
	fput(file);
	/* A thread of the same process may have begun to watch this one since the check above. */
	if (unlikely(!finished) && (argument & 0xffff) && esca_watched())
		return -EOPNOTSUPP;
	return finished;
}
