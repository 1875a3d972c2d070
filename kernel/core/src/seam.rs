//! What the C side calls, and what it is called for. The other half is `kernel/glue/esca.h`.

use core::ffi::{c_int, c_long, c_ulong, c_void};
use core::panic::PanicInfo;
use core::ptr::NonNull;
use core::slice;
use core::sync::atomic::{AtomicUsize, Ordering};

use batch_table::{Call, Entry, Errno, Features, HEADER_SIZE, Table, table_size};

use crate::{Host, Verdict, flush};

unsafe extern "C" {
    /// 0: go on, 1: a signal is pending, 2: the task is watched.
    fn esca_host_check() -> c_int;
    fn esca_host_may_wait(nr: u32, args: *const [u64; 6]) -> bool;
    fn esca_host_call(device: *mut c_void, nr: u32, args: *const [u64; 6]) -> c_long;
    fn esca_host_panic();
}

/// A word that the kernel changes when this task ought to look up, and the bits of it that mean so.
#[repr(C)]
pub(crate) struct Sign {
    word: NonNull<AtomicUsize>,
    mask: usize,
}

/// The C side: the open file that is flushed, and what to look at between two entries.
struct Glue<'a> {
    device: NonNull<c_void>,
    signs: &'a [Sign; 2],
}

impl Glue<'_> {
    /// Asks the C side what the signs mean; it lets other tasks run where it is that.
    #[cold]
    fn look_up() -> Verdict {
        // SAFETY: the function takes nothing and may be called by any task that is inside of a system call.
        match unsafe { esca_host_check() } {
            0 => Verdict::Go,
            1 => Verdict::Signal,
            _ => Verdict::Watched,
        }
    }
}

impl Host for Glue<'_> {
    #[inline]
    fn check(&mut self) -> Verdict {
        for sign in self.signs {
            // SAFETY: a word of the running task, which lives as long as it runs; the kernel changes it atomically.
            let word = unsafe { sign.word.as_ref() };
            if word.load(Ordering::Relaxed) & sign.mask != 0 {
                return Self::look_up();
            }
        }
        Verdict::Go
    }

    #[inline]
    fn may_wait(&mut self, call: &Call) -> bool {
        // SAFETY: six words that this side owns are read, and only before it returns.
        unsafe { esca_host_may_wait(call.nr, &raw const call.args) }
    }

    #[inline]
    fn call(&mut self, call: &Call) -> i64 {
        // SAFETY: the pointer is what C gave to `esca_core_flush`, which has not returned; the words are as in `may_wait`.
        // A number without a handler is refused on the other side.
        unsafe { esca_host_call(self.device.as_ptr(), call.nr, &raw const call.args) }
    }
}

/// Bytes that a table of `capacity` entries takes, or 0 where there is no such table.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn esca_core_size(capacity: c_ulong) -> usize {
    u32::try_from(capacity)
        .ok()
        .and_then(|capacity| table_size(capacity).ok())
        .unwrap_or(0)
}

/// The features that tables of this module have.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn esca_core_features() -> u64 {
    Features::KNOWN.to_raw()
}

/// Writes the header of a table.
///
/// # Safety
///
/// - `memory` starts `len` bytes that are zero, may be written, and that nobody else uses yet.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn esca_core_init(memory: NonNull<u8>, len: usize, capacity: u32) -> bool {
    // SAFETY: initialised, exclusive memory by the caller's promise, which outlives this function.
    unsafe { Table::init_raw(memory, len, capacity, Features::KNOWN) }.is_ok()
}

/// Runs the entries that `argument` names: how many are finished, or a negated error number.
///
/// # Safety
///
/// - `memory` starts a table that `esca_core_init` made with this `capacity`; it stays mapped until this returns.
/// - `device` is what `esca_host_call` expects.
/// - `signs` points to two words of the running task.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn esca_core_flush(
    memory: NonNull<u8>,
    capacity: u32,
    argument: u64,
    device: NonNull<c_void>,
    signs: NonNull<[Sign; 2]>,
) -> c_long {
    // SAFETY: a table starts with a header of this size.
    let first = unsafe { memory.add(HEADER_SIZE as usize) }.cast::<Entry>();
    // SAFETY: `capacity` entries follow the header; the memory is the kernel's own mapping of pages that user space writes
    // to as well, and entries consist of atomics, for which that is no data race.
    let entries = unsafe { slice::from_raw_parts(first.as_ptr(), capacity as usize) };
    let Ok(table) = Table::resume(entries, Features::KNOWN) else {
        return -c_long::from(Errno::EINVAL.raw());
    };
    // SAFETY: the caller's own structure, which it leaves alone until this returns.
    let signs = unsafe { signs.as_ref() };
    match flush(&table, argument, &mut Glue { device, signs }) {
        Ok(finished) => finished.into(),
        Err(errno) => -c_long::from(errno.raw()),
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: it takes nothing; it ends the task, and is declared as returning because objtool does not know otherwise.
    unsafe { esca_host_panic() };
    trap()
}

fn trap() -> ! {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: an undefined instruction ends the task with a report; no state is touched before it.
    unsafe {
        core::arch::asm!("ud2", options(noreturn))
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above: the immediate is that of the kernel's own BUG().
    unsafe {
        core::arch::asm!("brk #0x800", options(noreturn))
    }
}
