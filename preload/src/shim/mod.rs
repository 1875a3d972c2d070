//! The names of libc that are replaced. Each decides by [`queue::offer`](crate::queue::offer) what has to happen before the call,
//! and then makes it as libc does, thread cancellation and all; or it is deferred.

mod descriptors;
mod files;
mod receive;
mod send;
mod sockets;
mod trampoline;
mod trampolines;
mod wait;

use core::sync::atomic::{AtomicPtr, Ordering};

use libc::{c_char, c_void};

/// A function of libc, looked up when it is first needed.
#[derive(Debug)]
pub(crate) struct Real {
    function: AtomicPtr<c_void>,
    name: &'static str,
}

impl Real {
    /// `name` ends with a zero byte.
    pub(crate) const fn new(name: &'static str) -> Self {
        Self {
            function: AtomicPtr::new(core::ptr::null_mut()),
            name,
        }
    }

    /// The next definition behind this library's.
    #[inline]
    pub(crate) fn get(&self) -> *mut c_void {
        let function = self.function.load(Ordering::Relaxed);
        if function.is_null() { self.find() } else { function }
    }

    #[cold]
    fn find(&self) -> *mut c_void {
        let name: *const c_char = self.name.as_ptr().cast();
        // SAFETY: `name` ends with a zero byte (`new`).
        let mut function = unsafe { libc::dlsym(libc::RTLD_NEXT, name) };
        if function.is_null() {
            function = missing as extern "C" fn() -> isize as *mut c_void;
        }
        self.function.store(function, Ordering::Relaxed);
        function
    }
}

/// What stands in for a function that this libc does not have.
extern "C" fn missing() -> isize {
    crate::sys::set_errno(libc::ENOSYS);
    -1
}

/// Defines functions of libc. `real` makes the call with the arguments as they came. Behind each of them more may have arrived
/// anywhere ([`take`](crate::queue::take)), unless `these see to what was drained;` stands before them.
macro_rules! interpose {
    (these see to what was drained; $($rest:tt)*) => {
        interpose!(@all [] $($rest)*);
    };
    (@all $first:tt $($(#[$meta:meta])* fn $($name:ident)|+ ($($args:tt)*) -> $ret:ty = |$real:ident| $body:block)*) => {
        $(
            interpose!(@each $first [$(#[$meta])*] [$($name)+] ($($args)*) -> $ret = |$real| $body);
        )*
    };
    (@each $first:tt $meta:tt [$($name:ident)+] $args:tt -> $ret:ty = |$real:ident| $body:block) => {
        $(
            interpose!(@one $first $meta $name $args -> $ret = |$real| $body);
        )+
    };
    (@one [$($first:expr)?] [$(#[$meta:meta])*] $name:ident ($($arg:ident: $type:ty),* $(,)?) -> $ret:ty = |$real:ident| $body:block) => {
        $(#[$meta])*
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($arg: $type),*) -> $ret {
            static REAL: $crate::shim::Real = $crate::shim::Real::new(concat!(stringify!($name), "\0"));
            let $real = || {
                // SAFETY: the function of this name in libc has this signature, as its manual page says; or it is `missing`,
                // which takes nothing and returns an integer.
                let function = unsafe {
                    core::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn($($type),*) -> $ret>(REAL.get())
                };
                // SAFETY: the arguments are the program's own, which vouches for them.
                unsafe { function($($arg),*) }
            };
            $($first;)?
            $body
        }
    };
    ($($rest:tt)*) => {
        interpose!(@all [$crate::queue::thread::forget_drained()] $($rest)*);
    };
}
pub(crate) use interpose;

/// Fails with an error.
#[inline]
pub(crate) fn fail<T: From<i8>>(errno: libc::c_int) -> T {
    crate::sys::set_errno(errno);
    T::from(-1)
}
