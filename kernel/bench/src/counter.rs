//! A counter of executed instructions: the clock of a processor whose emulator lets it advance by instructions.

use core::arch::asm;
use core::fmt;

/// Iterations of a loop of known length.
const LOOP: u64 = 200_000;
/// Instructions in one iteration.
const LENGTH: u64 = 2;

/// How the processor's clock and instructions go together.
#[derive(Debug)]
pub(crate) struct Counter {
    instructions_per_tick: f64,
    /// Of one measurement around nothing.
    overhead: f64,
}

impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "clock: {:.3} instructions a tick, {:.0} instructions to read it",
            self.instructions_per_tick, self.overhead
        )
    }
}

impl Counter {
    /// Finds out what a tick is, and refuses a clock that is no count of instructions: there the same loop takes a different
    /// time each time.
    pub(crate) fn calibrate() -> Result<Self, String> {
        let of_loop = || {
            let begin = now();
            spin(LOOP);
            now() - begin
        };
        let (short, long) = (0..15).fold((u64::MAX, 0), |(short, long), _| {
            let ticks = of_loop();
            (short.min(ticks), long.max(ticks))
        });
        let instructions_per_tick = (LOOP * LENGTH) as f64 / short as f64;
        // Timer interrupts may fall into a loop: some thousand instructions.
        if (long - short) as f64 > short as f64 * 0.2 || !(0.9..20.0).contains(&instructions_per_tick) {
            return Err(format!(
                "this clock does not count instructions (a loop took {short} to {long} ticks): start QEMU with -icount shift=0,sleep=off"
            ));
        }
        let mut this = Self {
            instructions_per_tick,
            overhead: 0.0,
        };
        let empty = (0..64).map(|_| this.measure(|| {})).fold(f64::INFINITY, f64::min);
        this.overhead = empty;
        Ok(this)
    }

    /// Instructions that `work` takes.
    pub(crate) fn measure(&self, work: impl FnOnce()) -> f64 {
        let begin = now();
        work();
        let ticks = now() - begin;
        ticks as f64 * self.instructions_per_tick - self.overhead
    }
}

#[cfg(target_arch = "x86_64")]
fn now() -> u64 {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { core::arch::x86_64::_mm_lfence() };
    // SAFETY: every x86-64 processor has the instruction, and Linux allows it to programs (PR_GET_TSC is set by none here).
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(target_arch = "aarch64")]
fn now() -> u64 {
    let ticks: u64;
    // SAFETY: reads the virtual counter, which Linux allows to programs (Documentation/arch/arm64: CNTVCT_EL0 is what the vDSO
    // reads); `isb` keeps the read behind what came before.
    unsafe { asm!("isb", "mrs {}, cntvct_el0", out(reg) ticks, options(nostack)) };
    ticks
}

fn spin(count: u64) {
    // SAFETY: counts a register down and touches nothing else; `count` is not zero.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("2:", "dec {0}", "jnz 2b", inout(reg) count => _, options(nomem, nostack));
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("2:", "subs {0}, {0}, #1", "b.ne 2b", inout(reg) count => _, options(nomem, nostack));
    }
}
