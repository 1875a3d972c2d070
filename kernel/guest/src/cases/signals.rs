//! Signals: a flush stops between entries, an interrupted call stays ready, no restart code gets out.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::thread;

use batch_table::nr::native as nr;

use crate::Options;
use crate::device::{Batch, address, call, fd};
use crate::socket;
use crate::system::{self, SIGNALS};

/// Flushes from position 0 on, and sends `SIGALRM` when an entry waits.
fn interrupted_flush(batch: &Batch, count: u32) -> Result<u32, i32> {
    let flusher = system::thread_number();
    thread::scope(|scope| {
        scope.spawn(|| {
            system::wait_until_it_sleeps_in_ioctl(flusher);
            system::signal_thread(flusher, libc::SIGALRM);
        });
        batch.flush(0, count)
    })
}

fn a_wait_is_interrupted(flags: i32) {
    let batch = Batch::new(64);
    let (near, mut far) = UnixStream::pair().expect("sockets");
    let mut byte = [0_u8];
    system::count_signal(libc::SIGALRM, flags);
    batch.put(0, &call(nr::RECVFROM, &[fd(&near), address(&byte), 1, 0, 0, 0]));
    batch.put(1, &call(nr::GETPPID, &[]));
    assert_eq!(interrupted_flush(&batch, 2), Ok(0));
    assert_eq!(SIGNALS.load(Ordering::Relaxed), 1, "the handler ran");
    assert!(batch.is_ready(0) && batch.is_ready(1));
    far.write_all(b"x").expect("room");
    assert_eq!(batch.flush(0, 2), Ok(2));
    assert_eq!(batch.take(0), Some(1));
    assert!(batch.take(1) > Some(0));
    let seen = &mut byte;
    assert_eq!(std::hint::black_box(seen), b"x");
}

pub(crate) fn an_interrupted_wait_stays_ready_with_sa_restart(_: &Options) {
    a_wait_is_interrupted(libc::SA_RESTART);
}

pub(crate) fn an_interrupted_wait_stays_ready_without_sa_restart(_: &Options) {
    a_wait_is_interrupted(0);
}

pub(crate) fn finished_entries_count_before_an_interrupted_one(_: &Options) {
    let batch = Batch::new(64);
    let (near, _far) = UnixStream::pair().expect("sockets");
    let byte = [0_u8];
    system::count_signal(libc::SIGALRM, 0);
    batch.put_all(&[
        call(nr::GETPPID, &[]),
        call(nr::GETPPID, &[]),
        call(nr::READ, &[fd(&near), address(&byte), 1]),
        call(nr::GETPPID, &[]),
    ]);
    assert_eq!(interrupted_flush(&batch, 4), Ok(2));
    assert!(batch.take(0).is_some() && batch.take(1).is_some());
    assert!(batch.is_ready(2) && batch.is_ready(3));
    assert_eq!(batch.device.stats().stopped, 1);
}

pub(crate) fn a_signal_of_an_entry_is_handled_before_the_next(_: &Options) {
    let batch = Batch::new(64);
    let (near, far) = UnixStream::pair().expect("sockets");
    drop(far);
    let byte = [0_u8];
    system::count_signal(libc::SIGPIPE, libc::SA_RESTART);
    batch.put_all(&[
        call(nr::WRITE, &[fd(&near), address(&byte), 1]),
        call(nr::GETPPID, &[]),
        call(nr::GETPPID, &[]),
    ]);
    assert_eq!(batch.flush(0, 3), Ok(1));
    assert_eq!(SIGNALS.load(Ordering::Relaxed), 1);
    assert_eq!(batch.take(0), Some(-i64::from(libc::EPIPE)));
    assert_eq!(batch.flush(1, 2), Ok(2));
}

pub(crate) fn a_storm_of_signals_loses_nothing(_: &Options) {
    let batch = Batch::new(4096);
    let counter = socket::event_counter();
    let one = 1_u64.to_ne_bytes();
    let add = call(nr::WRITE, &[fd(&counter), address(&one), 8]);
    system::count_signal(libc::SIGALRM, libc::SA_RESTART);
    system::alarm(1000, 1000);
    let rounds = 20;
    for _ in 0..rounds {
        batch.put_all(&vec![add; 4096]);
        let mut done = 0;
        while done < 4096 {
            let more = batch.flush(done, 4096 - done).expect("no error");
            assert_ne!(more, 0, "each flush makes progress");
            done += more;
        }
        assert!((0..4096).all(|position| batch.take(position) == Some(8)));
    }
    system::alarm(0, 0);
    let mut sum = [0; 8];
    let read = crate::device::plain(&call(nr::READ, &[fd(&counter), address(&sum), 8]));
    assert_eq!(read, 8);
    let sum = std::hint::black_box(&mut sum);
    assert_eq!(u64::from_ne_bytes(*sum), rounds * 4096, "each entry ran once");
    assert!(SIGNALS.load(Ordering::Relaxed) > 0);
}

pub(crate) fn the_signal_mask_of_epoll_pwait_holds_until_the_handler_ran(_: &Options) {
    let batch = Batch::new(64);
    let epoll = socket::epoll();
    let events = [0_u8; 16];
    let none_blocked = 0_u64;
    system::count_signal(libc::SIGALRM, libc::SA_RESTART);
    system::block(libc::SIGALRM);
    system::alarm(50_000, 0);
    let wait = [fd(&epoll), address(&events), 1, 20_000, address(&none_blocked), 8];
    let results = batch.run(&[call(nr::GETPPID, &[]), call(nr::EPOLL_PWAIT, &wait)]);
    assert_eq!(results[1], -i64::from(libc::EINTR));
    assert_eq!(SIGNALS.load(Ordering::Relaxed), 1);
    assert!(system::is_blocked(libc::SIGALRM), "the old mask is back");
}
