/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * A batch of system calls in memory that two sides share. One table per thread: a header, then a power-of-two number
 * of entries. Byte order is the machine's. The crate batch-table says the same in Rust.
 */
#ifndef BATCH_TABLE_H
#define BATCH_TABLE_H

#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>
typedef __u16 batch_u16;
typedef __u32 batch_u32;
typedef __u64 batch_u64;
typedef __s64 batch_s64;
#else
#include <stddef.h>
#include <stdint.h>
typedef uint16_t batch_u16;
typedef uint32_t batch_u32;
typedef uint64_t batch_u64;
typedef int64_t batch_s64;
#endif

#define BATCH_TABLE_MAGIC 0x41435345u /* "ESCA" */
#define BATCH_TABLE_VERSION 1
#define BATCH_TABLE_ENTRY_SIZE 64
#define BATCH_TABLE_HEADER_SIZE 64
#define BATCH_TABLE_MAX_CAPACITY 4096

/* features: unknown bits are refused */
#define BATCH_TABLE_LINK ((batch_u64)1)           /* entries may carry BATCH_ENTRY_LINK */
#define BATCH_TABLE_LAST_MAY_BLOCK ((batch_u64)2) /* the last entry of a batch may block */

struct batch_header {
	batch_u32 magic;
	batch_u16 version;
	batch_u16 entry_size;
	batch_u32 capacity; /* a power of two */
	batch_u32 entries_offset;
	batch_u64 features;
	batch_u64 reserved[5]; /* refused unless zero */
};

/* flags of an entry: unknown bits make the entry fail with -EINVAL */
#define BATCH_ENTRY_LINK 1 /* a failure or a short result cancels the rest of the chain */

/* READY belongs to the executor, every other state to the producer; store with release, load with acquire order */
#define BATCH_STATE_EMPTY 0
#define BATCH_STATE_READY 1
#define BATCH_STATE_DONE 2
#define BATCH_STATE_CANCELED 3 /* result is -ECANCELED */

struct batch_entry {
	batch_u32 nr;
	batch_u16 flags;
	batch_u16 state;
	batch_s64 result; /* -4095..-1: negated error number */
	/*
	 * A linked writev or sendmsg has its full length in args[3], which the call itself does not read;
	 * zero: not known, so never short.
	 */
	batch_u64 args[6];
};

/*
 * The device: open, BATCH_IOC_SETUP once with the capacity, mmap the table, fill entries, BATCH_IOC_FLUSH with
 * BATCH_FLUSH_ARGUMENT. It returns the number of finished entries.
 */
#define BATCH_DEVICE "/dev/esca"
#define BATCH_IOC_SETUP (('E' << 8) | 0) /* _IO('E', 0) */
#define BATCH_IOC_FLUSH (('E' << 8) | 1) /* _IO('E', 1) */
#define BATCH_IOC_QUERY ((2u << 30) | (80 << 16) | ('E' << 8) | 2) /* _IOR('E', 2, struct batch_query) */
#define BATCH_IOC_STATS ((2u << 30) | (24 << 16) | ('E' << 8) | 3) /* _IOR('E', 3, struct batch_stats) */
#define BATCH_FLUSH_ARGUMENT(first, count, capacity) \
	((((batch_u64)(first) & ((capacity) - 1)) << 16) | ((batch_u64)(count) & 0xffff))

/* what the module can do */
struct batch_query {
	batch_u32 version; /* of the layout of tables */
	batch_u32 max_capacity;
	batch_u64 features;
	batch_u64 calls[8]; /* bit nr % 64 of word nr / 64: runs this call */
};

/* what one open file was used for */
struct batch_stats {
	batch_u64 flushes; /* that were not refused */
	batch_u64 finished; /* entries */
	batch_u64 stopped; /* flushes that finished fewer entries than asked for */
};

#ifdef __cplusplus
#define BATCH_ASSERT(condition, text) static_assert(condition, text)
#else
#define BATCH_ASSERT(condition, text) _Static_assert(condition, text)
#endif

BATCH_ASSERT(sizeof(struct batch_header) == BATCH_TABLE_HEADER_SIZE, "header size");
BATCH_ASSERT(offsetof(struct batch_header, magic) == 0, "header.magic");
BATCH_ASSERT(offsetof(struct batch_header, version) == 4, "header.version");
BATCH_ASSERT(offsetof(struct batch_header, entry_size) == 6, "header.entry_size");
BATCH_ASSERT(offsetof(struct batch_header, capacity) == 8, "header.capacity");
BATCH_ASSERT(offsetof(struct batch_header, entries_offset) == 12, "header.entries_offset");
BATCH_ASSERT(offsetof(struct batch_header, features) == 16, "header.features");
BATCH_ASSERT(offsetof(struct batch_header, reserved) == 24, "header.reserved");

BATCH_ASSERT(sizeof(struct batch_entry) == BATCH_TABLE_ENTRY_SIZE, "entry size");
BATCH_ASSERT(offsetof(struct batch_entry, nr) == 0, "entry.nr");
BATCH_ASSERT(offsetof(struct batch_entry, flags) == 4, "entry.flags");
BATCH_ASSERT(offsetof(struct batch_entry, state) == 6, "entry.state");
BATCH_ASSERT(offsetof(struct batch_entry, result) == 8, "entry.result");
BATCH_ASSERT(offsetof(struct batch_entry, args) == 16, "entry.args");

BATCH_ASSERT(sizeof(struct batch_query) == 80, "query size");
BATCH_ASSERT(offsetof(struct batch_query, max_capacity) == 4, "query.max_capacity");
BATCH_ASSERT(offsetof(struct batch_query, features) == 8, "query.features");
BATCH_ASSERT(offsetof(struct batch_query, calls) == 16, "query.calls");
BATCH_ASSERT(sizeof(struct batch_stats) == 24, "stats size");
BATCH_ASSERT(offsetof(struct batch_stats, finished) == 8, "stats.finished");
BATCH_ASSERT(offsetof(struct batch_stats, stopped) == 16, "stats.stopped");

#endif
