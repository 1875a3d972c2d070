//! Entries over borrowed memory: the guard has them finished, whatever happens in between.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use batch_table::Table;
use esca_sys::{
    BorrowedOperation, Description, Descriptor, Direct, Errno, Executor, MsgFlags, Operation, Segment,
    SysResult,
};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

fn pair() -> (Arc<OwnedFd>, Arc<OwnedFd>) {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (left, right) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
    (Arc::new(left), Arc::new(right))
}

fn arrived(file: &OwnedFd) -> Vec<u8> {
    let mut bytes = [0; 4096];
    match rustix::io::read(file, &mut bytes) {
        Ok(count) => bytes[..count].to_vec(),
        Err(_) => Vec::new(),
    }
}

fn send<'b>(socket: &Arc<OwnedFd>, bytes: &'b [u8]) -> BorrowedOperation<'b> {
    BorrowedOperation::send(Descriptor::shared(socket.clone()), bytes, MsgFlags::NOSIGNAL)
}

fn ends<X: Executor>(segment: &mut Segment<X>) -> Vec<(u64, SysResult)> {
    std::iter::from_fn(|| segment.next_completion())
        .map(|completion| (completion.token, completion.result))
        .collect()
}

fn ok(value: i64) -> SysResult {
    SysResult::from_raw(value)
}

/// Fails, or panics, as often as it is told, before it touches an entry.
struct Failing<'a> {
    failures: &'a Cell<u32>,
    panics: bool,
}

// SAFETY: it either touches nothing or does what `Direct` does.
unsafe impl Executor for Failing<'_> {
    unsafe fn run(&mut self, table: &Table<'_>, first: u32, count: u32) -> Result<u32, Errno> {
        if self.failures.get() > 0 {
            self.failures.set(self.failures.get() - 1);
            assert!(!self.panics, "the executor breaks");
            return Err(Errno::ENOMEM);
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { Direct::new().run(table, first, count) }
    }

    fn describe(&self) -> Description {
        Direct::new().describe()
    }
}

#[test]
fn dropping_the_guard_runs_what_it_recorded() {
    let (left, right) = pair();
    let mut segment = Segment::new(Direct::new(), 8).unwrap();
    let before = Operation::send(Descriptor::shared(left.clone()), "before ", MsgFlags::NOSIGNAL);
    segment.push(before, 1).unwrap();
    {
        let text = String::from("borrowed");
        // SAFETY: dropped at the end of the block, before `text`.
        let mut guard = unsafe { segment.push_borrowed(send(&left, text.as_bytes()), 2) }.unwrap();
        guard
            .push_borrowed(send(&left, &text.as_bytes()[..3]), 3)
            .unwrap();
        assert_eq!(guard.pending(), 3);
        assert_eq!(arrived(&right), b"");
    }
    assert_eq!(arrived(&right), b"before borrowedbor");
    assert_eq!(segment.pending(), 0);
    assert_eq!(ends(&mut segment), [(1, ok(7)), (2, ok(8)), (3, ok(3))]);
}

#[test]
fn received_bytes_are_in_the_borrowed_memory() {
    let (left, right) = pair();
    let mut segment = Segment::new(Direct::new(), 8).unwrap();
    let (mut first, mut second) = ([0; 4], [0; 16]);
    rustix::io::write(&left, b"head and tail").unwrap();
    let read = BorrowedOperation::read(right.clone().into(), &mut first);
    // SAFETY: dropped below, before the arrays are looked at.
    let mut guard = unsafe { segment.push_borrowed(read.linked(), 1) }.unwrap();
    let recv = BorrowedOperation::recv(right.clone().into(), &mut second, MsgFlags::NONE);
    guard.push_borrowed(recv, 2).unwrap();
    let write = BorrowedOperation::write(right.into(), b"answer");
    guard.push_borrowed(write, 3).unwrap();
    assert_eq!(guard.flush(), Ok(3));
    assert_eq!(
        guard.next_completion().map(|completion| completion.result),
        Some(ok(4))
    );
    drop(guard);
    assert_eq!((&first, &second[..9]), (b"head", &b" and tail"[..]));
    assert_eq!(ends(&mut segment), [(2, ok(9)), (3, ok(6))]);
    assert_eq!(arrived(&left), b"answer");
}

#[test]
fn a_panic_in_between_abandons_nothing() {
    let (left, right) = pair();
    let mut segment = Segment::new(Direct::new(), 8).unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let text = String::from("said before the panic");
        // SAFETY: dropped by the unwinding, before `text`.
        let _guard = unsafe { segment.push_borrowed(send(&left, text.as_bytes()), 1) }.unwrap();
        panic!("in between");
    }));
    assert!(panicked.is_err());
    assert_eq!(arrived(&right), b"said before the panic");
    assert_eq!(segment.pending(), 0);
    assert_eq!(ends(&mut segment), [(1, ok(21))]);
}

#[test]
fn plain_calls_stand_in_for_an_executor_that_fails() {
    for panics in [false, true] {
        let (left, right) = pair();
        let failures = Cell::new(0);
        let executor = Failing {
            failures: &failures,
            panics,
        };
        let mut segment = Segment::new(executor, 2).unwrap();
        let dropped = catch_unwind(AssertUnwindSafe(|| {
            let text = String::from("all the same");
            // SAFETY: dropped at the end of the closure, before `text`.
            let mut guard = unsafe { segment.push_borrowed(send(&left, text.as_bytes()), 1) }.unwrap();
            guard
                .push_borrowed(BorrowedOperation::write(right.clone().into(), &[]), 2)
                .unwrap();
            failures.set(1);
            if !panics {
                let error = guard
                    .push_borrowed(send(&left, &text.as_bytes()[..3]), 3)
                    .unwrap_err();
                assert_eq!(error.cause().errno(), Errno::ENOMEM);
                let (operation, token) = error.into_parts();
                guard.push_borrowed(operation, token).unwrap();
                failures.set(1);
            }
        }));
        assert_eq!(dropped.is_err(), panics);
        assert_eq!((failures.get(), segment.pending()), (0, 0));
        let expected = if panics { "all the same" } else { "all the sameall" };
        assert_eq!(arrived(&right), expected.as_bytes());
        let mut results = vec![(1, ok(12)), (2, ok(0))];
        results.extend((!panics).then_some((3, ok(3))));
        assert_eq!(ends(&mut segment), results);
    }
}

#[test]
fn what_cannot_be_recorded_comes_back_and_nothing_else_runs() {
    let (left, right) = pair();
    let failures = Cell::new(1);
    let executor = Failing {
        failures: &failures,
        panics: false,
    };
    let mut segment = Segment::new(executor, 1).unwrap();
    let owned = Operation::send(Descriptor::shared(left.clone()), "owned", MsgFlags::NOSIGNAL);
    segment.push(owned, 1).unwrap();
    let text = String::from("borrowed");
    // SAFETY: there is no guard to leak: it fails.
    let error = unsafe { segment.push_borrowed(send(&left, text.as_bytes()), 2) }.unwrap_err();
    assert_eq!(error.into_parts().1, 2);
    assert_eq!((arrived(&right), segment.pending()), (Vec::new(), 1));
    assert_eq!(segment.flush(), Ok(1));
    assert_eq!(arrived(&right), b"owned");
}

#[test]
fn a_chain_goes_on_across_plain_calls_and_ends_at_a_flush() {
    let (left, right) = pair();
    let failures = Cell::new(1);
    let executor = Failing {
        failures: &failures,
        panics: false,
    };
    let mut segment = Segment::new(executor, 1).unwrap();
    // SAFETY: -1 is never open.
    let nowhere = || unsafe { Descriptor::raw(-1) };
    let next = || Operation::send(Descriptor::shared(left.clone()), "next", MsgFlags::NOSIGNAL);
    for (round, ended) in [false, true].into_iter().enumerate() {
        failures.set(1);
        segment.push(Operation::fsync(nowhere()).linked(), 1).unwrap();
        let rejected = segment.push(next(), 2).unwrap_err();
        assert_eq!(segment.flush_plain(), 1);
        assert_eq!(ends(&mut segment), [(1, SysResult::from_errno(Errno::EBADF))]);
        if ended {
            assert_eq!(segment.flush(), Ok(0));
        }
        let (operation, token) = rejected.into_parts();
        segment.push(operation, token).unwrap();
        segment.flush().unwrap();
        let (result, bytes) = if ended {
            (ok(4), &b"next"[..])
        } else {
            (SysResult::CANCELED, &b""[..])
        };
        assert_eq!(ends(&mut segment), [(2, result)], "round {round}");
        assert_eq!(arrived(&right), bytes);
    }
}

#[test]
fn a_broken_chain_reaches_the_borrowed_entry() {
    let (left, right) = pair();
    let mut segment = Segment::new(Direct::new(), 8).unwrap();
    // SAFETY: -1 is never open.
    let nowhere = unsafe { Descriptor::raw(-1) };
    segment.push(Operation::fsync(nowhere).linked(), 1).unwrap();
    let text = String::from("never sent");
    // SAFETY: dropped at once.
    drop(unsafe { segment.push_borrowed(send(&left, text.as_bytes()), 2) }.unwrap());
    let results = [(1, SysResult::from_errno(Errno::EBADF)), (2, SysResult::CANCELED)];
    assert_eq!(ends(&mut segment), results);
    assert_eq!(arrived(&right), b"");
}
