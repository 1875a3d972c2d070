//! How much is done: seconds for every change, minutes where there is time.

/// Counts of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Everything is done so often.
    pub(crate) rounds: usize,
    /// Connections held at once.
    pub(crate) connections: usize,
    /// Transfers that the client breaks off.
    pub(crate) aborts: usize,
    /// Requests of each client under load.
    pub(crate) load: usize,
}

impl Scale {
    pub(crate) fn of_this_run() -> Self {
        if std::env::var_os("ESCA_BATTERY").is_some_and(|value| value == "long") {
            Self {
                rounds: 3,
                connections: 10_000,
                aborts: 100,
                load: 2000,
            }
        } else {
            Self {
                rounds: 1,
                connections: 1000,
                aborts: 12,
                load: 150,
            }
        }
    }
}
