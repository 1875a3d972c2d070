//! Results in the kernel's convention.

use core::fmt;

use crate::Errno;

/// What a system call returned, all 64 bits of it.
///
/// `-4095..=-1` are errors (the negated [`Errno`]); everything else is a value, including numbers below -4095, which
/// are addresses. It is a plain number because a value that nobody foresaw must not be undefined behaviour.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[repr(transparent)]
pub struct SysResult(i64);

impl SysResult {
    /// The result of an entry that did not run.
    pub const CANCELED: Self = Self::from_errno(Errno::ECANCELED);

    /// The result for a number as the kernel returns it.
    #[inline]
    #[must_use]
    pub const fn from_raw(raw: i64) -> Self {
        Self(raw)
    }

    /// The number as the kernel returned it.
    #[inline]
    #[must_use]
    pub const fn to_raw(self) -> i64 {
        self.0
    }

    /// The failure with this error.
    #[inline]
    #[must_use]
    pub const fn from_errno(errno: Errno) -> Self {
        Self(-(errno.raw() as i64))
    }

    /// Value or error.
    ///
    /// # Errors
    ///
    /// The error of the call where the number is in `-4095..=-1`.
    #[inline]
    pub const fn into_result(self) -> Result<u64, Errno> {
        match self.errno() {
            Some(errno) => Err(errno),
            None => Ok(self.0.cast_unsigned()),
        }
    }

    /// The error, if it is one.
    #[inline]
    #[must_use]
    pub const fn errno(self) -> Option<Errno> {
        if self.is_err() {
            Errno::from_raw(self.0.unsigned_abs())
        } else {
            None
        }
    }

    /// Whether the call failed.
    #[inline]
    #[must_use]
    pub const fn is_err(self) -> bool {
        self.0 < 0 && self.0 >= -(Errno::MAX as i64)
    }

    /// Whether the call succeeded.
    #[inline]
    #[must_use]
    pub const fn is_ok(self) -> bool {
        !self.is_err()
    }

    /// Whether the result is `-ECANCELED`: the entry did not run because its chain broke before it, or because
    /// its batch was given up.
    #[inline]
    #[must_use]
    pub const fn is_canceled(self) -> bool {
        self.0 == Self::CANCELED.0
    }
}

impl fmt::Debug for SysResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.into_result() {
            Ok(value) => write!(f, "SysResult({value})"),
            Err(errno) => write!(f, "SysResult(-{errno})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SysResult;
    use crate::Errno;

    #[test]
    fn errors_are_exactly_the_last_4095_numbers() {
        for raw in -4095..=-1_i64 {
            let result = SysResult::from_raw(raw);
            assert!(result.is_err() && !result.is_ok());
            assert_eq!(result.errno().map(|errno| -i64::from(errno.raw())), Some(raw));
            assert_eq!(SysResult::from_errno(result.errno().unwrap()), result);
        }
        for raw in [i64::MIN, -4097, -4096, 0, 1, i64::from(u32::MAX) + 1, i64::MAX] {
            let result = SysResult::from_raw(raw);
            assert!(result.is_ok());
            assert_eq!(result.into_result(), Ok(raw.cast_unsigned()));
        }
    }

    #[test]
    fn canceled_is_its_own_error() {
        assert!(SysResult::CANCELED.is_canceled());
        assert_eq!(SysResult::CANCELED.errno(), Some(Errno::ECANCELED));
        assert!(!SysResult::from_errno(Errno::EINTR).is_canceled());
    }
}
