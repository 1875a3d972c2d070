//! Allocations of the kernel that fail, each in its turn: what was asked for fails with ENOMEM or comes about all the same,
//! and nothing is left behind. For a kernel with fault injection (`Documentation/fault-injection/fault-injection.rst`).

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;

use batch_table::nr::native as nr;

use crate::Options;
use crate::device::{Batch, Device, READ_WRITE, address, call, errno, fd, mapped_size};
use crate::socket;
use crate::system::module_users;

/// Makes the n-th allocation of the calling thread fail.
struct Injector(File);

impl Injector {
    fn new() -> Self {
        let file = File::options()
            .read(true)
            .write(true)
            .open("/proc/thread-self/fail-nth");
        Self(file.expect("a kernel with fault injection"))
    }

    fn arm(&mut self, turn: u32) {
        self.0.write_all(turn.to_string().as_bytes()).expect("armed");
    }

    /// Whether the failure has taken place.
    fn disarm(&mut self) -> bool {
        let mut left = [0; 16];
        let length = self.0.read_at(&mut left, 0).expect("a number");
        let happened = left[..length].trim_ascii() == b"0";
        self.arm(0);
        happened
    }
}

/// Does something with its first allocation failing, then with its second, until it has no more; checks each result.
/// Gives how many of the attempts failed.
fn each_in_turn<T>(
    mut attempt: impl FnMut() -> Result<T, i32>,
    mut check: impl FnMut(Result<T, i32>),
) -> u32 {
    let mut injector = Injector::new();
    let mut failures = 0;
    for turn in 1..1000 {
        injector.arm(turn);
        let result = attempt();
        let happened = injector.disarm();
        match &result {
            Ok(_) => {}
            Err(errno) => {
                assert!(happened, "errno {errno} though no allocation failed");
                assert_eq!(*errno, libc::ENOMEM, "at allocation {turn}");
                failures += 1;
            }
        }
        check(result);
        if !happened {
            return failures;
        }
    }
    panic!("a thousand allocations and no end");
}

/// Opens the device without an allocation in user space.
fn open() -> Result<Device, i32> {
    // SAFETY: a string that ends with zero.
    let fd = unsafe { libc::open(c"/dev/esca".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) };
    if fd < 0 {
        return Err(errno());
    }
    // SAFETY: a new descriptor that nobody else owns.
    Ok(Device(unsafe { File::from_raw_fd(fd) }))
}

pub(crate) fn an_open_fails_cleanly(_: &Options) {
    let failures = each_in_turn(open, drop);
    assert!(failures >= 2, "the file and the device's own memory: {failures}");
    assert_eq!(module_users(), 0);
}

pub(crate) fn a_setup_fails_cleanly(_: &Options) {
    for capacity in [1, 64, 4096] {
        let device = std::cell::RefCell::new(Device::open());
        let failures = each_in_turn(
            || device.borrow().setup(capacity),
            |result| {
                if result.is_err() {
                    assert_eq!(device.borrow().setup(capacity), Ok(()), "it can be tried again");
                }
                *device.borrow_mut() = Device::open();
            },
        );
        assert!(failures >= 2, "of {capacity} entries: {failures}");
    }
    assert_eq!(module_users(), 0);
}

pub(crate) fn a_mapping_fails_cleanly(_: &Options) {
    let device = Device::open();
    device.setup(4096).expect("setup");
    let bytes = mapped_size(4096);
    let unmap = |mapping: std::ptr::NonNull<u8>| {
        // SAFETY: the mapping is this case's own.
        unsafe { libc::munmap(mapping.as_ptr().cast(), bytes) };
    };
    let map = || device.map(bytes, READ_WRITE, libc::MAP_SHARED, 0);
    let failures = each_in_turn(map, |result| match result {
        Ok(mapping) => unmap(mapping),
        Err(_) => unmap(map().expect("it can be tried again")),
    });
    assert!(failures >= 1, "{failures}");
    drop(device);
    assert_eq!(module_users(), 0);
}

pub(crate) fn entries_fail_one_by_one(_: &Options) {
    let batch = Batch::new(64);
    let (near, mut far) = UnixStream::pair().expect("sockets");
    let (sender, mut receiver) = socket::tcp();
    let (epoll, counter) = (socket::epoll(), socket::event_counter());
    let text = *b"text";
    let event = [1_u32, 77, 0];
    let calls = [
        call(nr::GETPPID, &[]),
        call(nr::SENDTO, &[fd(&near), address(&text), 4, 0]),
        call(nr::SENDTO, &[fd(&sender), address(&text), 4, 0]),
        call(nr::EPOLL_CTL, &[fd(&epoll), 1, fd(&counter), address(&event)]),
        call(nr::EPOLL_CTL, &[fd(&epoll), 2, fd(&counter), address(&event)]),
        call(nr::GETPPID, &[]),
    ];
    let count = u32::try_from(calls.len()).expect("few");
    let (no_memory, no_buffers) = (-i64::from(libc::ENOMEM), -i64::from(libc::ENOBUFS));
    let mut failed_entries = 0;
    batch.put_all(&calls);
    let failures = each_in_turn(
        || batch.flush(0, count),
        |result| {
            assert_eq!(result, Ok(count), "a flush needs no memory of its own");
            let results: Vec<i64> = (0..count)
                .map(|position| batch.take(position).expect("finished"))
                .collect();
            assert!(results[0] > 0 && results[0] == results[5], "{results:?}");
            for (sent, stream) in [
                (results[1], &mut far as &mut dyn Read),
                (results[2], &mut receiver),
            ] {
                if sent == 4 {
                    stream.read_exact(&mut [0; 4]).expect("what was sent");
                } else {
                    assert!(sent == no_memory || sent == no_buffers, "{results:?}");
                    failed_entries += 1;
                }
            }
            let removed = if results[3] == 0 {
                0
            } else {
                -i64::from(libc::ENOENT)
            };
            assert!(results[3] == 0 || results[3] == no_memory, "{results:?}");
            assert_eq!(results[4], removed, "{results:?}");
            failed_entries += u32::from(results[3] != 0);
            batch.put_all(&calls);
        },
    );
    assert_eq!(failures, 0);
    assert!(failed_entries >= 2, "{failed_entries}");
}

pub(crate) fn a_query_fails_cleanly(_: &Options) {
    let device = Device::open();
    device.setup(64).expect("setup");
    let none = each_in_turn(|| Ok((device.query().calls, device.stats().flushes)), drop);
    assert_eq!(none, 0, "neither needs memory");
    assert!(device.0.as_raw_fd() >= 0);
}
