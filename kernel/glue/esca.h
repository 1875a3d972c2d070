/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What the files of the module know of each other, and the seam to the Rust core (kernel/core/src/seam.rs).
 */
#ifndef ESCA_H
#define ESCA_H

#include <linux/fs.h>
#include <linux/mm_types.h>
#include <linux/ptrace.h>
#include <linux/types.h>

#include "batch_table.h"

/* One open file of the device. */
struct esca_device {
	struct mm_struct *mm; /* that opened it: nobody else may flush or map; held by a reference to the structure alone */
	void *table; /* set once, with release order; NULL before SETUP */
	size_t bytes; /* of the table, in whole pages */
	u32 capacity; /* entries; kept here because user space may write to the header */
	unsigned long busy; /* bit 0: somebody sets up or flushes */
	struct batch_stats stats; /* changed by whoever holds the bit, as are the registers */
	/* Handlers take them as const, so that one set, zero but for the arguments, serves all entries. */
	struct pt_regs regs;
};

/* A word that changes when this task ought to look up between two entries, and the bits that mean so. */
struct esca_sign {
	const unsigned long *word;
	unsigned long mask;
};

/* device.c */
extern const struct file_operations esca_fops;

/* table.c */
long esca_setup(struct esca_device *device, unsigned long capacity);
int esca_mmap(struct file *file, struct vm_area_struct *vma);
void esca_table_free(struct esca_device *device);

/* flush.c */
long esca_flush(struct file *file, struct esca_device *device, unsigned long argument);
bool esca_try_lock(struct esca_device *device);
void esca_unlock(struct esca_device *device);

/* calls.c */
int esca_resolve(void);
void esca_runs(u64 calls[8]);
long esca_host_call(struct esca_device *device, u32 nr, const u64 args[6]);

/* flush.c and waits.c, called by the core */
int esca_host_check(void);
bool esca_host_may_wait(u32 nr, const u64 args[6]);
void esca_host_panic(void);

/* the core */
size_t esca_core_size(unsigned long capacity);
u64 esca_core_features(void);
bool esca_core_init(void *memory, size_t len, u32 capacity);
long esca_core_flush(void *memory, u32 capacity, u64 argument, struct esca_device *device,
		     const struct esca_sign signs[2]);

#endif
