//! Which process a thread's state belongs to.
//!
//! A forked child has a copy of everything but of what the kernel keeps back: the table of `/dev/esca` is not mapped there,
//! and the ring of io_uring is the parent's. So the child forgets the state and makes its own.

use std::ffi::c_int;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

type Handler = extern "C" fn();

unsafe extern "C" {
    // POSIX.1-2017, pthread_atfork(); all three may be null.
    fn pthread_atfork(prepare: Option<Handler>, parent: Option<Handler>, child: Option<Handler>) -> c_int;
}

static GENERATION: AtomicU32 = AtomicU32::new(0);
static REGISTERED: Once = Once::new();

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// How many forks, since the first call, led to this process; what was made before that call does not exist.
pub(crate) fn generation() -> u32 {
    REGISTERED.call_once(|| {
        // SAFETY: the handler is a function of this library, and a C library takes the handlers of a library away with it
        // when that is unloaded. All it does is one atomic addition, which is safe in the child of any program. The only
        // error is that there is no memory; then a child is not told, as if it had been made by clone().
        unsafe { pthread_atfork(None, None, Some(in_child)) };
    });
    GENERATION.load(Ordering::Relaxed)
}
