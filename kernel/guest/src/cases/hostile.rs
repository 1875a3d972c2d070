//! A table that another thread rewrites while the module walks it.

use std::fs::File;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use batch_table::device::ALLOWED;
use batch_table::nr::native as nr;

use crate::Options;
use crate::device::{Batch, call};
use crate::random::Random;
use crate::{socket, system};

const ENTRIES: u32 = 128;
/// Descriptors that hostile entries use and close: none of those that the test itself needs.
const FIRST_FD: RawFd = 20;
const FDS: RawFd = 40;
/// Small numbers that mean something in many calls. As descriptors they are nothing that the test itself needs, either.
const SMALL: [u64; 8] = [0, 1, 2, 3, 8, 0x40, 0x100, 0x4000];
const SCRATCH: usize = 1 << 20;

/// Memory that calls may overwrite, with pages on both sides that nobody may touch.
fn scratch() -> u64 {
    let fence = 1 << 16;
    let (length, flags) = (SCRATCH + 2 * fence, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping at an address of the kernel's choice.
    let start = unsafe { libc::mmap(ptr::null_mut(), length, libc::PROT_NONE, flags, -1, 0) };
    assert_ne!(start, libc::MAP_FAILED, "mmap");
    // SAFETY: inside of the mapping.
    let middle = unsafe { start.byte_add(fence) };
    // SAFETY: the middle of the new mapping.
    let result = unsafe { libc::mprotect(middle, SCRATCH, libc::PROT_READ | libc::PROT_WRITE) };
    assert_eq!(result, 0, "mprotect");
    middle.expose_provenance() as u64
}

/// Opens files of many kinds at the numbers that hostile entries use.
fn open_all(random: &mut Random) {
    let place = |file: RawFd, number: RawFd| {
        // SAFETY: the numbers are reserved for this; whatever was open there is not used by Rust code.
        let result = unsafe { libc::dup2(file, number) };
        assert_eq!(result, number, "dup2");
        // SAFETY: the original is this function's own.
        unsafe { libc::close(file) };
    };
    let mut number = FIRST_FD;
    while number + 8 <= FIRST_FD + FDS {
        let (near, far) = UnixStream::pair().expect("sockets");
        near.set_nonblocking(random.below(2) == 0).expect("nonblocking");
        let (client, server) = socket::tcp();
        client.set_nonblocking(true).expect("nonblocking");
        let others = [
            near.into_raw_fd(),
            far.into_raw_fd(),
            client.into_raw_fd(),
            server.into_raw_fd(),
            UdpSocket::bind("127.0.0.1:0").expect("udp").into_raw_fd(),
            TcpListener::bind("127.0.0.1:0").expect("tcp").into_raw_fd(),
            socket::memory_file().into_raw_fd(),
            if random.below(2) == 0 {
                socket::event_counter().into_raw_fd()
            } else {
                socket::epoll().into_raw_fd()
            },
        ];
        for file in others {
            place(file, number);
            number += 1;
        }
    }
}

/// A limit that nobody raises again.
fn limit(resource: libc::__rlimit_resource_t, to: u64) {
    let limit = libc::rlimit {
        rlim_cur: to,
        rlim_max: to,
    };
    // SAFETY: the structure is read before the call returns.
    let result = unsafe { libc::setrlimit(resource, &raw const limit) };
    assert_eq!(result, 0, "setrlimit");
}

/// Something that an argument may be.
fn argument(random: &mut Random, scratch: u64) -> u64 {
    let fd = FIRST_FD.cast_unsigned();
    match random.below(8) {
        0..=2 => u64::from(fd) + random.below(u64::from(FDS.cast_unsigned())),
        3 => scratch + random.below(SCRATCH as u64),
        // Nothing below: a descriptor of the test's own, closed by an entry, would end the test at its second close.
        4 => u64::from(fd) + random.below(70_000),
        5 => random.pick(&SMALL),
        6 => 0xffff_8000_0000_0000 | random.next() >> 17,
        _ => random.pick(&[u64::MAX, 1 << 63, 1 << 47, u64::from(u32::MAX), 1 << 31, 999]),
    }
}

/// Writes anything to any field of any entry until told to stop.
fn rewrite(memory: NonNull<u8>, scratch: u64, stop: &AtomicBool) {
    let mut random = Random::new(0x5eed);
    while !stop.load(Ordering::Relaxed) {
        let entry = 64 + 64 * random.below(ENTRIES.into()) as usize;
        // SAFETY: inside of the mapping, as are all fields below: it has a header and `ENTRIES` entries of 64 bytes.
        let entry = unsafe { memory.add(entry) };
        match random.below(16) {
            0..=2 => {
                let value = match random.below(8) {
                    0 => random.next() as u32,
                    1 => random.below(600) as u32,
                    _ => random.pick(&ALLOWED),
                };
                // SAFETY: see above; a field of four bytes at offset 0.
                unsafe { entry.cast::<u32>().write_volatile(value) };
            }
            3 => {
                let value = random.pick(&[0, 0, 0, 1, 1, 0xffff]);
                // SAFETY: see above.
                let field = unsafe { entry.add(4) }.cast::<u16>();
                // SAFETY: see above; a field of two bytes at offset 4.
                unsafe { field.write_volatile(value) };
            }
            4..=6 => {
                let value = random.pick(&[1, 1, 1, 1, 1, 0, 2, 3, 77]);
                // SAFETY: see above.
                let field = unsafe { entry.add(6) }.cast::<u16>();
                // SAFETY: see above; a field of two bytes at offset 6.
                unsafe { field.write_volatile(value) };
            }
            _ => {
                let offset = 8 + 8 * random.below(7) as usize;
                let value = argument(&mut random, scratch);
                // SAFETY: see above.
                let field = unsafe { entry.add(offset) }.cast::<u64>();
                // SAFETY: see above; a field of eight bytes at a multiple of 8.
                unsafe { field.write_volatile(value) };
            }
        }
        if random.below(1000) == 0 {
            // SAFETY: the header is the first 64 bytes.
            let header = unsafe { memory.add(random.below(64) as usize) };
            // SAFETY: see above.
            unsafe { header.write_volatile(random.next() as u8) };
        }
    }
}

pub(crate) fn a_writer_on_the_shared_table_changes_nothing_for_the_kernel(options: &Options) {
    let batch = Batch::new(ENTRIES);
    let scratch = scratch();
    let null = File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .expect("there");
    for standard in 0..3 {
        // SAFETY: the case runs in a process of its own, which prints nothing.
        unsafe { libc::dup2(null.as_raw_fd(), standard) };
    }
    drop(null);
    let own = batch.device.0.as_raw_fd();
    assert!(
        own < FIRST_FD && !SMALL.contains(&u64::from(own.cast_unsigned())),
        "descriptor {own} is within reach of the entries"
    );
    let mut random = Random::new(7);
    open_all(&mut random);
    limit(libc::RLIMIT_NOFILE, 512);
    limit(libc::RLIMIT_FSIZE, 8 << 20);
    system::count_signal(libc::SIGXFSZ, libc::SA_RESTART);
    system::count_signal(libc::SIGALRM, 0);
    let stop = AtomicBool::new(false);
    let started = Instant::now();
    let (mut flushes, mut finished) = (0_u64, 0_u64);
    thread::scope(|scope| {
        let table = batch.memory.as_ptr().expose_provenance();
        let stop = &stop;
        system::block(libc::SIGALRM);
        scope.spawn(move || {
            let memory = NonNull::new(ptr::with_exposed_provenance_mut(table)).expect("not 0");
            rewrite(memory, scratch, stop);
        });
        system::unblock(libc::SIGALRM);
        // Whatever waits is woken.
        system::alarm(5000, 5000);
        while started.elapsed() < options.duration {
            let first = random.below(ENTRIES.into()) as u32;
            let count = 1 + random.below(ENTRIES.into()) as u32;
            match batch.flush(first, count) {
                Ok(done) => {
                    assert!(done <= count);
                    finished += u64::from(done);
                }
                Err(errno) => assert_eq!(errno, 0, "no error of the flush itself"),
            }
            flushes += 1;
            if flushes.is_multiple_of(4096) {
                open_all(&mut random);
            }
        }
        system::alarm(0, 0);
        stop.store(true, Ordering::Relaxed);
    });
    assert!(
        flushes > 100 && finished > flushes,
        "{flushes} flushes, {finished} entries"
    );
}

pub(crate) fn a_writer_that_swaps_numbers_reaches_no_other_call(_: &Options) {
    // One thread turns `getppid` into calls that would be seen: a directory made, a file system synced, a reboot.
    const OTHERS: [u32; 3] = [
        libc::SYS_mkdirat as u32,
        libc::SYS_sethostname as u32,
        libc::SYS_kill as u32,
    ];
    let batch = Batch::new(64);
    let folder = c"/tmp/made-by-an-entry";
    let at = folder.as_ptr().expose_provenance() as u64;
    let here = u64::from(libc::AT_FDCWD.cast_unsigned());
    let entry = call(nr::GETPPID, &[here, at, 0o700]);
    let stop = AtomicBool::new(false);
    let started = Instant::now();
    thread::scope(|scope| {
        let table = batch.memory.as_ptr().expose_provenance();
        let stop = &stop;
        scope.spawn(move || {
            let memory: NonNull<u8> = NonNull::new(ptr::with_exposed_provenance_mut(table)).expect("not 0");
            let mut random = Random::new(3);
            while !stop.load(Ordering::Relaxed) {
                let offset = 64 + 64 * random.below(64) as usize;
                // SAFETY: inside of the mapping: a header and 64 entries of 64 bytes.
                let number = unsafe { memory.add(offset) }.cast::<u32>();
                let value = if random.below(2) == 0 {
                    random.pick(&OTHERS)
                } else {
                    nr::GETPPID
                };
                // SAFETY: see above; the field of four bytes at offset 0.
                unsafe { number.write_volatile(value) };
            }
        });
        let (mut ran, mut refused) = (0, 0);
        while started.elapsed() < Duration::from_secs(3) || ran == 0 || refused == 0 {
            batch.put_all(&[entry; 64]);
            assert_eq!(batch.flush(0, 64), Ok(64));
            for position in 0..64 {
                match batch.take(position).expect("finished") {
                    result if result == -i64::from(libc::EPERM) => refused += 1,
                    result => {
                        assert!(result > 0, "a process number: {result}");
                        ran += 1;
                    }
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(!std::path::Path::new("/tmp/made-by-an-entry").exists());
}
