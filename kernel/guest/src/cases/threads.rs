//! Several threads and several tables.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use batch_table::nr::native as nr;

use crate::Options;
use crate::device::{Batch, Device, address, call, fd, plain};
use crate::socket;

/// Takes what was added to a counter.
fn taken(counter: &std::fs::File) -> u64 {
    let mut sum = [0; 8];
    assert_eq!(plain(&call(nr::READ, &[fd(counter), address(&sum), 8])), 8);
    u64::from_ne_bytes(*std::hint::black_box(&mut sum))
}

pub(crate) fn another_thread_may_flush(_: &Options) {
    let batch = Batch::new(64);
    batch.put(0, &call(nr::GETPPID, &[]));
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(batch.flush(0, 1), Ok(1)));
    });
    assert!(batch.take(0) > Some(0));
}

pub(crate) fn threads_that_race_run_each_entry_once(_: &Options) {
    const ENTRIES: u32 = 1024;
    const ROUNDS: u64 = 30;
    let batch = Batch::new(ENTRIES);
    let counter = socket::event_counter();
    let one = 1_u64.to_ne_bytes();
    let add = call(nr::WRITE, &[fd(&counter), address(&one), 8]);
    let busy = AtomicU32::new(0);
    let mut rounds = 0;
    // On a busy machine it may take a while until two of them meet.
    while rounds < ROUNDS || busy.load(Ordering::Relaxed) == 0 {
        rounds += 1;
        batch.put_all(&vec![add; ENTRIES as usize]);
        let start = Barrier::new(4);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    match batch.flush(0, ENTRIES) {
                        Ok(done) => assert_eq!(done, ENTRIES),
                        Err(errno) => {
                            assert_eq!(errno, libc::EBUSY);
                            busy.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert!((0..ENTRIES).all(|position| batch.take(position) == Some(8)));
    }
    assert_eq!(taken(&counter), rounds * u64::from(ENTRIES));
}

pub(crate) fn a_table_in_use_is_busy(_: &Options) {
    let batch = Batch::new(64);
    let (near, far) = std::os::unix::net::UnixStream::pair().expect("sockets");
    let byte = [0_u8];
    batch.put(0, &call(nr::READ, &[fd(&near), address(&byte), 1]));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| batch.flush(0, 1));
        while batch.flush(1, 1) != Err(libc::EBUSY) {
            thread::yield_now();
        }
        assert_eq!(batch.device.setup(64), Err(libc::EBUSY));
        assert_eq!(plain(&call(nr::WRITE, &[fd(&far), address(&byte), 1])), 1);
        assert_eq!(waiting.join().expect("the thread"), Ok(1));
    });
}

pub(crate) fn each_thread_has_a_table_of_its_own(_: &Options) {
    let counter = socket::event_counter();
    let one = 1_u64.to_ne_bytes();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let batch = Batch::new(256);
                let add = call(nr::WRITE, &[fd(&counter), address(&one), 8]);
                for _ in 0..20 {
                    assert!(batch.run(&vec![add; 256]).iter().all(|result| *result == 8));
                }
            });
        }
    });
    assert_eq!(taken(&counter), 8 * 20 * 256);
}

pub(crate) fn only_one_setup_wins(_: &Options) {
    for _ in 0..50 {
        let device = Device::open();
        let (made, start) = (AtomicU32::new(0), Barrier::new(4));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    match device.setup(4096) {
                        Ok(()) => {
                            made.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(errno) => assert!(errno == libc::EBUSY || errno == libc::EEXIST),
                    }
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
    }
}
