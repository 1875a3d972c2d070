//! The interleaved comparison: workloads, their contestants, the rounds, the report.
//!
//! A virtual machine drifts between speeds from one second to the next, so two contestants measured one after
//! the other say little about each other. Here every round runs each contestant for a few milliseconds, in an
//! order that rotates from round to round, and a ratio is taken inside a round before it is summarised.

mod clock;
mod options;
mod pin;
mod report;
mod samples;
mod workload;

pub use options::Options;
pub use pin::{allowed_cpus, pin_to};
pub use report::Report;
pub use samples::{Comparison, Samples};
pub use workload::{Contestant, TRACED_FUNCTION, Workload};
