//! Tasks whose system calls somebody watches: a flush is refused, no entry is touched.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;

use batch_table::nr::native as nr;

use crate::Options;
use crate::audit;
use crate::device::{Batch, address, call, fd, plain};
use crate::process::{Child, End};
use crate::system;

const REFUSED: Result<u32, i32> = Err(libc::EOPNOTSUPP);

/// A batch of one entry that is ready.
fn ready() -> Batch {
    let batch = Batch::new(64);
    batch.put(0, &call(nr::GETPPID, &[]));
    batch
}

pub(crate) fn a_task_under_seccomp_is_refused(_: &Options) {
    let batch = ready();
    assert_eq!(batch.flush(0, 1), Ok(1));
    assert!(batch.take(0).is_some());
    batch.put(0, &call(nr::GETPPID, &[]));
    system::allow_all_filter(false);
    assert_eq!(batch.flush(0, 1), REFUSED);
    assert!(batch.is_ready(0), "untouched");
}

pub(crate) fn a_filter_from_a_sibling_counts_in_mid_batch(_: &Options) {
    let batch = Batch::new(64);
    let (near, far) = UnixStream::pair().expect("sockets");
    let byte = [0_u8];
    batch.put_all(&[
        call(nr::READ, &[fd(&near), address(&byte), 1]),
        call(nr::GETPPID, &[]),
    ]);
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            tell.send(system::thread_number()).expect("somebody listens");
            batch.flush(0, 2)
        });
        system::wait_until_it_sleeps_in_ioctl(told.recv().expect("a thread"));
        system::allow_all_filter(true);
        assert_eq!(plain(&call(nr::WRITE, &[fd(&far), address(&byte), 1])), 1);
        let finished = waiting.join().expect("the thread");
        assert_eq!(finished, Ok(1), "the read had begun, the next entry had not");
    });
    assert_eq!(batch.take(0), Some(1));
    assert!(batch.is_ready(1));
    assert_eq!(batch.flush(1, 1), REFUSED);
}

/// `ptrace` on a child, without an address.
fn trace(request: libc::c_uint, child: &Child, data: usize) {
    // SAFETY: none of the requests used here reads or writes memory of this process.
    let result = unsafe { libc::ptrace(request, child.pid, 0, data) };
    assert_eq!(result, 0, "ptrace");
}

/// Waits until a traced child stops.
fn stopped(child: &Child) -> i32 {
    let mut status = 0;
    // SAFETY: `status` is written before the call returns.
    let pid = unsafe { libc::waitpid(child.pid, &raw mut status, libc::__WALL) };
    assert_eq!(pid, child.pid, "waitpid");
    status
}

pub(crate) fn a_task_with_a_tracer_is_refused_until_it_leaves(_: &Options) {
    let (mut ours, mut theirs) = UnixStream::pair().expect("sockets");
    let child = Child::start(|| {
        let batch = ready();
        let mut byte = [0];
        theirs.write_all(b"!").expect("room");
        theirs.read_exact(&mut byte).expect("traced now");
        assert_eq!(batch.flush(0, 1), REFUSED);
        assert!(batch.is_ready(0));
        theirs.write_all(b"!").expect("room");
        theirs.read_exact(&mut byte).expect("not traced any more");
        assert_eq!(batch.flush(0, 1), Ok(1));
        0
    });
    let mut byte = [0];
    ours.read_exact(&mut byte).expect("the child is there");
    trace(libc::PTRACE_SEIZE, &child, 0);
    ours.write_all(b"!").expect("room");
    ours.read_exact(&mut byte).expect("refused");
    trace(libc::PTRACE_INTERRUPT, &child, 0);
    stopped(&child);
    trace(libc::PTRACE_DETACH, &child, 0);
    ours.write_all(b"!").expect("room");
    assert_eq!(child.wait(), End::Code(0));
}

pub(crate) fn a_task_whose_calls_are_traced_is_refused(_: &Options) {
    let child = Child::start(|| {
        let batch = ready();
        // SAFETY: no memory is involved.
        unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
        // SAFETY: no memory is involved.
        unsafe { libc::raise(libc::SIGSTOP) };
        assert_eq!(batch.flush(0, 1), REFUSED);
        assert!(batch.is_ready(0));
        0
    });
    loop {
        let status = stopped(&child);
        if libc::WIFEXITED(status) {
            assert_eq!(libc::WEXITSTATUS(status), 0);
            break;
        }
        trace(libc::PTRACE_SYSCALL, &child, 0);
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) fn a_task_with_user_dispatch_is_refused(_: &Options) {
    const SET: libc::c_int = 59;
    let batch = ready();
    let selector = 0_u8;
    // Calls from all of the address space are let through, so that only the watch itself remains.
    // SAFETY: the selector lives until dispatch is switched off below.
    let on = unsafe { libc::prctl(SET, 1, 1_usize, usize::MAX - 1, &raw const selector) };
    assert_eq!(on, 0, "dispatch on");
    let flushed = batch.flush(0, 1);
    // SAFETY: no memory is involved.
    let off = unsafe { libc::prctl(SET, 0, 0, 0, 0) };
    assert_eq!(off, 0, "dispatch off");
    assert_eq!(flushed, REFUSED);
    assert_eq!(batch.flush(0, 1), Ok(1));
}

pub(crate) fn a_task_is_refused_while_calls_have_tracepoints(_: &Options) {
    let batch = ready();
    let folder = "/tmp/tracing";
    fs::create_dir_all(folder).expect("a writable /tmp");
    let (kind, at) = (c"tracefs", c"/tmp/tracing");
    // SAFETY: strings that end with zero; no data.
    let result = unsafe { libc::mount(kind.as_ptr(), at.as_ptr(), kind.as_ptr(), 0, std::ptr::null()) };
    assert_eq!(result, 0, "tracefs");
    let switch = format!("{folder}/events/raw_syscalls/sys_enter/enable");
    fs::write(&switch, "1").expect("tracepoints on");
    let flushed = batch.flush(0, 1);
    fs::write(&switch, "0").expect("tracepoints off");
    assert_eq!(flushed, REFUSED);
    assert_eq!(batch.flush(0, 1), Ok(1));
}

pub(crate) fn an_audited_task_is_refused(_: &Options) {
    audit::enable(true);
    let audited = Child::start(|| {
        let batch = ready();
        assert_eq!(batch.flush(0, 1), REFUSED);
        i32::from(!batch.is_ready(0))
    });
    let audited = audited.wait();
    // Once it was on, new tasks are audited for ever, unless a rule says otherwise.
    audit::spare_new_tasks();
    audit::enable(false);
    assert_eq!(audited, End::Code(0));
    let spared = Child::start(|| {
        assert_eq!(ready().flush(0, 1), Ok(1));
        0
    });
    assert_eq!(spared.wait(), End::Code(0));
}
