/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Where kernels and architectures differ. To add a kernel: build, and give each complaint a name here.
 */
#ifndef ESCA_COMPAT_H
#define ESCA_COMPAT_H

#include <linux/mm.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/thread_info.h>
#include <linux/version.h>

/* Handlers are found by the names that the system call wrappers give them. */
#if defined(CONFIG_X86_64)
#define ESCA_HANDLER_PREFIX "__x64_sys_"
#elif defined(CONFIG_ARM64)
#define ESCA_HANDLER_PREFIX "__arm64_sys_"
#else
#error "esca knows the system calls of x86_64 and arm64"
#endif

/* Arguments and number, where handlers look for them. */
static inline void esca_set_call(struct pt_regs *regs, u32 nr, const u64 args[6])
{
#if defined(CONFIG_X86_64)
	regs->di = args[0];
	regs->si = args[1];
	regs->dx = args[2];
	regs->r10 = args[3];
	regs->r8 = args[4];
	regs->r9 = args[5];
	regs->orig_ax = nr;
#else
	memcpy(regs->regs, args, 6 * sizeof(args[0]));
	regs->orig_x0 = args[0];
	regs->regs[8] = nr;
	regs->syscallno = nr;
#endif
}

/*
 * Where it stands that somebody wants to see or to judge each system call of this task: seccomp, audit, a tracer,
 * syscall user dispatch, tracepoints on system calls. A batch would hide its calls from them.
 */
#ifdef SYSCALL_WORK_SECCOMP /* architectures with the generic entry code */
#define ESCA_WATCH_WORD (&current_thread_info()->syscall_work)
#define ESCA_WATCH_MASK                                                                                              \
	(SYSCALL_WORK_SECCOMP | SYSCALL_WORK_SYSCALL_TRACEPOINT | SYSCALL_WORK_SYSCALL_TRACE | SYSCALL_WORK_SYSCALL_EMU | \
	 SYSCALL_WORK_SYSCALL_AUDIT | SYSCALL_WORK_SYSCALL_USER_DISPATCH)
#else
#define ESCA_WATCH_WORD (&current_thread_info()->flags)
#define ESCA_WATCH_MASK \
	(_TIF_SECCOMP | _TIF_SYSCALL_TRACEPOINT | _TIF_SYSCALL_TRACE | _TIF_SYSCALL_EMU | _TIF_SYSCALL_AUDIT)
#endif

/* vm_flags became read-only in 6.3. */
static inline void esca_vm_flags(struct vm_area_struct *vma, unsigned long set, unsigned long clear)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_mod(vma, set, clear);
#else
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
#endif
}

#endif
