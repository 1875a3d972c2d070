//! System calls that the shim makes for itself: directly, so that they neither come back to the shim, nor touch `errno`, nor
//! need anything that a signal handler must not use.

use batch_table::{Call, Errno, SysResult};
use libc::{c_int, c_long, c_void};

/// Makes the system call `nr` with up to six arguments.
///
/// # Safety
///
/// - As for [`esca_sys::syscall`].
#[inline]
pub(crate) unsafe fn call(nr: c_long, args: &[u64]) -> Result<u64, Errno> {
    let mut six = [0; 6];
    for (to, from) in six.iter_mut().zip(args) {
        *to = *from;
    }
    #[cfg(test)]
    if let Some(errno) = crate::queue::tests::faults::intercept(nr, &mut six) {
        return Err(errno);
    }
    let nr = u32::try_from(nr).unwrap_or(u32::MAX);
    // SAFETY: the caller's promise.
    unsafe { esca_sys::syscall(nr, &six) }.into_result()
}

/// Makes a call of a batch.
///
/// # Safety
///
/// - As for [`esca_sys::syscall`].
#[inline]
pub(crate) unsafe fn run(call: &Call) -> SysResult {
    #[cfg(test)]
    let call = &mut call.clone();
    #[cfg(test)]
    if let Some(errno) = crate::queue::tests::faults::intercept(call.nr.into(), &mut call.args) {
        return SysResult::from_errno(errno);
    }
    // SAFETY: the caller's promise.
    unsafe { esca_sys::syscall(call.nr, &call.args) }
}

/// An `int` as the kernel takes it.
#[inline]
pub(crate) const fn int(value: c_int) -> u64 {
    (value as i64).cast_unsigned()
}

/// An address as the kernel takes it.
#[inline]
pub(crate) fn address<T>(pointer: *const T) -> u64 {
    pointer.expose_provenance() as u64
}

/// The value of `getsockopt` for an option of type `int`.
pub(crate) fn socket_option(fd: c_int, level: c_int, name: c_int) -> Result<c_int, Errno> {
    let mut value: c_int = 0;
    let mut len: libc::socklen_t = 4;
    let args = [
        int(fd),
        int(level),
        int(name),
        address(&raw mut value),
        address(&raw mut len),
    ];
    // SAFETY: the kernel writes at most `len` bytes to `value`, and `len`; both are live and of that size.
    unsafe { call(libc::SYS_getsockopt, &args) }?;
    Ok(value)
}

/// Sets an option of type `int`.
pub(crate) fn set_socket_option(fd: c_int, level: c_int, name: c_int, value: c_int) -> Result<u64, Errno> {
    let args = [int(fd), int(level), int(name), address(&raw const value), 4];
    // SAFETY: the kernel reads the four bytes of `value`, which is live.
    unsafe { call(libc::SYS_setsockopt, &args) }
}

/// What `SO_MEMINFO` says that is of interest here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SendMemory {
    pub(crate) used: u32,
    pub(crate) limit: u32,
}

/// How much of a socket's send buffer is in use, as the kernel counts it.
pub(crate) fn send_memory(fd: c_int) -> Result<SendMemory, Errno> {
    #[cfg(test)]
    if crate::queue::tests::faults::lies() {
        return Ok(SendMemory {
            used: 0,
            limit: 1 << 30,
        });
    }
    const SO_MEMINFO: c_int = 55;
    const WMEM_ALLOC: usize = 2;
    const SNDBUF: usize = 3;
    const WMEM_QUEUED: usize = 5;
    let mut words = [0_u32; 9];
    let mut len: libc::socklen_t = 36;
    let args = [
        int(fd),
        int(libc::SOL_SOCKET),
        int(SO_MEMINFO),
        address(words.as_mut_ptr()),
        address(&raw mut len),
    ];
    // SAFETY: the kernel writes at most the 36 bytes of `words`, and `len`; both are live.
    unsafe { call(libc::SYS_getsockopt, &args) }?;
    if len < 24 {
        return Err(Errno::EOPNOTSUPP);
    }
    Ok(SendMemory {
        used: words[WMEM_ALLOC].max(words[WMEM_QUEUED]),
        limit: words[SNDBUF],
    })
}

/// Flags of an open file, as `F_GETFL` gives them.
pub(crate) fn file_flags(fd: c_int) -> Result<c_int, Errno> {
    // SAFETY: reads the flags of a descriptor and touches no memory.
    let flags = unsafe { call(libc::SYS_fcntl, &[int(fd), int(libc::F_GETFL)]) }?;
    Ok(c_int::try_from(flags).unwrap_or(0))
}

/// Whether a descriptor is open on a regular file.
pub(crate) fn is_regular(fd: c_int) -> bool {
    let mut stat = core::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the kernel fills the `stat`, which is live and of its layout.
    let done = unsafe { call(libc::SYS_fstat, &[int(fd), address(stat.as_mut_ptr())]) };
    // SAFETY: zeroed at first, and all zeros is a value of this struct of integers; the kernel wrote another one.
    let stat = unsafe { stat.assume_init() };
    done.is_ok() && stat.st_mode & libc::S_IFMT == libc::S_IFREG
}

/// Whether this process may read and write what is at a path.
pub(crate) fn may_use(path: &core::ffi::CStr) -> bool {
    let args = [
        int(libc::AT_FDCWD),
        address(path.as_ptr()),
        int(libc::R_OK | libc::W_OK),
    ];
    // SAFETY: the kernel reads a C string.
    unsafe { call(libc::SYS_faccessat, &args) }.is_ok()
}

/// A signal mask, as the kernel has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignalMask(u64);

/// Blocks every signal on this thread until [`restore_signals`].
#[inline]
pub(crate) fn block_signals() -> SignalMask {
    let mut old = 0_u64;
    let all = !0_u64;
    let args = [
        int(libc::SIG_BLOCK),
        address(&raw const all),
        address(&raw mut old),
        8,
    ];
    // SAFETY: the kernel reads and writes eight bytes, both live. A mask of this thread that is put back soon is seen by
    // nobody.
    let _ = unsafe { call(libc::SYS_rt_sigprocmask, &args) };
    SignalMask(old)
}

/// Puts a mask back.
#[inline]
pub(crate) fn restore_signals(mask: SignalMask) {
    let args = [int(libc::SIG_SETMASK), address(&raw const mask.0), 0, 8];
    // SAFETY: the kernel reads eight live bytes.
    let _ = unsafe { call(libc::SYS_rt_sigprocmask, &args) };
}

/// Asks the scheduler to let this thread run soon after it wakes up, at the price of running briefly: it is one that hardly
/// runs. Its priority stays the program's. Kernels before 6.12 know no such wish and leave things as they are.
pub(crate) fn be_prompt() {
    const SLICE_NS: u64 = 100_000;
    // size, policy, flags, nice, priority, runtime, ... : `struct sched_attr` of sched_setattr(2)
    let mut attributes = [0_u64; 6];
    let size = size_of_val(&attributes) as u64;
    // SAFETY: the kernel writes at most `size` bytes to the attributes of this thread, which are live.
    let got = unsafe {
        call(
            libc::SYS_sched_getattr,
            &[0, address(attributes.as_mut_ptr()), size, 0],
        )
    };
    let policy = attributes[0] >> 32;
    if got.is_ok() && policy == libc::SCHED_OTHER as u64 {
        attributes[3] = SLICE_NS;
        // SAFETY: the kernel reads `size` live bytes, as their first word says.
        let _ = unsafe { call(libc::SYS_sched_setattr, &[0, address(attributes.as_ptr()), 0]) };
    }
    // The slack of a timer would be 50 microseconds.
    // SAFETY: touches no memory.
    let _ = unsafe { call(libc::SYS_prctl, &[int(libc::PR_SET_TIMERSLACK), 1]) };
}

/// Sleeps.
pub(crate) fn sleep_ns(nanoseconds: i64) {
    let time = [0_i64, nanoseconds];
    // SAFETY: the kernel reads the two words of a `timespec`, which are live.
    let _ = unsafe { call(libc::SYS_nanosleep, &[address(time.as_ptr()), 0]) };
}

/// Waits while the word has this value, until woken.
pub(crate) fn futex_wait(word: &core::sync::atomic::AtomicU32, value: u32) {
    const FUTEX_WAIT_PRIVATE: c_int = 128;
    let args = [address(word.as_ptr()), int(FUTEX_WAIT_PRIVATE), value.into(), 0];
    // SAFETY: the kernel reads the word, which is live.
    let _ = unsafe { call(libc::SYS_futex, &args) };
}

/// Wakes one that waits on the word.
pub(crate) fn futex_wake(word: &core::sync::atomic::AtomicU32) {
    const FUTEX_WAKE_PRIVATE: c_int = 129;
    // SAFETY: the kernel uses the word's address as a name only.
    let _ = unsafe {
        call(
            libc::SYS_futex,
            &[address(word.as_ptr()), int(FUTEX_WAKE_PRIVATE), 1],
        )
    };
}

/// New zeroed memory of `len` bytes, page-aligned, or `None`.
pub(crate) fn map(len: usize) -> Option<core::ptr::NonNull<u8>> {
    let args = [
        0,
        len as u64,
        int(libc::PROT_READ | libc::PROT_WRITE),
        int(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS),
        u64::MAX,
        0,
    ];
    // SAFETY: a new mapping at an address of the kernel's choice replaces nothing.
    let start = unsafe { call(libc::SYS_mmap, &args) }.ok()?;
    let start = core::ptr::with_exposed_provenance_mut(usize::try_from(start).ok()?);
    core::ptr::NonNull::new(start)
}

/// Gives memory back.
///
/// # Safety
///
/// - `start` and `len` are those of a [`map`], and nothing uses the memory any more.
pub(crate) unsafe fn unmap(start: *mut u8, len: usize) {
    // SAFETY: the caller's promise.
    let _ = unsafe { call(libc::SYS_munmap, &[address(start), len as u64]) };
}

/// Has the kernel zero these pages in every child process that gets a copy of them.
///
/// # Safety
///
/// - `start` and `len` are whole pages of a [`map`].
pub(crate) unsafe fn wipe_on_fork(start: *mut u8, len: usize) -> bool {
    const MADV_WIPEONFORK: c_int = 18;
    // SAFETY: changes nothing in this process.
    unsafe {
        call(
            libc::SYS_madvise,
            &[address(start), len as u64, int(MADV_WIPEONFORK)],
        )
    }
    .is_ok()
}

/// Writes a text to a descriptor, as far as it goes.
pub(crate) fn print(fd: c_int, text: &[u8]) {
    let args = [int(fd), address(text.as_ptr()), text.len() as u64];
    // SAFETY: the kernel reads the bytes of `text`.
    let _ = unsafe { call(libc::SYS_write, &args) };
}

/// Sets `errno` of this thread.
#[inline]
pub(crate) fn set_errno(errno: c_int) {
    // SAFETY: takes no argument and gives the address of this thread's own word.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: the thread's own word, live as long as the thread.
    unsafe { *place = errno };
}

/// `errno` of this thread.
#[inline]
pub(crate) fn errno() -> c_int {
    // SAFETY: takes no argument and gives the address of this thread's own word.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: the thread's own word, live as long as the thread.
    unsafe { *place }
}

/// Whether an address may be one of the program's. The first page and the kernel's half never are: a plain call fails with
/// `EFAULT` there.
#[inline]
pub(crate) fn is_plausible(pointer: *const c_void) -> bool {
    pointer.addr().cast_signed() >= 4096
}
