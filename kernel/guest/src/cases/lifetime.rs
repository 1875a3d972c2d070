//! What is left behind, and what keeps the module loaded.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use batch_table::device::PATH;
use batch_table::nr::native as nr;

use super::Passed;
use crate::Options;
use crate::device::{Batch, Device, READ_WRITE, address, call, errno, fd};
use crate::process::{Child, End};
use crate::system::{memory, module_users};

/// Tries to unload the module.
fn unload() -> Result<(), i32> {
    // SAFETY: the name ends with zero.
    let result = unsafe { libc::syscall(libc::SYS_delete_module, c"esca".as_ptr(), libc::O_NONBLOCK) };
    if result == 0 { Ok(()) } else { Err(errno()) }
}

/// Waits for the kernel to have noticed that a process is gone.
fn no_users_soon() {
    let started = Instant::now();
    while module_users() > 0 {
        assert!(started.elapsed() < Duration::from_secs(60), "still in use");
        thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn a_module_in_use_is_not_unloaded(_: &Options) {
    assert_eq!(module_users(), 0);
    let device = Device::open();
    assert_eq!(unload(), Err(libc::EAGAIN), "an open file");
    device.setup(64).expect("setup");
    let bytes = crate::device::mapped_size(64);
    let mapping = device.map(bytes, READ_WRITE, libc::MAP_SHARED, 0).expect("mmap");
    drop(device);
    assert_eq!(unload(), Err(libc::EAGAIN), "a mapping alone");
    // SAFETY: the mapping is this case's own.
    unsafe { libc::munmap(mapping.as_ptr().cast(), bytes) };
    assert_eq!(module_users(), 0);
}

pub(crate) fn a_module_is_unloaded_and_loaded_again(options: &Options) -> Passed {
    let Some(module) = &options.module else {
        return Passed::Ignored;
    };
    let file = File::open(module).expect("the module's file");
    for _ in 0..3 {
        assert_eq!(unload(), Ok(()));
        assert!(!Path::new(PATH).exists());
        // SAFETY: the parameters are an empty string.
        let result = unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), 0) };
        assert_eq!(result, 0, "finit_module: {}", errno());
        let batch = Batch::new(64);
        assert!(batch.run(&[call(nr::GETPPID, &[])])[0] > 0);
    }
    Passed::Yes
}

pub(crate) fn a_killed_waiter_leaves_nothing(_: &Options) {
    let (near, mut far) = UnixStream::pair().expect("sockets");
    let (waiting, _quiet) = UnixStream::pair().expect("sockets");
    let child = Child::start(|| {
        let batch = Batch::new(64);
        let byte = [0_u8];
        batch.put_all(&[
            call(nr::WRITE, &[fd(&near), address(&byte), 1]),
            call(nr::READ, &[fd(&waiting), address(&byte), 1]),
            call(nr::WRITE, &[fd(&near), address(&byte), 1]),
        ]);
        i32::from(batch.flush(0, 3).is_err())
    });
    drop(near);
    let mut byte = [0];
    far.read_exact(&mut byte).expect("it is in mid-batch");
    child.kill(libc::SIGKILL);
    assert_eq!(child.wait(), End::Signal(libc::SIGKILL));
    assert_eq!(
        far.read(&mut byte).expect("closed"),
        0,
        "nothing ran behind the kill"
    );
    no_users_soon();
}

pub(crate) fn a_killed_runner_leaves_nothing(_: &Options) {
    for pause in 0..30 {
        let (mut ours, theirs) = UnixStream::pair().expect("sockets");
        let child = Child::start(|| {
            let batch = Batch::new(4096);
            let null = File::options().write(true).open("/dev/null").expect("there");
            let byte = [0_u8];
            let calls = vec![call(nr::WRITE, &[fd(&null), address(&byte), 1]); 4095];
            batch.put(4095, &call(nr::WRITE, &[fd(&theirs), address(&byte), 1]));
            loop {
                batch.put_all(&calls);
                if batch.flush(0, 4096) != Ok(4096) {
                    return 1;
                }
                for position in 0..4096 {
                    batch.take(position);
                }
            }
        });
        ours.read_exact(&mut [0]).expect("it runs");
        thread::sleep(Duration::from_micros(300 * pause));
        child.kill(libc::SIGKILL);
        assert_eq!(child.wait(), End::Signal(libc::SIGKILL));
    }
    no_users_soon();
}

pub(crate) fn many_tables_leave_no_page(options: &Options) {
    let cycle = |count: u32| {
        for turn in 0..count {
            drop(Batch::new(if turn % 64 == 0 { 4096 } else { 64 }));
        }
    };
    let state = || ["VmallocUsed:", "SUnreclaim:", "MemFree:"].map(memory);
    cycle(2000);
    let before = state();
    cycle(options.tables);
    // What was freed may still be on its way through a grace period.
    let limit_kib = [512, 8192, 32768];
    let mut grown = [0; 3];
    for _ in 0..100 {
        let after = state();
        grown = [after[0] - before[0], after[1] - before[1], before[2] - after[2]];
        if grown.iter().zip(limit_kib).all(|(grown, limit)| *grown <= limit) {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("grown by {grown:?} KiB: mapped kernel memory, slabs, used memory");
}

pub(crate) fn tables_without_a_mapping_leave_no_page(_: &Options) {
    let before = memory("VmallocUsed:");
    for _ in 0..5000 {
        Device::open().setup(4096).expect("setup");
    }
    let grown = memory("VmallocUsed:") - before;
    assert!(grown <= 1024, "grown by {grown} KiB");
}

pub(crate) fn the_kernel_has_not_complained(_: &Options) {
    // include/linux/panic.h: a bug or an oops, and a warning.
    const DIE: u64 = 1 << 7;
    const WARN: u64 = 1 << 9;
    let text = std::fs::read_to_string("/proc/sys/kernel/tainted").expect("proc is mounted");
    let taint: u64 = text.trim().parse().expect("a number");
    assert_eq!(taint & (DIE | WARN), 0, "taint {taint:#x}");
}
