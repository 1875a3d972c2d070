//! What a call costs through the ring and as a plain call, measured on the machine at hand.
//!
//! A batch saves mode switches. How much that is depends on the processor and on the mitigations that the kernel runs with
//! (about 60 ns without page-table isolation, about 200 ns with it), and the ring has costs of its own, so no fixed number is
//! right everywhere.

use core::time::Duration;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Instant;

use batch_table::{Call, Errno, nr::native as nr};

use super::ring::Ring;
use super::sqe::Sqe;
use crate::{MsgFlags, address};

/// No batch is large enough.
pub(super) const NEVER: u32 = u32::MAX;

const SMALL: u32 = 8;
const LARGE: u32 = 64;
/// The least of so many rounds counts: what disturbs a round only makes it longer.
const ROUNDS: usize = 5;

/// The fewest calls that cost less through the ring than as plain calls, or [`NEVER`].
///
/// The call is a `recv` on an empty socket: it goes all the way to the protocol and back, and changes nothing. Takes well
/// under a millisecond.
pub(super) fn break_even(ring: &mut Ring) -> Result<u32, Errno> {
    let (socket, _peer) = socket_pair()?;
    let fd = u64::try_from(socket.as_raw_fd()).map_err(|_| Errno::EBADF)?;
    let mut byte = 0_u8;
    let flags = MsgFlags::DONTWAIT.bits().into();
    let call = Call::new(nr::RECVFROM, [fd, address(&raw mut byte), 1, flags, 0, 0]);
    let sqe = Sqe::translate(&call).ok_or(Errno::EINVAL)?;

    let mut through_ring = |count: u32| {
        least(|| {
            for index in 0..count {
                ring.put(sqe.tagged(index.into(), false));
            }
            ring.run(|_, _| {});
        })
    };
    let small = through_ring(SMALL);
    let large = through_ring(LARGE);
    let plain = least(|| {
        for _ in 0..LARGE {
            // SAFETY: receives at most one byte into a live variable.
            let _ = unsafe { crate::syscall(call.nr, &call.args) };
        }
    });
    Ok(cross(small, large, plain))
}

/// Where the lines through the two times of the ring and through the time of `LARGE` plain calls cross.
fn cross(small: Duration, large: Duration, plain: Duration) -> u32 {
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let (small, large, plain) = (nanos(small), nanos(large), nanos(plain));
    // Costs of LARGE - SMALL calls.
    let slope = large.saturating_sub(small);
    let plain_slope = plain / u64::from(LARGE) * u64::from(LARGE - SMALL);
    if slope >= plain_slope {
        return NEVER;
    }
    let fixed = small.saturating_sub(slope * u64::from(SMALL) / u64::from(LARGE - SMALL));
    let count = fixed * u64::from(LARGE - SMALL) / (plain_slope - slope) + 1;
    u32::try_from(count).unwrap_or(NEVER).max(2)
}

fn least(mut round: impl FnMut()) -> Duration {
    let mut least = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        round();
        least = least.min(start.elapsed());
    }
    least
}

/// A connected pair of Unix stream sockets.
fn socket_pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    const SOCKETPAIR: u32 = if cfg!(target_arch = "x86_64") { 53 } else { 199 };
    const AF_UNIX: u64 = 1;
    const STREAM_CLOEXEC: u64 = 1 | 0o2_000_000;
    let mut pair = [-1_i32; 2];
    // SAFETY: the kernel writes two ints, to a live array.
    let made = unsafe {
        crate::syscall(
            SOCKETPAIR,
            &[AF_UNIX, STREAM_CLOEXEC, 0, address(&raw mut pair), 0, 0],
        )
    };
    made.into_result()?;
    // SAFETY: just made for us; nobody else owns it.
    let left = unsafe { OwnedFd::from_raw_fd(pair[0]) };
    // SAFETY: as above.
    let right = unsafe { OwnedFd::from_raw_fd(pair[1]) };
    Ok((left, right))
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::{NEVER, cross};

    const fn us(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    #[test]
    fn lines_cross_where_they_should() {
        // Ring: 4 us + 0.5 us a call; plain: 1 us a call. Equal at 8, cheaper from 9 on.
        assert_eq!(cross(us(8), us(36), us(64)), 9);
        // Nothing fixed, and cheaper a call: from the least batch on.
        assert_eq!(cross(us(4), us(32), us(64)), 2);
        // As dear or dearer a call: never.
        assert_eq!(cross(us(8), us(64), us(64)), NEVER);
        assert_eq!(cross(us(9), us(100), us(64)), NEVER);
        // A clock that stands still proves nothing for the ring.
        assert_eq!(cross(us(0), us(0), us(0)), NEVER);
    }
}
