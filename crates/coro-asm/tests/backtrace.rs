//! A walk up the stack goes from inside a coroutine through its resumers.

mod common;

use std::backtrace::Backtrace;
use std::hint::black_box;
use std::rc::Rc;

use common::{Co, pool, start};
use coro_asm::{StackPool, Yielder};

#[inline(never)]
fn innermost_function() -> String {
    Backtrace::force_capture().to_string()
}

#[inline(never)]
fn inner_body(yielder: &Yielder<u32, String>) -> String {
    yielder.suspend(String::new());
    black_box(innermost_function())
}

#[inline(never)]
fn inner_resumer(inner: &mut Co<u32, String, String>) -> String {
    let _ = inner.resume(1);
    black_box(inner.resume(2).complete().unwrap_or_default())
}

#[inline(never)]
fn outer_resumer(outer: &mut Co<u32, String, String>) -> String {
    black_box(outer.resume(1).complete().unwrap_or_default())
}

/// Checks that the frames of these functions follow one another, the innermost first.
fn assert_order(trace: &str, functions: &[&str]) {
    let mut rest = trace;
    for function in functions {
        let at = rest.find(function);
        assert!(at.is_some(), "no {function} where it belongs in\n{trace}");
        rest = &rest[at.unwrap_or_default() + function.len()..];
    }
}

const WHOLE_WAY: [&str; 6] = [
    "innermost_function",
    "inner_body",
    "inner_resumer",
    "outer_resumer",
    "leads_through",
    "lang_start",
];

fn nested(pool: &Rc<StackPool>) -> String {
    let inner_pool = pool.clone();
    let mut outer: Co<u32, String, String> = start(pool, move |_, _| {
        let mut inner: Co<u32, String, String> = start(&inner_pool, |yielder, _| inner_body(yielder));
        inner_resumer(&mut inner)
    });
    outer_resumer(&mut outer)
}

#[test]
fn leads_through_two_resumers() {
    let trace = nested(&Rc::new(pool()));
    // A test runs on a thread, so its way ends at the thread's start.
    assert_order(&trace, &WHOLE_WAY[..5]);
    assert!(
        trace.contains("thread") || trace.contains("lang_start"),
        "not to the end:\n{trace}"
    );
}

/// Pool stacks lie above or below the thread's stack; a walk must not mind.
#[test]
fn leads_through_stacks_in_any_order() {
    let pool = Rc::new(pool());
    let mut order: Vec<_> = (0..3).map(|_| pool.acquire().unwrap()).collect();
    order.sort_by_key(coro_asm::Stack::base);
    drop(order.pop());
    let trace = nested(&pool);
    assert_order(&trace, &WHOLE_WAY[..4]);
    drop(order);
    let trace = nested(&pool);
    assert_order(&trace, &WHOLE_WAY[..4]);
}

#[test]
fn a_panic_reports_the_way_it_came() {
    let pool = pool();
    let (sender, receiver) = std::sync::mpsc::channel();
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |_| {
        let _ = sender.send(Backtrace::force_capture().to_string());
    }));
    let mut fails: Co<u32, String, String> = start(&pool, |_, _| panic!("on purpose"));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| outer_resumer(&mut fails)));
    std::panic::set_hook(previous);
    assert!(result.is_err());
    assert_order(
        &receiver.recv().unwrap(),
        &["a_panic_reports_the_way_it_came", "outer_resumer"],
    );
}

mod frame_records {
    //! The chain of frame pointers, as profilers and crash handlers follow it.

    use core::ptr::NonNull;
    use std::arch::{asm, naked_asm};

    use coro_asm::Stack;
    use coro_asm::raw::{self, Context, Link, Word};

    use super::common::pool;

    /// What [`look`] found.
    struct Found {
        link: usize,
        frame: [usize; 2],
        parent: [usize; 2],
    }

    /// Passes the frame pointer at entry to `look`.
    #[unsafe(naked)]
    unsafe extern "C" fn entry(found: Word, link: NonNull<Link>, signal: usize) -> Word {
        #[cfg(target_arch = "x86_64")]
        naked_asm!("mov rdx, rbp", "jmp {}", sym look);
        #[cfg(target_arch = "aarch64")]
        naked_asm!("mov x2, x29", "b {}", sym look);
    }

    unsafe extern "C" fn look(found: Word, link: NonNull<Link>, frame: *const [usize; 2]) -> Word {
        // SAFETY: the resumer passes a pointer to its `Found`.
        let found = unsafe { found.assume_init() }.cast::<Found>();
        // SAFETY: the coroutine's frame pointer leads to a record of two words.
        let record = unsafe { frame.read() };
        assert_eq!(frame.addr(), link.addr().get());
        // SAFETY: so does the record's first word.
        let parent = unsafe { core::ptr::with_exposed_provenance::<[usize; 2]>(record[0]).read() };
        // SAFETY: the resumer waits.
        unsafe {
            found.write(Found {
                link: link.addr().get(),
                frame: record,
                parent,
            })
        };
        Word::uninit()
    }

    #[inline(never)]
    fn resumer(context: Context, base: NonNull<u8>, found: &mut Found) -> usize {
        let frame_pointer: usize;
        // SAFETY: it reads a register.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            asm!("mov {}, rbp", out(reg) frame_pointer)
        };
        // SAFETY: it reads a register.
        #[cfg(target_arch = "aarch64")]
        unsafe {
            asm!("mov {}, x29", out(reg) frame_pointer)
        };
        // SAFETY: the first resume of this context, with the word that its entry expects.
        let (context, _) = unsafe { raw::resume(context, base, Word::new((&raw mut *found).cast()), 0) };
        assert!(context.is_finished());
        frame_pointer
    }

    #[test]
    fn lead_from_the_entry_to_the_resumer() {
        let pool = pool();
        let stack = pool.acquire().unwrap();
        // SAFETY: the stack is large enough and outlives the context.
        let context = unsafe { Context::new(stack.base(), entry) };
        let mut found = Found {
            link: 0,
            frame: [0; 2],
            parent: [0; 2],
        };
        let frame_pointer = resumer(context, stack.base(), &mut found);
        assert_eq!(found.link, stack.base().addr().get() - Context::RESERVED);
        let entry_code = context.program_counter()..context.program_counter() + 128;
        assert!(
            entry_code.contains(&found.frame[1]),
            "the first return address is not in the entry code"
        );
        let stack_of_resumer = (&raw const found).addr() - 4096..(&raw const found).addr();
        assert!(
            stack_of_resumer.contains(&found.frame[0]),
            "the link does not lead to the resumer's stack"
        );
        assert_eq!(found.parent[0], frame_pointer);
        let code_of_resumer = resumer as *const () as usize..resumer as *const () as usize + 4096;
        assert!(
            code_of_resumer.contains(&found.parent[1]),
            "the resumer's return address is not in its code"
        );
    }
}
