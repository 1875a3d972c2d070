//! Who may use a table: the address space that opened the device, with the rights that the caller has at each call.

use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use batch_table::device::FLUSH;
use batch_table::nr::native as nr;

use crate::Options;
use crate::device::{Batch, Device, READ_WRITE, address, call, fd, mapped_size, request_on};
use crate::process::{Child, End};
use crate::system;

pub(crate) fn a_forked_child_is_refused(_: &Options) {
    let batch = Batch::new(64);
    let fresh = Device::open();
    batch.put(0, &call(nr::GETPPID, &[]));
    let child = Child::start(|| {
        assert_eq!(batch.flush(0, 1), Err(libc::EPERM));
        let map = batch.device.map(batch.bytes, READ_WRITE, libc::MAP_SHARED, 0);
        assert_eq!(map, Err(libc::EPERM));
        assert_eq!(fresh.setup(64), Err(libc::EPERM));
        // A device of its own is as good as the parent's.
        let own = Batch::new(64);
        assert!(own.run(&[call(nr::GETPPID, &[])])[0] > 0);
        0
    });
    assert_eq!(child.wait(), End::Code(0));
    assert!(batch.is_ready(0), "the child has not run it");
    assert_eq!(batch.flush(0, 1), Ok(1));
}

pub(crate) fn a_forked_child_does_not_have_the_table(_: &Options) {
    let batch = Batch::new(64);
    // Otherwise the kernel's log tells of the fault.
    std::fs::write("/proc/sys/debug/exception-trace", "0").expect("root");
    let child = Child::start(|| {
        // SAFETY: the mapping of the parent. That it is not there in the child is what this is about.
        i32::from(unsafe { batch.memory.read_volatile() })
    });
    assert_eq!(child.wait(), End::Signal(libc::SIGSEGV));
}

/// What the program does that [`another_program_is_refused`] starts: flushes the inherited device, exits with the error.
pub(crate) fn flush_inherited(fd: Option<String>) -> ExitCode {
    let fd = fd.and_then(|fd| fd.parse().ok()).expect("a descriptor");
    match request_on(fd, FLUSH, 1) {
        Ok(_) => ExitCode::SUCCESS,
        Err(errno) => u8::try_from(errno).unwrap_or(u8::MAX).into(),
    }
}

pub(crate) fn another_program_is_refused(_: &Options) {
    let batch = Batch::new(64);
    batch.put(0, &call(nr::GETPPID, &[]));
    let device = batch.device.0.as_raw_fd();
    // SAFETY: no memory is involved.
    let result = unsafe { libc::fcntl(device, libc::F_SETFD, 0) };
    assert_eq!(result, 0, "close-on-exec is off");
    // Without a child in between: the same process, and then another program in it.
    let child = Child::start(|| {
        let own = Batch::new(64);
        let own = own.device.0.as_raw_fd();
        // SAFETY: as above.
        unsafe { libc::fcntl(own, libc::F_SETFD, 0) };
        let mut program = Command::new("/proc/self/exe");
        panic!("{}", program.args(["--flush-inherited", &own.to_string()]).exec())
    });
    assert_eq!(child.wait(), End::Code(libc::EPERM));
    let mut program = Command::new("/proc/self/exe");
    let status = program.args(["--flush-inherited", &device.to_string()]).status();
    assert_eq!(status.expect("started").code(), Some(libc::EPERM));
    assert!(batch.is_ready(0));
}

pub(crate) fn dropped_privileges_count_for_each_call(_: &Options) {
    let batch = Batch::new(64);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback is up");
    let size = 1_i32 << 20;
    // Beyond the limit for everybody, so it takes a capability.
    let force = call(
        nr::SETSOCKOPT,
        &[
            fd(&socket),
            libc::SOL_SOCKET as u64,
            libc::SO_RCVBUFFORCE as u64,
            address(&size),
            4,
        ],
    );
    assert_eq!(batch.run(&[force]), [0]);
    system::become_nobody();
    // The right to use the device was checked when it was opened; the right to make a call is checked at the call.
    assert_eq!(batch.run(&[force]), [-i64::from(libc::EPERM)]);
    let error = Device::try_open().expect_err("the mode is 0600");
    assert_eq!(error.raw_os_error(), Some(libc::EACCES));
}

pub(crate) fn mappings_of_the_wrong_kind_are_refused(_: &Options) {
    let device = Device::open();
    let bytes = mapped_size(64);
    let map = |len, protection, flags, offset| device.map(len, protection, flags, offset);
    let shared = libc::MAP_SHARED;
    assert_eq!(
        map(bytes, READ_WRITE, shared, 0),
        Err(libc::EINVAL),
        "no table yet"
    );
    device.setup(64).expect("setup");
    assert_eq!(map(bytes, READ_WRITE, libc::MAP_PRIVATE, 0), Err(libc::EINVAL));
    assert_eq!(map(2 * bytes, READ_WRITE, shared, 0), Err(libc::EINVAL));
    assert_eq!(map(bytes, READ_WRITE, shared, 1 << 20), Err(libc::EINVAL));
    assert_eq!(
        map(bytes, READ_WRITE | libc::PROT_EXEC, shared, 0),
        Err(libc::EPERM)
    );
    let memory = map(bytes, READ_WRITE, shared, 0).expect("the right kind");
    // SAFETY: the mapping is this case's own.
    let result = unsafe { libc::mprotect(memory.as_ptr().cast(), bytes, libc::PROT_READ | libc::PROT_EXEC) };
    assert_eq!(result, -1, "a table never becomes executable");
}
