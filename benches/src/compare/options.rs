use core::time::Duration;

/// How long a comparison may take.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Fewer and shorter rounds: a whole subject ends within two and a half minutes.
    pub quick: bool,
}

impl Options {
    /// Rounds that every contestant runs.
    #[must_use]
    pub const fn rounds(&self) -> usize {
        if self.quick { 15 } else { 51 }
    }

    /// How often [`Report::measure_rebuilt`](super::Report::measure_rebuilt) builds its workload.
    #[must_use]
    pub const fn builds(&self) -> usize {
        if self.quick { 3 } else { 7 }
    }

    /// The time that one round of one contestant is sized to.
    #[must_use]
    pub const fn round_time(&self) -> Duration {
        Duration::from_millis(if self.quick { 3 } else { 8 })
    }
}
