//! What a handler returned, in terms of the table.

use batch_table::{Errno, SysResult};

/// Lowest and highest of the codes that mean "restart me" and must not leave the kernel (`include/linux/errno.h`).
const RESTART: core::ops::RangeInclusive<i64> = -516..=-512;
/// The code that asks for another system call, `restart_syscall`, to go on with what is left of a wait.
const RESTART_BLOCK: i64 = -516;
/// Not a restart, though it stands among them (`ENOIOCTLCMD`).
const NO_IOCTL: i64 = -515;

/// What a handler's return value means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// The call is finished with this result.
    Finished(SysResult),
    /// A signal interrupted the call before it did anything; a plain system call would be restarted.
    Interrupted,
}

impl Answer {
    /// The meaning of what a handler returned.
    ///
    /// A restart block belongs to the task and not to an entry, so what would need one ends with `EINTR`, as it does for
    /// a plain call whose signal has a handler.
    #[inline]
    #[must_use]
    pub fn of(raw: i64) -> Self {
        if RESTART.contains(&raw) {
            match raw {
                RESTART_BLOCK => Self::Finished(SysResult::from_errno(Errno::EINTR)),
                NO_IOCTL => Self::Finished(SysResult::from_errno(Errno::ENOTTY)),
                _ => Self::Interrupted,
            }
        } else {
            Self::Finished(SysResult::from_raw(raw))
        }
    }
}

#[cfg(test)]
mod tests {
    use batch_table::{Errno, SysResult};

    use super::Answer;

    #[test]
    fn no_code_that_is_internal_to_the_kernel_becomes_a_result() {
        for raw in -520..=-508 {
            let answer = Answer::of(raw);
            match raw {
                -514..=-512 => assert_eq!(answer, Answer::Interrupted),
                -515 => assert_eq!(answer, Answer::Finished(SysResult::from_errno(Errno::ENOTTY))),
                -516 => assert_eq!(answer, Answer::Finished(SysResult::from_errno(Errno::EINTR))),
                _ => assert_eq!(answer, Answer::Finished(SysResult::from_raw(raw))),
            }
        }
    }

    #[test]
    fn other_numbers_are_results_as_they_are() {
        for raw in [i64::MIN, -4096, -4095, -1, 0, 1, 512, i64::MAX] {
            assert_eq!(Answer::of(raw), Answer::Finished(SysResult::from_raw(raw)));
        }
    }
}
