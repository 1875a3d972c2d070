//! Floating-point control bits on both sides of a switch.

mod common;

use std::arch::asm;

use common::{Co, pool, start};

/// Control bits as they are, and two settings that no one has by default.
#[cfg(target_arch = "x86_64")]
mod control {
    use super::asm;

    /// (MXCSR control bits, x87 control word)
    pub(crate) type Control = (u32, u16);
    pub(crate) const DEFAULT: Control = (0x1f80, 0x037f);
    /// Round down, and 53 bits of x87 precision.
    pub(crate) const DOWN: Control = (0x3f80, 0x027f);
    /// Round up, flush to zero, and x87 rounding up.
    pub(crate) const UP: Control = (0xdf80, 0x0b7f);

    fn mxcsr() -> u32 {
        let mut mxcsr = 0_u32;
        // SAFETY: it stores 4 bytes to a place of that size.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr) };
        mxcsr
    }

    pub(crate) fn get() -> Control {
        let mut x87 = 0_u16;
        // SAFETY: it stores 2 bytes to a place of that size.
        unsafe { asm!("fnstcw [{}]", in(reg) &raw mut x87) };
        (mxcsr() & 0xffc0, x87)
    }

    pub(crate) fn set((control, x87): Control) {
        let mxcsr = control | mxcsr() & 0x3f;
        // SAFETY: the test does no arithmetic with these bits and restores them.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const mxcsr) };
        // SAFETY: as above.
        unsafe { asm!("fldcw [{}]", in(reg) &raw const x87) };
    }

    /// The sticky flag of an inexact result.
    pub(crate) fn inexact() -> bool {
        mxcsr() & 0x20 != 0
    }

    pub(crate) fn set_inexact(on: bool) {
        let mxcsr = mxcsr() & !0x3f | u32::from(on) << 5;
        // SAFETY: flags change no result.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const mxcsr) };
    }
}

#[cfg(target_arch = "aarch64")]
mod control {
    use super::asm;

    pub(crate) type Control = u64;
    pub(crate) const DEFAULT: Control = 0;
    /// Round towards minus infinity.
    pub(crate) const DOWN: Control = 0b10 << 22;
    /// Round towards plus infinity, flush to zero.
    pub(crate) const UP: Control = 0b01 << 22 | 1 << 24;

    pub(crate) fn get() -> Control {
        let fpcr;
        // SAFETY: it reads a register.
        unsafe { asm!("mrs {}, fpcr", out(reg) fpcr) };
        fpcr
    }

    pub(crate) fn set(fpcr: Control) {
        // SAFETY: the test does no arithmetic with these bits and restores them.
        unsafe { asm!("msr fpcr, {}", in(reg) fpcr) };
    }

    /// The sticky flag of an inexact result.
    pub(crate) fn inexact() -> bool {
        let fpsr: u64;
        // SAFETY: it reads a register.
        unsafe { asm!("mrs {}, fpsr", out(reg) fpsr) };
        fpsr & 0x10 != 0
    }

    pub(crate) fn set_inexact(on: bool) {
        // SAFETY: flags change no result.
        unsafe { asm!("msr fpsr, {}", in(reg) u64::from(on) << 4) };
    }
}

use control::{DEFAULT, DOWN, UP, get, inexact, set, set_inexact};

#[test]
fn isolated_sides_keep_their_own() {
    let pool = pool();
    let mut co: Co<(), control::Control, ()> = start(&pool, |yielder, ()| {
        set(DOWN);
        for _ in 0..100 {
            yielder.suspend_isolated(get());
            assert_eq!(get(), DOWN);
        }
    });
    for _ in 0..50 {
        assert_eq!(co.resume_isolated(()).yielded(), Some(DOWN));
        assert_eq!(get(), DEFAULT);
    }
    set(UP);
    for _ in 0..50 {
        let seen = co.resume_isolated(()).yielded();
        let now = get();
        set(DEFAULT);
        assert_eq!((seen, now), (Some(DOWN), UP));
        set(UP);
    }
    let _ = co.resume_isolated(());
    assert!(co.is_complete());
    let now = get();
    set(DEFAULT);
    assert_eq!(now, UP);
}

#[test]
fn a_panic_does_not_carry_them_out() {
    let pool = pool();
    let mut co: Co<(), (), ()> = start(&pool, |_, ()| {
        set(DOWN);
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| co.resume_isolated(())));
    assert_eq!(get(), DEFAULT);
    assert!(result.is_err());
}

#[test]
fn plain_sides_share() {
    let pool = pool();
    let mut co: Co<(), (), control::Control> = start(&pool, |yielder, ()| {
        set(DOWN);
        yielder.suspend(());
        get()
    });
    let _ = co.resume(());
    let seen = get();
    set(UP);
    let inside = co.resume(());
    set(DEFAULT);
    assert_eq!((seen, inside.complete()), (DOWN, Some(UP)));
}

#[test]
fn sticky_flags_are_left_as_they_are() {
    let pool = pool();
    let mut co: Co<(), bool, ()> = start(&pool, |yielder, ()| {
        set(DOWN);
        loop {
            let seen = inexact();
            set_inexact(!seen);
            yielder.suspend_isolated(seen);
        }
    });
    set_inexact(false);
    let first = co.resume_isolated(()).yielded();
    let after = inexact();
    let second = co.resume_isolated(()).yielded();
    let last = inexact();
    assert_eq!(
        (first, after, second, last),
        (Some(false), true, Some(true), false)
    );
}
