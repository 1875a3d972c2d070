//! Files closed in a batch, and calls that wait behind them.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use batch_table::nr::native as nr;

use crate::Options;
use crate::device::{Batch, address, call, fd};
use crate::{socket, system};

const LONG_MS: u64 = 180_000;

/// Gives the descriptor away to the batch that closes it.
fn released(file: impl IntoRawFd) -> u64 {
    u64::try_from(file.into_raw_fd()).expect("an open file")
}

pub(crate) fn a_batch_may_close_its_own_device(_: &Options) {
    let batch = Batch::new(64);
    let device = fd(&batch.device.0);
    batch.put_all(&[call(nr::CLOSE, &[device]), call(nr::GETPPID, &[])]);
    assert_eq!(batch.flush(0, 2), Ok(2));
    assert_eq!(batch.take(0), Some(0));
    assert!(batch.take(1) > Some(0));
    assert_eq!(batch.flush(0, 1), Err(libc::EBADF));
    assert_eq!(system::module_users(), 1, "the mapping is still there");
    // SAFETY: the mapping is the batch's own; it is forgotten below, so nothing uses or unmaps it again.
    unsafe { libc::munmap(batch.memory.as_ptr().cast(), batch.bytes) };
    std::mem::forget(batch);
    assert_eq!(system::module_users(), 0);
}

pub(crate) fn the_last_reference_may_go_in_a_batch(_: &Options) {
    let batch = Batch::new(64);
    let (near, mut far) = UnixStream::pair().expect("sockets");
    let text = *b"after";
    batch.put_all(&[
        call(nr::CLOSE, &[fd(&batch.device.0)]),
        call(nr::WRITE, &[fd(&near), address(&text), 5]),
    ]);
    // SAFETY: as in the case above.
    unsafe { libc::munmap(batch.memory.as_ptr().cast(), batch.bytes) };
    assert_eq!(batch.flush(0, 2), Ok(2), "the table lives as long as the flush");
    std::mem::forget(batch);
    let mut seen = [0; 5];
    far.read_exact(&mut seen).expect("written");
    assert_eq!(seen, text);
    assert_eq!(system::module_users(), 0);
}

/// A batch of a close and `wait`, which ends only when the peer has seen the close: the peer then writes to `wake`.
fn a_wait_does_not_hold_up_the_close(mut wake: impl Write + Send + 'static, wait: impl Fn(&Batch)) {
    let batch = Batch::new(64);
    let (near, mut far) = UnixStream::pair().expect("sockets");
    let peer = thread::spawn(move || {
        let read = far.read(&mut [0]).expect("no error");
        assert_eq!(read, 0, "end of file");
        wake.write_all(&1_u64.to_ne_bytes()).expect("room");
    });
    batch.put(0, &call(nr::CLOSE, &[released(near)]));
    wait(&batch);
    let started = Instant::now();
    // Kernels since 6.6 finish the close in the call itself; on others the flush goes back to user space before the wait.
    match batch.flush(0, 2).expect("no error") {
        1 => assert_eq!(batch.flush(1, 1), Ok(1)),
        finished => assert_eq!(finished, 2),
    }
    assert_eq!(batch.take(0), Some(0));
    assert!(batch.take(1) > Some(0));
    assert!(
        started.elapsed() < Duration::from_secs(120),
        "{:?}",
        started.elapsed()
    );
    peer.join().expect("the peer");
}

pub(crate) fn a_peer_sees_the_end_at_once_though_epoll_waits_behind(_: &Options) {
    let counter = socket::event_counter();
    let epoll = socket::epoll();
    socket::watch(&epoll, &counter);
    let events = [0_u8; 16];
    let wake = counter.try_clone().expect("dup");
    a_wait_does_not_hold_up_the_close(wake, |batch| {
        let wait = [fd(&epoll), address(&events), 1, LONG_MS, 0, 8];
        batch.put(1, &call(nr::EPOLL_PWAIT, &wait));
    });
}

pub(crate) fn a_peer_sees_the_end_at_once_though_a_read_waits_behind(_: &Options) {
    let (waiting, wake) = UnixStream::pair().expect("sockets");
    let bytes = [0_u8; 8];
    a_wait_does_not_hold_up_the_close(wake, |batch| {
        batch.put(1, &call(nr::RECVFROM, &[fd(&waiting), address(&bytes), 8, 0]));
    });
}

pub(crate) fn calls_that_do_not_wait_follow_a_close(_: &Options) {
    let batch = Batch::new(64);
    let (gone, _far) = UnixStream::pair().expect("sockets");
    let (near, _other) = UnixStream::pair().expect("sockets");
    near.set_nonblocking(true).expect("nonblocking");
    let mut file = socket::memory_file();
    let text = *b"text";
    file.write_all(&text).expect("room");
    let results = batch.run(&[
        call(nr::CLOSE, &[released(gone)]),
        call(nr::SENDTO, &[fd(&near), address(&text), 4, 0]),
        call(nr::READ, &[fd(&near), address(&text), 4]),
        call(nr::WRITE, &[fd(&file), address(&text), 4]),
        call(nr::CLOSE, &[999]),
        call(nr::GETPPID, &[]),
    ]);
    let again = -i64::from(libc::EAGAIN);
    assert_eq!(results[..5], [0, 4, again, 4, -i64::from(libc::EBADF)]);
}

pub(crate) fn a_duplicate_keeps_the_file_open(_: &Options) {
    let batch = Batch::new(64);
    let (near, mut far) = UnixStream::pair().expect("sockets");
    let copy = near.try_clone().expect("dup");
    let text = *b"still";
    let results = batch.run(&[
        call(nr::CLOSE, &[released(near)]),
        call(nr::WRITE, &[fd(&copy), address(&text), 5]),
    ]);
    assert_eq!(results, [0, 5]);
    let mut seen = [0; 5];
    far.read_exact(&mut seen).expect("written");
    assert_eq!(seen, text);
}

pub(crate) fn a_wait_at_the_end_is_one_flush(_: &Options) {
    let batch = Batch::new(64);
    let counter = socket::event_counter();
    let epoll = socket::epoll();
    socket::watch(&epoll, &counter);
    let events = [0_u8; 16];
    let mut wake: File = counter.try_clone().expect("dup");
    let waker = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        wake.write_all(&1_u64.to_ne_bytes()).expect("room");
    });
    let wait = [fd(&epoll), address(&events), 1, LONG_MS, 0, 8];
    let results = batch.run(&[call(nr::GETPPID, &[]), call(nr::EPOLL_PWAIT, &wait)]);
    assert_eq!(results[1], 1);
    waker.join().expect("the waker");
}

pub(crate) fn a_flush_ends_behind_epoll_pwait(_: &Options) {
    let batch = Batch::new(64);
    let epoll = socket::epoll();
    let events = [0_u8; 16];
    let wait = call(nr::EPOLL_PWAIT, &[fd(&epoll), address(&events), 1, 0, 0, 8]);
    batch.put_all(&[call(nr::GETPPID, &[]), wait, call(nr::GETPPID, &[])]);
    assert_eq!(batch.flush(0, 3), Ok(2));
    assert_eq!(batch.take(1), Some(0));
    assert!(batch.is_ready(2));
    assert_eq!(batch.flush(2, 1), Ok(1));
}
