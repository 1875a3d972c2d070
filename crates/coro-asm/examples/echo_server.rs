//! A TCP echo server: one thread, epoll, and a coroutine for each connection.
//!
//! Run with `cargo run --release -p coro-asm --features std --example echo_server -- 127.0.0.1:7777`.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use coro_asm::{Coroutine, CoroutineState, PooledStack, StackPool, StackPoolConfig, Yielder};

type Connection = Coroutine<(), (), io::Result<()>, PooledStack>;

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".into());
    let listener = TcpListener::bind(&address)?;
    println!("echoing on {}", listener.local_addr()?);
    serve(&listener, 10_000)
}

/// Reads like a blocking function, for `ready` suspends where it would block.
fn echo(mut stream: &TcpStream, yielder: &Yielder<(), ()>) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let count = ready(yielder, || stream.read(&mut buffer))?;
        let mut rest = &buffer[..count];
        if rest.is_empty() {
            return Ok(());
        }
        while !rest.is_empty() {
            let written = ready(yielder, || stream.write(rest))?;
            rest = &rest[written..];
        }
    }
}

#[inline(always)]
fn ready<T>(yielder: &Yielder<(), ()>, mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match operation() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => yielder.suspend(()),
            result => return result,
        }
    }
}

/// Serves up to `limit` connections at a time.
pub(crate) fn serve(listener: &TcpListener, limit: usize) -> io::Result<()> {
    let pool = StackPool::new(StackPoolConfig::new(16 * 1024, limit)).map_err(io::Error::other)?;
    // SAFETY: it only makes a descriptor, or fails.
    let epoll = cvt(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
    // SAFETY: the descriptor is new, so no one else owns it.
    let epoll = unsafe { OwnedFd::from_raw_fd(epoll) };
    let watch = |fd: RawFd, events: libc::c_int| {
        let mut event = libc::epoll_event {
            events: events.cast_unsigned(),
            u64: fd.unsigned_abs().into(),
        };
        // SAFETY: `event` is valid during the call.
        cvt(unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &raw mut event) })
    };
    listener.set_nonblocking(true)?;
    watch(listener.as_raw_fd(), libc::EPOLLIN)?;
    let mut connections: HashMap<RawFd, Connection> = HashMap::new();
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 256];
    loop {
        // SAFETY: there is room for as many events as are asked for.
        let count = unsafe { libc::epoll_wait(epoll.as_raw_fd(), events.as_mut_ptr(), 256, -1) };
        for event in &events[..usize::try_from(count).unwrap_or(0)] {
            let Ok(fd) = RawFd::try_from(event.u64) else {
                continue;
            };
            if fd == listener.as_raw_fd() {
                while let (Ok((stream, _)), Ok(stack)) = (listener.accept(), pool.acquire()) {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    let fd = stream.as_raw_fd();
                    watch(
                        fd,
                        libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET,
                    )?;
                    let body = move |yielder: &Yielder<(), ()>, ()| echo(&stream, yielder);
                    connections.insert(fd, Coroutine::with_stack(stack, body));
                }
            } else if let Some(connection) = connections.get_mut(&fd)
                && let CoroutineState::Complete(_) = connection.resume(())
            {
                connections.remove(&fd);
            }
        }
    }
}

fn cvt(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
