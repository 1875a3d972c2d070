//! Files that wait, and signals.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use esca_sys::{EpollEvent, EpollOp, Errno, Executor, MsgFlags, Operation, Segment, SysResult, Vectored};

use crate::support::{File, failed, ok, pattern, results, run, shared, tcp_pair, unix_pair};

/// A connected pair whose calls wait.
fn waiting_pair() -> (File, File) {
    let (left, right) = UnixStream::pair().unwrap();
    (Arc::new(OwnedFd::from(left)), Arc::new(OwnedFd::from(right)))
}

pub(crate) fn a_socket_that_waits_takes_everything<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = waiting_pair();
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        let mut part = vec![0; 1 << 16];
        loop {
            match rustix::io::read(&right, &mut part).unwrap() {
                0 => return all,
                count => all.extend_from_slice(&part[..count]),
            }
        }
    });
    let bytes = pattern(3 << 20);
    let mut segment = Segment::new(make(), 8).unwrap();
    let mut parts = Vectored::new();
    for chunk in bytes.chunks(700_001) {
        parts.push(chunk.to_vec()).unwrap();
    }
    let mut again = Vectored::new();
    for chunk in bytes.chunks(300_001) {
        again.push(chunk.to_vec()).unwrap();
    }
    segment
        .push(
            Operation::send(shared(&left), bytes.clone(), MsgFlags::NOSIGNAL).linked(),
            0,
        )
        .unwrap();
    segment
        .push(
            Operation::send_vectored(shared(&left), parts, MsgFlags::NOSIGNAL).linked(),
            1,
        )
        .unwrap();
    segment
        .push(Operation::write(shared(&left), bytes.clone()).linked(), 2)
        .unwrap();
    segment.push(Operation::writev(shared(&left), again), 3).unwrap();
    assert_eq!(results(&run(&mut segment)), vec![ok(3 << 20); 4]);
    drop(segment);
    drop(left);
    assert!(reader.join().unwrap() == bytes.repeat(4), "stream differs");
}

pub(crate) fn a_read_waits_for_what_comes_later<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = waiting_pair();
    let (other, _peer) = unix_pair();
    let writer = thread::spawn(move || {
        thread::sleep(Duration::from_millis(30));
        rustix::io::write(&left, b"late").unwrap();
        left
    });
    let mut segment = Segment::new(make(), 8).unwrap();
    segment
        .push(Operation::send(shared(&other), "x", MsgFlags::NOSIGNAL), 0)
        .unwrap();
    segment
        .push(
            Operation::recv(shared(&right), Vec::with_capacity(16), MsgFlags::NONE),
            1,
        )
        .unwrap();
    let never = MsgFlags::DONTWAIT;
    segment
        .push(Operation::recv(shared(&right), Vec::with_capacity(16), never), 2)
        .unwrap();
    let completions = run(&mut segment);
    assert_eq!(results(&completions), [ok(1), ok(4), failed(Errno::EAGAIN)]);
    assert_eq!(completions[1].buffer.as_ref().unwrap().as_slice(), b"late");
    drop(writer.join().unwrap());
}

static COUNT: AtomicU32 = AtomicU32::new(0);
/// The thread whose signals are counted, or 0 for all: other tests raise SIGPIPE on theirs.
static COUNTED: AtomicI32 = AtomicI32::new(0);
/// Handlers are for the whole process, so one test at a time.
static HANDLERS: Mutex<()> = Mutex::new(());

fn thread_id() -> i32 {
    // SAFETY: names the calling thread.
    unsafe { libc::gettid() }
}

extern "C" fn count_signal(_: libc::c_int) {
    let counted = COUNTED.load(Ordering::Relaxed);
    if counted == 0 || counted == thread_id() {
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
}

/// Installs the counting handler and returns what was there.
fn handle(signal: libc::c_int, flags: libc::c_int) -> libc::sigaction {
    // SAFETY: all bits zero is a value of this plain structure.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = count_signal as *const () as usize;
    action.sa_flags = flags;
    // SAFETY: the handler only adds to an atomic.
    let result = unsafe { libc::sigaction(signal, &action, &mut before) };
    assert_eq!(result, 0);
    let counted = if signal == libc::SIGPIPE { thread_id() } else { 0 };
    COUNTED.store(counted, Ordering::Relaxed);
    COUNT.store(0, Ordering::Relaxed);
    before
}

fn restore(signal: libc::c_int, before: &libc::sigaction) {
    // SAFETY: what was installed before is installed again.
    let result = unsafe { libc::sigaction(signal, before, std::ptr::null_mut()) };
    assert_eq!(result, 0);
}

pub(crate) fn sigpipe_is_raised_as_by_plain_calls<X: Executor>(make: impl Fn() -> X) {
    let _one = HANDLERS.lock().unwrap_or_else(PoisonError::into_inner);
    let before = handle(libc::SIGPIPE, 0);
    let (gone, peer) = unix_pair();
    let (pipe_reader, pipe_writer) = rustix::pipe::pipe().unwrap();
    drop((peer, pipe_reader));
    let pipe = Arc::new(pipe_writer);
    let mut segment = Segment::new(make(), 16).unwrap();
    segment
        .push(Operation::send(shared(&gone), "a", MsgFlags::NONE), 0)
        .unwrap();
    segment
        .push(Operation::send(shared(&gone), "a", MsgFlags::NOSIGNAL), 1)
        .unwrap();
    segment.push(Operation::write(shared(&gone), "a"), 2).unwrap();
    segment.push(Operation::write(shared(&pipe), "a"), 3).unwrap();
    let mut parts = Vectored::new();
    parts.push("a").unwrap();
    segment
        .push(Operation::send_vectored(shared(&gone), parts, MsgFlags::NONE), 4)
        .unwrap();
    let all = results(&run(&mut segment));
    let raised = COUNT.load(Ordering::Relaxed);
    restore(libc::SIGPIPE, &before);
    assert_eq!(all, vec![failed(Errno::EPIPE); 5]);
    assert_eq!(raised, 4, "each but the one with MSG_NOSIGNAL");
}

pub(crate) fn sigpipe_is_raised_for_each_send_that_was_merged<X: Executor>(make: impl Fn() -> X) {
    let _one = HANDLERS.lock().unwrap_or_else(PoisonError::into_inner);
    for optimise in [true, false] {
        let before = handle(libc::SIGPIPE, 0);
        let (left, _right) = tcp_pair();
        rustix::net::shutdown(&left, rustix::net::Shutdown::Write).unwrap();
        let mut segment = Segment::new(make(), 8).unwrap();
        segment.set_optimise(optimise);
        for _ in 0..3 {
            let send = Operation::send(shared(&left).assume_tcp(), "x", MsgFlags::NONE);
            segment.push(send, 0).unwrap();
        }
        let all = results(&run(&mut segment));
        let raised = COUNT.load(Ordering::Relaxed);
        restore(libc::SIGPIPE, &before);
        assert_eq!(all, vec![failed(Errno::EPIPE); 3]);
        assert_eq!(raised, 3, "optimiser: {optimise}");
    }
}

pub(crate) fn a_close_is_seen_by_the_wait_behind_it<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = waiting_pair();
    let epoll = rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC).unwrap();
    let epoll = Arc::new(epoll);
    let event = EpollEvent { events: 1, data: 5 };
    let mut segment = Segment::new(make(), 8).unwrap();
    let watch = Operation::epoll_ctl(shared(&epoll), EpollOp::Add, shared(&right), event);
    segment.push(watch, 0).unwrap();
    assert_eq!(results(&run(&mut segment)), [ok(0)]);

    // The last reference to the socket: the peer sees the end only when the close is finished.
    let left = Arc::try_unwrap(left).unwrap();
    let start = Instant::now();
    segment.push(Operation::close(left), 1).unwrap();
    let wait = Operation::epoll_wait(shared(&epoll), Vec::with_capacity(1), 60_000);
    segment.push(wait, 2).unwrap();
    assert_eq!(results(&run(&mut segment)), [ok(0), ok(1)]);
    assert!(
        start.elapsed() < Duration::from_secs(55),
        "the wait ended, but not by the event"
    );
}

/// Runs a batch with a waiting read in the middle while signals arrive.
fn interrupted<X: Executor>(make: &(impl Fn() -> X + Sync), restart: bool) -> Vec<SysResult> {
    let before = handle(libc::SIGUSR1, if restart { libc::SA_RESTART } else { 0 });
    let (left, right) = waiting_pair();
    let (other, _peer) = unix_pair();
    let (sender, receiver) = mpsc::channel();
    let done = AtomicBool::new(false);
    let all = thread::scope(|scope| {
        let worker = scope.spawn(|| {
            // SAFETY: names the calling thread.
            sender.send(unsafe { libc::pthread_self() } as u64).unwrap();
            let mut segment = Segment::new(make(), 8).unwrap();
            segment
                .push(Operation::send(shared(&other), "x", MsgFlags::NOSIGNAL), 0)
                .unwrap();
            let into = Vec::with_capacity(16);
            segment
                .push(Operation::recv(shared(&right), into, MsgFlags::NONE), 1)
                .unwrap();
            segment
                .push(Operation::send(shared(&other), "y", MsgFlags::NOSIGNAL), 2)
                .unwrap();
            let all = results(&run(&mut segment));
            done.store(true, Ordering::Release);
            all
        });
        let thread = receiver.recv().unwrap();
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(10));
            if done.load(Ordering::Acquire) {
                break;
            }
            // SAFETY: the scope joins the thread only below, so the handle is valid.
            unsafe { libc::pthread_kill(thread as libc::pthread_t, libc::SIGUSR1) };
        }
        rustix::io::write(&left, b"data").unwrap();
        worker.join().unwrap()
    });
    restore(libc::SIGUSR1, &before);
    all
}

pub(crate) fn a_signal_ends_a_wait_as_in_a_plain_call<X: Executor>(make: impl Fn() -> X + Sync) {
    let _one = HANDLERS.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(interrupted(&make, false), [ok(1), failed(Errno::EINTR), ok(1)]);
    assert!(COUNT.load(Ordering::Relaxed) > 0);
    assert_eq!(
        interrupted(&make, true),
        [ok(1), ok(4), ok(1)],
        "a call that restarts is not interrupted"
    );
    assert!(COUNT.load(Ordering::Relaxed) > 0);
}
