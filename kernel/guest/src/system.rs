//! What the tests change about their own process, and what they ask about the system.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// How often the handler of [`count_signal`] ran.
pub(crate) static SIGNALS: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_: libc::c_int) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

/// Counts a signal in [`SIGNALS`]; `flags` are those of `sigaction`.
pub(crate) fn count_signal(signal: i32, flags: i32) {
    // SAFETY: all zero is a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = count as extern "C" fn(libc::c_int) as usize;
    action.sa_flags = flags;
    // SAFETY: the structure is filled in; the handler does nothing but add to an atomic.
    let result = unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
    assert_eq!(result, 0, "sigaction");
}

/// Sends `SIGALRM` after `first` and then every `every` microseconds; zero means never.
pub(crate) fn alarm(first: i64, every: i64) {
    let time = |micros: i64| libc::timeval {
        tv_sec: micros / 1_000_000,
        tv_usec: micros % 1_000_000,
    };
    let timer = libc::itimerval {
        it_interval: time(every),
        it_value: time(first),
    };
    // SAFETY: the structure is read before the call returns.
    let result = unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
    assert_eq!(result, 0, "setitimer");
}

/// Number of the calling thread.
pub(crate) fn thread_number() -> i32 {
    // SAFETY: no memory is involved.
    unsafe { libc::gettid() }
}

/// Waits until a thread of this process sleeps within an `ioctl`, however long a busy machine keeps it from getting there.
pub(crate) fn wait_until_it_sleeps_in_ioctl(thread: i32) {
    let path = format!("/proc/self/task/{thread}/syscall");
    let begin = format!("{} ", libc::SYS_ioctl);
    while !fs::read_to_string(&path)
        .expect("the thread lives")
        .starts_with(&begin)
    {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Sends a signal to a thread of this process.
pub(crate) fn signal_thread(thread: i32, signal: i32) {
    // SAFETY: no memory is involved.
    let process = unsafe { libc::getpid() };
    // SAFETY: no memory is involved.
    let result = unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal) };
    assert_eq!(result, 0, "tgkill");
}

/// Blocks a signal in this thread.
pub(crate) fn block(signal: i32) {
    change_mask(libc::SIG_BLOCK, signal);
}

/// Undoes [`block`].
pub(crate) fn unblock(signal: i32) {
    change_mask(libc::SIG_UNBLOCK, signal);
}

/// Whether a signal is blocked in this thread.
pub(crate) fn is_blocked(signal: i32) -> bool {
    // SAFETY: all zero is a valid set.
    let mut now: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is written before the call returns.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut now) };
    // SAFETY: a set that the kernel filled in.
    unsafe { libc::sigismember(&raw const now, signal) == 1 }
}

fn change_mask(how: i32, signal: i32) {
    // SAFETY: all zero is a valid set.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: a valid set.
    unsafe { libc::sigaddset(&raw mut set, signal) };
    // SAFETY: the set is read before the call returns.
    let result = unsafe { libc::pthread_sigmask(how, &raw const set, std::ptr::null_mut()) };
    assert_eq!(result, 0, "pthread_sigmask");
}

/// Installs a seccomp filter that allows everything, on this thread or on all of the process.
pub(crate) fn allow_all_filter(all_threads: bool) {
    const ALLOW: u32 = 0x7fff_0000;
    let mut program = [libc::sock_filter {
        code: u16::try_from(libc::BPF_RET | libc::BPF_K).expect("16 bits"),
        jt: 0,
        jf: 0,
        k: ALLOW,
    }];
    let program = libc::sock_fprog {
        len: 1,
        filter: program.as_mut_ptr(),
    };
    let flags = if all_threads {
        libc::SECCOMP_FILTER_FLAG_TSYNC
    } else {
        0
    };
    // SAFETY: no memory is involved.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(result, 0, "no_new_privs");
    // SAFETY: the program is read before the call returns.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const program,
        )
    };
    assert_eq!(result, 0, "seccomp");
}

/// Gives up root for good.
pub(crate) fn become_nobody() {
    const NOBODY: u32 = 65534;
    // SAFETY: no memory is involved.
    let result = unsafe { libc::setresgid(NOBODY, NOBODY, NOBODY) };
    assert_eq!(result, 0, "setresgid");
    // SAFETY: no memory is involved.
    let result = unsafe { libc::setresuid(NOBODY, NOBODY, NOBODY) };
    assert_eq!(result, 0, "setresuid");
}

/// How many open files and mappings keep the module loaded.
pub(crate) fn module_users() -> u32 {
    let modules = fs::read_to_string("/proc/modules").expect("proc is mounted");
    let line = modules
        .lines()
        .find(|line| line.starts_with("esca "))
        .expect("the module is loaded");
    let users = line.split(' ').nth(2).expect("third field");
    users.parse().expect("a number")
}

/// A line of `/proc/meminfo`, in KiB.
pub(crate) fn memory(field: &str) -> i64 {
    let text = fs::read_to_string("/proc/meminfo").expect("proc is mounted");
    let line = text
        .lines()
        .find(|line| line.starts_with(field))
        .unwrap_or_else(|| panic!("no {field}"));
    let number = line.split_whitespace().nth(1).expect("second field");
    number.parse().expect("a number")
}
