// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The handlers of the calls that a batch may make. The table of handlers is the list of allowed calls.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/build_bug.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/nospec.h>
#include <linux/string.h>
#include <asm/unistd.h>

#include "compat.h"
#include "esca.h"

typedef long (*esca_handler_t)(const struct pt_regs *regs);

#define NUMBERS 512

static esca_handler_t handlers[NUMBERS] __ro_after_init;

static const struct {
	u32 nr;
	const char *name;
} allowed[] __initconst = {
	{ __NR_read, ESCA_HANDLER_PREFIX "read" },
	{ __NR_write, ESCA_HANDLER_PREFIX "write" },
	{ __NR_close, ESCA_HANDLER_PREFIX "close" },
	{ __NR_writev, ESCA_HANDLER_PREFIX "writev" },
	{ __NR_sendfile, ESCA_HANDLER_PREFIX "sendfile64" },
	{ __NR_sendto, ESCA_HANDLER_PREFIX "sendto" },
	{ __NR_recvfrom, ESCA_HANDLER_PREFIX "recvfrom" },
	{ __NR_sendmsg, ESCA_HANDLER_PREFIX "sendmsg" },
	{ __NR_recvmsg, ESCA_HANDLER_PREFIX "recvmsg" },
	{ __NR_shutdown, ESCA_HANDLER_PREFIX "shutdown" },
	{ __NR_setsockopt, ESCA_HANDLER_PREFIX "setsockopt" },
	{ __NR_fsync, ESCA_HANDLER_PREFIX "fsync" },
	{ __NR_getppid, ESCA_HANDLER_PREFIX "getppid" },
	{ __NR_epoll_ctl, ESCA_HANDLER_PREFIX "epoll_ctl" },
	{ __NR_splice, ESCA_HANDLER_PREFIX "splice" },
	{ __NR_epoll_pwait, ESCA_HANDLER_PREFIX "epoll_pwait" },
	{ __NR_accept4, ESCA_HANDLER_PREFIX "accept4" },
};

/*
 * The address of a function of the kernel, or NULL.
 *
 * A probe is registered, disabled, and withdrawn again: that tells an address and changes no code. Where functions
 * start with a landing pad (ENDBR, BTI), the address of a probe is behind it, and a call must not go there. How far
 * behind is what the kernel's own symbolisation says: "name+0xOFFSET/0xSIZE".
 */
static void *__init find(const char *name)
{
	struct kprobe probe = { .symbol_name = name, .flags = KPROBE_FLAG_DISABLED };
	char symbol[KSYM_SYMBOL_LEN];
	unsigned long offset;
	const char *plus;
	char *end;

	if (register_kprobe(&probe))
		return NULL;
	unregister_kprobe(&probe);
	snprintf(symbol, sizeof(symbol), "%pS", probe.addr);
	plus = strchr(symbol, '+');
	if (!plus)
		return NULL;
	offset = simple_strtoul(plus + 1, &end, 16);
	/* Not further than a landing pad and the padding before a patched entry reach. */
	if (*end != '/' || offset > 16)
		return NULL;
	return (void *)probe.addr - offset;
}

int __init esca_resolve(void)
{
	size_t found = 0, index;

	for (index = 0; index < ARRAY_SIZE(allowed); index++) {
		void *handler = find(allowed[index].name);

		if (!handler) {
			pr_warn("no %s in this kernel: batches do without this call\n", allowed[index].name);
			continue;
		}
		handlers[allowed[index].nr] = handler;
		found++;
	}
	pr_info("%zu of %zu calls can be batched\n", found, ARRAY_SIZE(allowed));
	return found ? 0 : -ENOENT;
}

void esca_runs(u64 calls[8])
{
	u32 nr;

	BUILD_BUG_ON(NUMBERS != 8 * 64);
	for (nr = 0; nr < NUMBERS; nr++)
		if (handlers[nr])
			calls[nr / 64] |= 1ULL << (nr % 64);
}

long esca_host_call(struct esca_device *device, u32 nr, const u64 args[6])
{
	esca_handler_t handler;

	if (unlikely(nr >= NUMBERS))
		return -EPERM;
	/* Not even on a path that is guessed, for a number that is too large. */
	handler = handlers[array_index_nospec(nr, NUMBERS)];
	if (unlikely(!handler))
		return -EPERM;
	esca_set_call(&device->regs, nr, args);
	return handler(&device->regs);
}
