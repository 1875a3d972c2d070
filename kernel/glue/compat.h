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
 * Whether somebody wants to see or to judge each system call of this task: seccomp, audit, a tracer, syscall user
 * dispatch, tracepoints on system calls. A batch would hide its calls from them.
 */
static inline bool esca_watched(void)
{
#ifdef SYSCALL_WORK_SECCOMP /* architectures with the generic entry code */
	unsigned long watches = SYSCALL_WORK_SECCOMP | SYSCALL_WORK_SYSCALL_TRACEPOINT | SYSCALL_WORK_SYSCALL_TRACE |
				SYSCALL_WORK_SYSCALL_EMU | SYSCALL_WORK_SYSCALL_AUDIT |
				SYSCALL_WORK_SYSCALL_USER_DISPATCH;
	unsigned long work = READ_ONCE(current_thread_info()->syscall_work);
#else
	unsigned long watches = _TIF_SECCOMP | _TIF_SYSCALL_TRACEPOINT | _TIF_SYSCALL_TRACE | _TIF_SYSCALL_EMU |
				_TIF_SYSCALL_AUDIT;
	unsigned long work = READ_ONCE(current_thread_info()->flags);
#endif
	return (work & watches) || READ_ONCE(current->ptrace);
}

/* Whether the task has something to do before its next call: another task waits for the processor, or a signal for it. */
static inline bool esca_wanted_elsewhere(void)
{
	unsigned long wanted = _TIF_NEED_RESCHED | _TIF_SIGPENDING | _TIF_NOTIFY_SIGNAL;

	return READ_ONCE(current_thread_info()->flags) & wanted;
}

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
