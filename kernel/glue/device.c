// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * /dev/esca: what can be done with an open file of it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "esca.h"

static int esca_open(struct inode *inode, struct file *file)
{
	struct esca_device *device;

	if (!current->mm)
		return -EPERM;
	device = kzalloc(sizeof(*device), GFP_KERNEL_ACCOUNT);
	if (!device)
		return -ENOMEM;
	/* The structure stays, so that no other address space can get the same address; its contents may go. */
	mmgrab(current->mm);
	device->mm = current->mm;
	file->private_data = device;
	return 0;
}

static int esca_release(struct inode *inode, struct file *file)
{
	struct esca_device *device = file->private_data;

	esca_table_free(device);
	mmdrop(device->mm);
	kfree(device);
	return 0;
}

/* Neither is inlined: kernels that zero the stack would zero what they keep there at each flush. */
static noinline long esca_query(void __user *to)
{
	struct batch_query query = {
		.version = BATCH_TABLE_VERSION,
		.max_capacity = BATCH_TABLE_MAX_CAPACITY,
		.features = esca_core_features(),
	};

	esca_runs(query.calls);
	return copy_to_user(to, &query, sizeof(query)) ? -EFAULT : 0;
}

static noinline long esca_stats(struct esca_device *device, void __user *to)
{
	struct batch_stats stats;

	if (!esca_try_lock(device))
		return -EBUSY;
	stats = device->stats;
	esca_unlock(device);
	return copy_to_user(to, &stats, sizeof(stats)) ? -EFAULT : 0;
}

static long esca_ioctl(struct file *file, unsigned int request, unsigned long argument)
{
	struct esca_device *device = file->private_data;

	switch (request) {
	case BATCH_IOC_FLUSH:
		return esca_flush(file, device, argument);
	case BATCH_IOC_SETUP:
		return esca_setup(device, argument);
	case BATCH_IOC_QUERY:
		return esca_query((void __user *)argument);
	case BATCH_IOC_STATS:
		return esca_stats(device, (void __user *)argument);
	}
	return -ENOTTY;
}

/*
 * No compat_ioctl: entries are numbered and laid out as 64-bit programs do it. The owner keeps the module loaded while
 * a file is open or mapped.
 */
const struct file_operations esca_fops = {
	.owner = THIS_MODULE,
	.open = esca_open,
	.release = esca_release,
	.unlocked_ioctl = esca_ioctl,
	.mmap = esca_mmap,
	.llseek = noop_llseek,
};

static struct miscdevice esca_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "esca",
	.fops = &esca_fops,
	.mode = 0600,
};

static int __init esca_module_init(void)
{
	int error = esca_resolve();

	return error ? error : misc_register(&esca_misc);
}

static void __exit esca_module_exit(void)
{
	misc_deregister(&esca_misc);
}

module_init(esca_module_init);
module_exit(esca_module_exit);
MODULE_DESCRIPTION("Batches of system calls");
MODULE_VERSION("0.1.0");
MODULE_LICENSE("Dual MIT/GPL");
