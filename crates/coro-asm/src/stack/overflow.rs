//! The message of an overflow: a signal handler that knows the guard pages.
//!
//! The only process-wide state of this crate, and only there when a pool asks for it.

use core::fmt::{self, Write};
use core::ptr;
use core::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::Once;

use super::StackError;

/// How many pools can be known at a time.
const POOLS: usize = 64;

/// Where one pool's guards are. A handler on another thread may see a mixture of two pools while a place changes hands; then
/// its message is wrong or missing, and nothing else.
struct Place {
    start: AtomicUsize,
    slots: AtomicUsize,
    stride: AtomicUsize,
    guard_size: AtomicUsize,
}

static PLACES: [Place; POOLS] = [const {
    Place {
        start: AtomicUsize::new(0),
        slots: AtomicUsize::new(0),
        stride: AtomicUsize::new(0),
        guard_size: AtomicUsize::new(0),
    }
}; POOLS];

/// The action that was there before this one.
static PREVIOUS_HANDLER: AtomicUsize = AtomicUsize::new(libc::SIG_DFL);
static PREVIOUS_FLAGS: AtomicI32 = AtomicI32::new(0);
static INSTALL: Once = Once::new();

/// A pool's place in the table, until it is dropped.
#[derive(Debug)]
pub(super) struct Registration {
    index: usize,
}

/// The addresses of a pool.
pub(super) struct Range {
    pub(super) start: usize,
    pub(super) slots: usize,
    pub(super) stride: usize,
    pub(super) guard_size: usize,
}

impl Registration {
    pub(super) fn new(range: &Range) -> Result<Self, StackError> {
        let index = PLACES
            .iter()
            .position(|place| {
                place
                    .start
                    .compare_exchange(0, range.start, Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok()
            })
            .ok_or(StackError::TooManyReports { limit: POOLS })?;
        let place = &PLACES[index];
        place.stride.store(range.stride, Ordering::Relaxed);
        place.guard_size.store(range.guard_size, Ordering::Relaxed);
        place.slots.store(range.slots, Ordering::Release);
        INSTALL.call_once(install);
        Ok(Self { index })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let place = &PLACES[self.index];
        place.slots.store(0, Ordering::Relaxed);
        place.start.store(0, Ordering::Release);
    }
}

fn install() {
    // SAFETY: a zeroed sigaction is a valid one.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    action.sa_sigaction = handle as *const () as usize;
    // On the alternate stack, because the coroutine's has no room; every thread of the standard library has one.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: a zeroed sigaction is a valid one.
    let mut previous: libc::sigaction = unsafe { core::mem::zeroed() };
    // Asked first, for the new handler may be called as soon as it is there.
    // SAFETY: `previous` is a place for the answer.
    unsafe { libc::sigaction(libc::SIGSEGV, ptr::null(), &raw mut previous) };
    // It will be called from the new one, under the mask that it counts on.
    action.sa_mask = previous.sa_mask;
    PREVIOUS_FLAGS.store(previous.sa_flags, Ordering::Relaxed);
    PREVIOUS_HANDLER.store(previous.sa_sigaction, Ordering::Release);
    // SAFETY: it points to a sigaction, and `handle` does only what a signal handler may.
    unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut()) };
}

/// Tells of an overflow, then does what would have happened without this handler.
///
/// It calls nothing but `write`, `sigaction` and `raise`, all of which POSIX lets a signal handler call (`signal-safety(7)`), takes no
/// lock and allocates nothing.
extern "C" fn handle(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo.
    let info_ref = unsafe { &*info };
    // What a process has sent holds its number instead of an address (`sigaction(2)`).
    let sent = info_ref.si_code <= 0;
    // SAFETY: a fault has an address, and of anything else it is not used.
    let address = unsafe { info_ref.si_addr() }.addr();
    if !sent && let Some((slot, stack_size)) = find(address) {
        let mut message = Message {
            bytes: [0; 256],
            len: 0,
        };
        // The buffer holds any three numbers.
        let _ = writeln!(
            message,
            "\ncoroutine on stack {slot} of its pool has overflowed its stack of {stack_size} bytes (at {address:#x})"
        );
        // SAFETY: it is this thread's, for as long as the thread runs.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: as above. The handler before this one may go on with the program.
        let errno_before = unsafe { errno.read() };
        // SAFETY: the bytes are in the buffer. Nothing can be done about an error.
        unsafe { libc::write(libc::STDERR_FILENO, message.bytes.as_ptr().cast(), message.len) };
        // SAFETY: as above.
        unsafe { errno.write(errno_before) };
    }
    chain(signal, info, context, sent);
}

fn find(address: usize) -> Option<(usize, usize)> {
    PLACES.iter().find_map(|place| {
        let slots = place.slots.load(Ordering::Acquire);
        let stride = place.stride.load(Ordering::Relaxed);
        let guard_size = place.guard_size.load(Ordering::Relaxed);
        let offset = address.checked_sub(place.start.load(Ordering::Relaxed))?;
        let slot = offset.checked_div(stride)?;
        (slot < slots && offset % stride < guard_size).then_some((slot, stride.saturating_sub(guard_size)))
    })
}

fn chain(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void, sent: bool) {
    let previous = PREVIOUS_HANDLER.load(Ordering::Acquire);
    let flags = PREVIOUS_FLAGS.load(Ordering::Relaxed);
    match previous {
        libc::SIG_IGN if sent => {}
        // The instruction faults again when this returns; ignoring a fault is not possible.
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: a zeroed sigaction is the default one.
            let default: libc::sigaction = unsafe { core::mem::zeroed() };
            // SAFETY: it points to a sigaction.
            unsafe { libc::sigaction(signal, &raw const default, ptr::null_mut()) };
            if sent {
                // Nothing will fault again. The signal is blocked until this returns.
                // SAFETY: it has no requirements.
                unsafe { libc::raise(signal) };
            }
        }
        handler if flags & libc::SA_SIGINFO != 0 => {
            type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
            // SAFETY: with this flag the field holds such a function.
            let handler = unsafe { core::mem::transmute::<usize, Handler>(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: without the flag the field holds such a function.
            let handler = unsafe { core::mem::transmute::<usize, extern "C" fn(libc::c_int)>(handler) };
            handler(signal);
        }
    }
}

/// Text without an allocator, for a signal handler must not use one.
struct Message {
    bytes: [u8; 256],
    len: usize,
}

impl Write for Message {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.bytes[self.len..];
        let count = room.len().min(text.len());
        room[..count].copy_from_slice(&text.as_bytes()[..count]);
        self.len += count;
        Ok(())
    }
}
