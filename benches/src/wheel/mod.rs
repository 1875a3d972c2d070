//! Timers: `tickless-wheel`, other ways to keep deadlines, and the seven schemes of Varghese and Lauck's paper.

mod bit_wheel;
mod delay_queue;
mod figures;
mod heap;
mod hierarchical_hash;
mod ours;
mod schemes;
mod timers;
mod tree;
mod workloads;

use std::rc::Rc;

use anyhow::Result;

pub use bit_wheel::BitWheel;
pub use delay_queue::TokioDelayQueue;
pub use heap::Heap;
pub use hierarchical_hash::HierarchicalHash;
pub use ours::Ours;
pub use schemes::{Scheme1, Scheme2, Scheme4, Scheme5, Scheme6};
pub use timers::Timers;
pub use tree::Tree;

use crate::compare::{Options, Report, Workload};
use workloads::{Fill, Hold, Rearm, Server, shuffled};

/// A workload of ours and a row of rivals, each made by the same generic expression.
macro_rules! contest {
    ($workload:expr, [$($rival:ty),*], |$timers:ident| $pass:expr) => {{
        let workload = $workload;
        let workload = {
            type $timers = Ours;
            workload.ours(<Ours as Timers>::NAME, $pass)
        };
        $(let workload = {
            type $timers = $rival;
            workload.rival(<$rival as Timers>::NAME, $pass)
        };)*
        workload
    }};
}

/// The same for passes that use their timers up: state, preparation, pass.
macro_rules! contest_prepared {
    ($workload:expr, [$($rival:ty),*], |$timers:ident| ($state:expr, $prepare:expr, $pass:expr)) => {{
        let workload = $workload;
        let workload = {
            type $timers = Ours;
            workload.ours_prepared(<Ours as Timers>::NAME, $state, $prepare, $pass)
        };
        $(let workload = {
            type $timers = $rival;
            workload.rival_prepared(<$rival as Timers>::NAME, $state, $prepare, $pass)
        };)*
        workload
    }};
}

/// `SUBJECT.1e3` for a thousand timers.
fn key(workload: &str, timers: usize) -> String {
    format!("wheel.{workload}.1e{}", timers.ilog10())
}

/// The server's keep-alive: 15 s idle timeouts, pushed back by random connections, a hundredth of them each millisecond.
///
/// Without the delay queue, whose clock is moved by its runtime, at a cost of its own that these few timers a turn would
/// not hide.
#[must_use]
pub fn rearm(connections: u32) -> Workload<'static> {
    let rearm = Rearm::new(connections);
    let workload = Workload::new(key("rearm", connections as usize), rearm.operations());
    match connections {
        ..10_000 => contest!(workload, [Heap, Tree, HierarchicalHash, BitWheel], |T| rearm
            .pass::<T>()),
        10_000..=100_000 => contest!(workload, [Heap, Tree], |T| rearm.pass::<T>()),
        _ => contest!(workload.warmed(), [Heap], |T| rearm.pass::<T>()),
    }
}

/// The same in passes before each of which something else has filled the caches.
#[must_use]
pub fn rearm_cold(connections: u32) -> Workload<'static> {
    let rearm = Rearm::new(connections);
    let workload = Workload::new(key("rearm_cold", connections as usize), rearm.operations());
    contest_prepared!(workload, [Heap], |T| (
        (vec![0_u8; 64 << 20], rearm.pass::<T>()),
        |(other, _)| other.iter_mut().for_each(|byte| *byte = byte.wrapping_add(1)),
        |(_, pass)| pass()
    ))
}

/// Stopping timers with delays within a minute, in the order in which they were started, as requests end.
#[must_use]
pub fn cancel(timers: u32) -> Workload<'static> {
    cancel_in_order("cancel", (0..timers).collect())
}

/// The same in random order.
#[must_use]
pub fn cancel_random(timers: u32) -> Workload<'static> {
    cancel_in_order("cancel_random", shuffled(timers))
}

fn cancel_in_order(name: &str, ids: Rc<[u32]>) -> Workload<'static> {
    let fill = Fill::uniform(ids.len());
    let workload = Workload::new(key(name, ids.len()), fill.operations());
    contest_prepared!(
        workload,
        [Heap, Tree, TokioDelayQueue, HierarchicalHash, BitWheel],
        |T| (
            fill.empty::<T>(),
            fill.refill_and_order::<T>(&ids),
            Fill::cancel::<T>()
        )
    )
}

/// Starting timers with delays within a minute.
#[must_use]
pub fn insert(timers: usize) -> Workload<'static> {
    let fill = Fill::uniform(timers);
    let workload = Workload::new(key("insert", timers), fill.operations());
    contest_prepared!(workload, [Heap], |T| (
        fill.empty::<T>(),
        Fill::forget::<T>(),
        fill.insert::<T>()
    ))
}

/// Timers with delays within a minute expire, in turns of a millisecond.
///
/// The delay queue's cost includes that of its runtime, which has to see each of these moments; that of [`sleep`] does not.
#[must_use]
pub fn expire(timers: usize) -> Workload<'static> {
    expiry("expire", &Fill::uniform(timers), Fill::EACH_MILLISECOND)
}

/// The same after one sleep of a minute.
#[must_use]
pub fn sleep(timers: usize) -> Workload<'static> {
    expiry("sleep", &Fill::uniform(timers), Fill::ONE_SLEEP)
}

/// Timers with one and the same deadline expire.
#[must_use]
pub fn same(timers: usize) -> Workload<'static> {
    expiry("same", &Fill::same(timers), Fill::ONE_SLEEP)
}

/// Timers of up to 30 days in milliseconds expire, after one sleep. The delay queue is not among the rivals: it panics when
/// its clock has run for two years, which a few passes do.
#[must_use]
pub fn long(timers: usize) -> Workload<'static> {
    const MONTH: u64 = 30 * 24 * 3600 * 1000;
    let fill = Fill::uniform_over(timers, MONTH);
    let workload = Workload::new(key("long", timers), fill.operations());
    contest_prepared!(workload, [Heap, Tree], |T| (
        fill.empty::<T>(),
        fill.refill::<T>(),
        fill.expire_over::<T>(MONTH, MONTH)
    ))
}

fn expiry(name: &str, fill: &Fill, turn: u64) -> Workload<'static> {
    let timers = fill.operations();
    let workload = Workload::new(key(name, timers as usize), timers);
    contest_prepared!(workload, [Heap, Tree, TokioDelayQueue, HierarchicalHash], |T| (
        fill.empty::<T>(),
        fill.refill::<T>(),
        fill.expire::<T>(turn)
    ))
}

/// Asking when to wake up.
#[must_use]
pub fn next(timers: usize) -> Workload<'static> {
    let fill = Fill::uniform(timers);
    let workload = Workload::new(key("next", timers), 1_000);
    contest!(workload, [Heap, Tree], |T| fill.next::<T>())
}

/// The deadlines of the server's connections, from accept through requests to the idle timeout.
#[must_use]
pub fn server(connections: u32) -> Workload<'static> {
    let server = Server::new(connections);
    let workload = Workload::new("wheel.server", server.operations());
    contest_prepared!(workload, [Heap, Tree], |T| (
        server.empty::<T>(),
        |_| (),
        server.pass::<T>()
    ))
}

/// The paper's seven schemes side by side: ours is the seventh.
#[must_use]
pub fn schemes(timers: u32) -> Workload<'static> {
    let hold = Hold::new(timers);
    let workload = Workload::new(key("schemes", timers as usize), Hold::OPERATIONS);
    if timers <= 10_000 {
        contest!(
            workload,
            [Scheme1, Scheme2, Heap, Tree, Scheme4, Scheme5, Scheme6],
            |T| hold.pass::<T>()
        )
    } else {
        contest!(workload, [Heap, Tree, Scheme4, Scheme5, Scheme6], |T| hold
            .pass::<T>())
    }
}

/// Measures everything and returns the ratios and figures.
///
/// # Errors
///
/// When two contestants computed different results.
pub fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new();
    report.measure(options, rearm(1_000))?;
    report.measure_rebuilt(options, || Ok(rearm(100_000)))?;
    report.measure_rebuilt(options, || Ok(rearm(1_000_000)))?;
    report.measure(options, rearm_cold(1_000_000))?;
    report.measure(options, server(10_000))?;
    report.measure(options, cancel(100_000))?;
    report.measure(options, cancel_random(100_000))?;
    report.measure(options, expire(100_000))?;
    report.measure(options, sleep(100_000))?;
    report.measure(options, same(100_000))?;
    report.measure(options, long(10_000))?;
    report.measure(options, next(1_000_000))?;
    report.measure(options, insert(1_000_000))?;
    let largest = if options.quick { 4 } else { 6 };
    for size in 2..=largest {
        report.measure(options, schemes(10_u32.pow(size)))?;
    }
    report.figure("wheel.node_bytes", figures::NODE_BYTES as f64, "bytes");
    report.figure(
        "wheel.wakeups_30d",
        f64::from(figures::wakeups_of_30_days()),
        "wakeups",
    );
    let runs = if options.quick { 3 } else { 9 };
    let stall = figures::stall(1_000_000, false, runs).max(figures::stall(1_000_000, true, runs));
    report.figure("wheel.stall_1e6_us", stall.as_secs_f64() * 1e6, "us");
    report.figure(
        "wheel.bitwheel_early_60s",
        bit_wheel::earliness::<BitWheel>(60_000) as f64,
        "ms",
    );
    Ok(report)
}
