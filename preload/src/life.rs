//! Start, fork and end of a process.

use core::sync::atomic::Ordering;

use crate::process;
use crate::queue::{company, engine, own, remainder, take, thread};
use crate::settings;
use crate::stats::{self, Reason};

#[cfg(not(test))]
#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn() = start;

#[cfg(not(test))]
#[used]
#[unsafe(link_section = ".fini_array")]
static END: extern "C" fn() = end;

extern "C" fn start() {
    if settings::is_off() || !process::set_up() {
        return;
    }
    settings::read();
    company::set_lone(!settings::learns() || settings::expects_executor());
    // SAFETY: null or a copy that is never freed.
    unsafe { stats::set_up(settings::copy(c"ESCA_STATS")) };
    own::make_key();
    take::set_up();
    // SAFETY: functions that stay loaded with this library, which is never unloaded: it was preloaded.
    unsafe { libc::pthread_atfork(Some(before_fork), None, Some(in_child)) };
}

/// The program ends: what is queued is sent, and nothing more is deferred.
pub(crate) extern "C" fn end() {
    if let Some(process) = process::get() {
        process.ending.store(1, Ordering::Release);
        engine::flush_all(process, Reason::Process);
        if process.remainders.load(Ordering::Acquire) != 0 {
            remainder::finish(process, None);
        }
        stats::print();
    }
}

/// Everything is sent before a child is made, and what the child shares is not deferred on any more.
pub(crate) extern "C" fn before_fork() {
    thread::forget_drained();
    if let Some(process) = process::get() {
        process.share_all();
        engine::flush_all(process, Reason::Process);
    }
}

extern "C" fn in_child() {
    stats::reset();
    // The kernel has emptied the tables; the thread's own notes are of its parent.
    thread::set_open(false);
}
