use core::ffi::c_void;
use core::ptr;

use anyhow::{Context, Result};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

use crate::proc;

const BYTES: usize = 3 << 29;
/// What must be available for it.
const NEEDED: u64 = 6 << 30;

/// Memory that is held so that nobody gets it.
///
/// The kernel gives the scraps first that other programs have left, single pages here and there. Those take so much longer to
/// translate on a virtual machine that a contestant's time would be that of the scraps it got.
#[derive(Debug)]
pub(super) struct Ballast(*mut c_void);

impl Ballast {
    /// Takes a gibibyte and a half, where there is plenty.
    pub(super) fn take() -> Result<Option<Self>> {
        if proc::available_bytes()? < NEEDED {
            println!("too little memory is available to leave the scraps of it aside\n");
            return Ok(None);
        }
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::POPULATE;
        // SAFETY: the address is left to the kernel, so no existing mapping is replaced.
        let start =
            unsafe { mmap_anonymous(ptr::null_mut(), BYTES, ProtFlags::READ | ProtFlags::WRITE, flags) };
        Ok(Some(Self(start.context("cannot map ballast")?)))
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this length, and nobody has a pointer into it.
        let unmapped = unsafe { munmap(self.0, BYTES) };
        debug_assert!(unmapped.is_ok());
    }
}
