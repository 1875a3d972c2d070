// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The pages of a table: the kernel's own, mapped by the process that opened the device.
 */
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "esca.h"

long esca_setup(struct esca_device *device, unsigned long capacity)
{
	size_t bytes = PAGE_ALIGN(esca_core_size(capacity));
	long result = 0;
	void *table;

	if (!bytes)
		return -EINVAL;
	if (device->mm != current->mm)
		return -EPERM;
	if (!esca_try_lock(device))
		return -EBUSY;
	if (device->table) {
		result = -EEXIST;
		goto unlock;
	}
	/*
	 * On the account of the caller's memory cgroup, which vmalloc_user() would not do. Who asks is told when there is
	 * none, so the log need not be, which a process at its cgroup's limit could fill.
	 */
	table = __vmalloc(bytes, GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN);
	if (!table) {
		result = -ENOMEM;
		goto unlock;
	}
	if (!esca_core_init(table, bytes, capacity)) {
		vfree(table);
		result = -EINVAL;
		goto unlock;
	}
	device->bytes = bytes;
	device->capacity = capacity;
	/* For esca_mmap(), which comes without the lock: it holds the lock of the address space, and a flush takes that. */
	smp_store_release(&device->table, table);
unlock:
	esca_unlock(device);
	return result;
}

int esca_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct esca_device *device = file->private_data;
	void *table = smp_load_acquire(&device->table);
	unsigned long offset;
	int error;

	if (device->mm != current->mm)
		return -EPERM;
	if (!table || vma->vm_pgoff || vma->vm_end - vma->vm_start != device->bytes)
		return -EINVAL;
	/* A private mapping would get pages of its own at the first write. */
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	esca_vm_flags(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP, VM_MAYEXEC);
	for (offset = 0; offset < device->bytes; offset += PAGE_SIZE) {
		error = vm_insert_page(vma, vma->vm_start + offset, vmalloc_to_page(table + offset));
		if (error)
			return error;
	}
	return 0;
}

void esca_table_free(struct esca_device *device)
{
	vfree(device->table);
}
