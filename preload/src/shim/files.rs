//! Calls that open files.

use libc::{c_char, c_int, mode_t};

use super::interpose;
use crate::queue::{known, offer};

fn made(fd: c_int) -> c_int {
    if fd >= 0 {
        known::made(fd);
    }
    fd
}

interpose! {
    fn open | open64 | __open | __open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int = |real| {
        let _ = (path, flags, mode);
        offer::numbers();
        made(real())
    }

    fn __open_2 | __open64_2(path: *const c_char, flags: c_int) -> c_int = |real| {
        let _ = (path, flags);
        offer::numbers();
        made(real())
    }

    fn openat | openat64(folder: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int = |real| {
        let _ = (folder, path, flags, mode);
        offer::numbers();
        made(real())
    }

    fn __openat_2 | __openat64_2(folder: c_int, path: *const c_char, flags: c_int) -> c_int = |real| {
        let _ = (folder, path, flags);
        offer::numbers();
        made(real())
    }

    fn creat | creat64(path: *const c_char, mode: mode_t) -> c_int = |real| {
        let _ = (path, mode);
        offer::numbers();
        made(real())
    }
}
