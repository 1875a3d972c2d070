//! Entries, results, ranges and chains.

use std::fs::File;
use std::io::Read;
use std::os::unix::net::UnixStream;

use batch_table::device::{ALLOWED, FLUSH, flush_argument};
use batch_table::nr::native as nr;
use batch_table::{Call, EntryFlags, Features, MAX_CAPACITY, VERSION};

use crate::Options;
use crate::device::{Batch, CANCELED, Device, address, call, fd, linked, plain};

const EPERM: i64 = -(libc::EPERM as i64);
const EBADF: i64 = -(libc::EBADF as i64);
const EINVAL: i64 = -(libc::EINVAL as i64);

fn dev_null() -> File {
    File::options()
        .write(true)
        .open("/dev/null")
        .expect("/dev/null is there")
}

fn parent() -> i64 {
    std::os::unix::process::parent_id().into()
}

pub(crate) fn the_module_runs_every_call_of_the_list(_: &Options) {
    let query = Device::open().query();
    assert_eq!(
        (query.version, query.max_capacity),
        (VERSION.into(), MAX_CAPACITY)
    );
    assert_eq!(query.features, Features::KNOWN.to_raw());
    for nr in 0..512 {
        assert_eq!(query.runs(nr), ALLOWED.contains(&nr), "{nr}");
    }
}

pub(crate) fn one_entry_runs(_: &Options) {
    let batch = Batch::new(64);
    assert_eq!(batch.run(&[call(nr::GETPPID, &[])]), [parent()]);
}

pub(crate) fn results_come_back_entry_by_entry(_: &Options) {
    let batch = Batch::new(64);
    let null = dev_null();
    let text = *b"hello world";
    let results = batch.run(&[
        call(nr::WRITE, &[fd(&null), address(&text), 11]),
        call(nr::WRITE, &[999, address(&text), 11]),
        call(libc::SYS_reboot as u32, &[0, 0, 0]),
        call(0xffff_fff0, &[]),
        call(nr::WRITE, &[fd(&null), address(&text), 5]),
        call(nr::GETPPID, &[]),
    ]);
    assert_eq!(results, [11, EBADF, EPERM, EPERM, 5, parent()]);
}

pub(crate) fn numbers_off_the_list_are_refused(_: &Options) {
    let batch = Batch::new(1024);
    let powers = (9..32).map(|bit| 1 << bit);
    let numbers: Vec<u32> = (0..700)
        .chain(powers.clone())
        .chain(powers.map(|power| power | nr::GETPPID))
        .chain([u32::MAX, u32::MAX - 1])
        .filter(|nr| !ALLOWED.contains(nr))
        .collect();
    let calls: Vec<Call> = numbers.iter().map(|nr| call(*nr, &[])).collect();
    assert!(batch.run(&calls).iter().all(|result| *result == EPERM));
}

pub(crate) fn bad_capacities_and_ranges_are_refused(_: &Options) {
    let device = Device::open();
    let flush = |argument| device.request(FLUSH, argument);
    assert_eq!(flush(1), Err(libc::EINVAL), "no table yet");
    for capacity in [0, 3, 65, 8192, 1 << 32, (1 << 32) + 64, u64::MAX] {
        assert_eq!(device.setup(capacity), Err(libc::EINVAL), "{capacity}");
    }
    assert_eq!(device.setup(64), Ok(()));
    assert_eq!(device.setup(64), Err(libc::EEXIST));
    assert_eq!(device.setup(128), Err(libc::EEXIST));
    for argument in [65, 64 << 16, 64 << 16 | 1, 0xffff, 1 << 32, u64::MAX] {
        assert_eq!(flush(argument), Err(libc::EINVAL), "{argument:#x}");
    }
    assert_eq!(flush(0), Ok(0));
    assert_eq!(flush(64), Ok(64), "nothing is ready, so all is finished");
    assert_eq!(device.request(FLUSH + 100, 0), Err(libc::ENOTTY));
    assert_eq!(device.request(batch_table::device::QUERY, 8), Err(libc::EFAULT));
}

pub(crate) fn a_full_table_runs_in_one_flush(_: &Options) {
    for capacity in [1, 2, 64, MAX_CAPACITY] {
        let batch = Batch::new(capacity);
        let calls = vec![call(nr::GETPPID, &[]); capacity as usize];
        let results = batch.run(&calls);
        assert!(results.iter().all(|result| *result == parent()));
    }
}

pub(crate) fn a_batch_runs_over_the_end_of_the_table(_: &Options) {
    let batch = Batch::new(8);
    let (near, mut far) = UnixStream::pair().expect("sockets");
    let bytes = *b"0123456";
    for offset in 0..7 {
        let byte = address(&bytes[offset as usize]);
        batch.put(5 + offset, &call(nr::WRITE, &[fd(&near), byte, 1]));
    }
    assert_eq!(batch.flush(5, 7), Ok(7));
    let mut seen = [0; 7];
    far.read_exact(&mut seen).expect("seven bytes");
    assert_eq!(seen, bytes, "in order");
    for position in 5..12 {
        assert_eq!(batch.take(position), Some(1));
    }
}

pub(crate) fn entries_that_are_not_ready_are_left_alone(_: &Options) {
    let batch = Batch::new(64);
    batch.put(1, &call(nr::GETPPID, &[]));
    batch.put(3, &call(nr::GETPPID, &[]));
    assert_eq!(batch.flush(0, 3), Ok(3));
    assert_eq!(
        [0, 1, 2].map(|position| batch.take(position)),
        [None, Some(parent()), None]
    );
    assert!(batch.is_ready(3), "it is behind the range");
}

pub(crate) fn unknown_flags_fail_the_entry(_: &Options) {
    let batch = Batch::new(64);
    let wrong = Call {
        flags: EntryFlags::from_raw(0x8002),
        ..call(nr::GETPPID, &[])
    };
    assert_eq!(batch.run(&[wrong, call(nr::GETPPID, &[])]), [EINVAL, parent()]);
}

pub(crate) fn a_failure_cancels_the_rest_of_its_chain(_: &Options) {
    let batch = Batch::new(64);
    let null = dev_null();
    let text = *b"text";
    let good = [fd(&null), address(&text), 4];
    let results = batch.run(&[
        linked(nr::WRITE, &good),
        linked(nr::WRITE, &[999, address(&text), 4]),
        linked(nr::WRITE, &good),
        call(nr::WRITE, &good),
        call(nr::WRITE, &good),
        linked(libc::SYS_reboot as u32, &[]),
        call(nr::WRITE, &good),
    ]);
    assert_eq!(results, [4, EBADF, CANCELED, CANCELED, 4, EPERM, CANCELED]);
}

pub(crate) fn a_short_write_cancels_the_rest_of_its_chain(_: &Options) {
    let batch = Batch::new(64);
    let (near, _far) = crate::socket::tcp();
    near.set_nonblocking(true).expect("nonblocking");
    let long = vec![7; 64 << 20];
    let results = batch.run(&[
        linked(nr::SENDTO, &[fd(&near), address(&long[..]), long.len() as u64]),
        call(nr::SENDTO, &[fd(&near), address(&long[..]), 1]),
        call(nr::GETPPID, &[]),
    ]);
    assert!((1..64 << 20).contains(&results[0]), "{results:?}");
    assert_eq!(results[1..], [CANCELED, parent()]);
}

pub(crate) fn the_header_is_not_trusted(_: &Options) {
    let batch = Batch::new(8);
    for offset in 0..64 {
        // SAFETY: the header is the first 64 bytes of the mapping.
        let byte = unsafe { batch.memory.add(offset) };
        // SAFETY: as above; nothing else looks at it now.
        unsafe { byte.write_volatile(0xff) };
    }
    let argument = flush_argument(0, 9, 4096);
    assert_eq!(batch.device.request(FLUSH, argument), Err(libc::EINVAL));
    assert_eq!(batch.flush(0, 8), Ok(8));
}

pub(crate) fn stats_count(_: &Options) {
    let batch = Batch::new(64);
    assert_eq!(batch.device.stats(), batch_table::device::Stats::default());
    batch.run(&[call(nr::GETPPID, &[]); 3]);
    batch.run(&[call(nr::GETPPID, &[]); 4]);
    assert_eq!(batch.device.request(FLUSH, 65), Err(libc::EINVAL));
    let stats = batch.device.stats();
    assert_eq!((stats.flushes, stats.finished, stats.stopped), (2, 7, 0));
}

pub(crate) fn bad_arguments_fail_as_in_plain_calls(_: &Options) {
    let batch = Batch::new(64);
    let (near, _far) = UnixStream::pair().expect("sockets");
    near.set_nonblocking(true).expect("nonblocking");
    let socket = fd(&near);
    let good = [0_u8; 64];
    let good = address(&good);
    let kernel = 0xffff_8000_0000_0000_u64;
    let mut calls = Vec::new();
    for bad in [0, 8, kernel, u64::MAX, 1 << 47, 1 << 63] {
        calls.extend([
            call(nr::WRITE, &[socket, bad, 10]),
            call(nr::READ, &[socket, bad, 10]),
            call(nr::SENDTO, &[socket, bad, 10, 0]),
            call(nr::WRITEV, &[socket, bad, 1]),
            call(nr::SENDMSG, &[socket, bad, 0]),
            call(nr::RECVMSG, &[socket, bad, 0]),
            call(nr::SETSOCKOPT, &[socket, 1, 7, bad, 4]),
            call(nr::EPOLL_CTL, &[socket, 1, socket, bad]),
            call(nr::EPOLL_PWAIT, &[socket, bad, 1, 0, bad, 8]),
            call(nr::SENDFILE, &[socket, socket, bad, 1]),
        ]);
    }
    for file in [u64::MAX, 1 << 31, 0x7fff_ffff, 999, (1 << 32) | 999] {
        calls.extend([
            call(nr::WRITE, &[file, good, 10]),
            call(nr::READ, &[file, good, 10]),
            call(nr::CLOSE, &[file]),
            call(nr::SENDTO, &[file, good, 10, 0]),
            call(nr::SHUTDOWN, &[file, 0]),
            call(nr::FSYNC, &[file]),
            call(nr::ACCEPT4, &[file, 0, 0, 0]),
            call(nr::SPLICE, &[file, 0, socket, 0, 1, 0]),
        ]);
    }
    calls.extend([
        call(nr::SHUTDOWN, &[socket, 77]),
        call(nr::ACCEPT4, &[socket, 0, 0, 0xdead]),
        call(nr::SETSOCKOPT, &[socket, 99, 99, good, 4]),
        call(nr::WRITEV, &[socket, good, 5000]),
        call(nr::EPOLL_PWAIT, &[socket, good, u64::MAX, 0, 0, 8]),
    ]);
    for call in calls {
        // One by one: an epoll_pwait ends a batch.
        let ours = batch.run(&[call]);
        assert_eq!(ours, [plain(&call)], "{call:?}");
    }
}
