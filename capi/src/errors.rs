//! Errors on their way to C: negated numbers, and words.

use std::ffi::{CString, c_int};

use esca_sys::{ChoiceError, Errno, SegmentError};

/// A negated error number.
pub(crate) fn negated(errno: Errno) -> i64 {
    -i64::from(errno.raw())
}

/// As [`negated`], as the `int` that most C functions return.
pub(crate) fn negated_int(errno: Errno) -> c_int {
    -c_int::from(errno.raw())
}

/// Why a thread could not be prepared: a number and a sentence.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) errno: Errno,
    pub(crate) text: CString,
}

impl Failure {
    fn new(errno: Errno, error: &dyn core::error::Error) -> Self {
        // A name from the environment has no NUL in it; should a sentence have one, the number alone remains.
        let text = CString::new(error.to_string()).unwrap_or_default();
        Self { errno, text }
    }
}

impl From<ChoiceError> for Failure {
    fn from(error: ChoiceError) -> Self {
        let errno = match &error {
            ChoiceError::Uring(errno) => *errno,
            ChoiceError::Kernel(_) => Errno::ENODEV,
            _ => Errno::EINVAL,
        };
        Self::new(errno, &error)
    }
}

impl From<SegmentError> for Failure {
    fn from(error: SegmentError) -> Self {
        let errno = match &error {
            SegmentError::Memory(errno) => *errno,
            _ => Errno::EINVAL,
        };
        Self::new(errno, &error)
    }
}
