//! Copies of what C programs pass, in memory that is used again.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::slice;

use esca_sys::{Buffer, Errno};
use libc::iovec;

/// Vectors kept for the next payloads, and the largest one that is kept.
const KEPT: usize = 64;
const KEPT_CAPACITY: usize = 64 << 10;

/// Bytes in a C program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes {
    pub(crate) pointer: *const c_void,
    pub(crate) len: usize,
}

impl Bytes {
    /// Whether there can be such bytes. For others the kernel has an error, and gets the arguments as they are.
    pub(crate) fn plausible(self) -> bool {
        (!self.pointer.is_null() || self.len == 0) && isize::try_from(self.len).is_ok()
    }

    /// The bytes; none where they are not [`plausible`](Self::plausible).
    ///
    /// # Safety
    ///
    /// - Where they are plausible and there is at least one, the bytes can be read and do not change for `'b`.
    pub(crate) unsafe fn as_slice<'b>(self) -> &'b [u8] {
        if self.len == 0 || !self.plausible() {
            return &[];
        }
        // SAFETY: the pointer is not null, the length fits in an `isize`, the alignment is 1, and the caller promises the
        // rest.
        unsafe { slice::from_raw_parts(self.pointer.cast(), self.len) }
    }
}

/// Vectors that came back.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    vectors: Vec<Vec<u8>>,
}

impl Pool {
    /// A copy.
    pub(crate) fn copy(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Errno> {
        let mut copy = self.empty(bytes.len())?;
        copy.extend_from_slice(bytes);
        Ok(copy)
    }

    /// One copy of several parts in order. `EINVAL`, as the kernel says, where they are too long together.
    ///
    /// # Safety
    ///
    /// - Each part with a length can be read during the call.
    pub(crate) unsafe fn gather(&mut self, parts: &[iovec]) -> Result<Vec<u8>, Errno> {
        let mut len = 0_usize;
        for part in parts {
            let sum = len.checked_add(part.iov_len);
            len = sum
                .filter(|&sum| isize::try_from(sum).is_ok())
                .ok_or(Errno::EINVAL)?;
        }
        let mut copy = self.empty(len)?;
        for part in parts {
            let bytes = Bytes {
                pointer: part.iov_base,
                len: part.iov_len,
            };
            if !bytes.plausible() {
                return Err(Errno::EFAULT);
            }
            // SAFETY: the caller promises that the part can be read; nothing changes it during this call.
            copy.extend_from_slice(unsafe { bytes.as_slice() });
        }
        Ok(copy)
    }

    fn empty(&mut self, len: usize) -> Result<Vec<u8>, Errno> {
        let mut vector = self.vectors.pop().unwrap_or_default();
        vector.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
        Ok(vector)
    }

    /// Keeps the memory of a buffer that came back.
    pub(crate) fn recycle(&mut self, buffer: Buffer) {
        match buffer.into_vec() {
            Ok(vector) => self.keep(vector),
            Err(other) => {
                if let Ok(mut parts) = other.into_vectored() {
                    for part in parts.drain() {
                        if let Ok(vector) = part.into_vec() {
                            self.keep(vector);
                        }
                    }
                }
            }
        }
    }

    /// Keeps the memory of a copy.
    pub(crate) fn keep(&mut self, mut vector: Vec<u8>) {
        if self.vectors.len() < KEPT && vector.capacity() <= KEPT_CAPACITY {
            vector.clear();
            self.vectors.push(vector);
        }
    }
}

/// Structures that recorded calls point to, each until its call has run.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    /// In the order of the calls, whose tokens stand beside them.
    held: VecDeque<(i64, Vec<u64>)>,
    free: Vec<Vec<u64>>,
}

impl Blocks {
    /// A block to fill; it does not move when it is held.
    pub(crate) fn take(&mut self) -> Vec<u64> {
        self.free.pop().unwrap_or_default()
    }

    /// Holds a block for the call that gets this token.
    pub(crate) fn hold(&mut self, token: i64, block: Vec<u64>) {
        self.held.push_back((token, block));
    }

    /// Takes back the blocks of calls before `token`.
    pub(crate) fn release_before(&mut self, token: i64) {
        while self.held.front().is_some_and(|&(held, _)| held < token) {
            let Some((_, block)) = self.held.pop_front() else {
                return;
            };
            if self.free.len() < KEPT && block.capacity() * size_of::<u64>() <= KEPT_CAPACITY {
                self.free.push(block);
            }
        }
    }
}
