//! The value of the Date field, formatted once a second.

use std::time::{SystemTime, UNIX_EPOCH};

use super::conditional::format_date;

/// Length of an IMF-fixdate (RFC 9110, section 5.6.7).
const LENGTH: usize = 29;

/// A formatted date and the second that it belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Date {
    seconds: u64,
    text: [u8; LENGTH],
}

impl Date {
    pub(crate) fn now() -> Self {
        Self::at(seconds_now())
    }

    fn at(seconds: u64) -> Self {
        let mut text = [b' '; LENGTH];
        let formatted = format_date(seconds);
        for (to, from) in text.iter_mut().zip(formatted.bytes()) {
            *to = from;
        }
        Self { seconds, text }
    }

    /// Formats again when the wall clock shows another second.
    pub(crate) fn refresh(&mut self) {
        let seconds = seconds_now();
        if seconds != self.seconds {
            *self = Self::at(seconds);
        }
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; LENGTH] {
        &self.text
    }
}

fn seconds_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_fixed_length_at_every_age() {
        for seconds in [0, 784_111_777, u64::MAX] {
            assert_eq!(Date::at(seconds).as_bytes(), format_date(seconds).as_bytes());
        }
    }

    #[test]
    fn refresh_follows_the_clock() {
        let mut date = Date::at(1);
        date.refresh();
        assert!(date.seconds > 1_700_000_000);
    }
}
