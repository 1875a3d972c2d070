//! A TCP echo server: one thread, epoll, and a coroutine for each connection.
//!
//! Run with `cargo run --release -p coro-asm --features std --example echo_server -- 127.0.0.1:7777`.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use coro_asm::{Coroutine, CoroutineState, StackPool, StackPoolConfig, Yielder};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{CreateFlags, EventData, EventFlags, add, create, wait};
use rustix::io::retry_on_intr;

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".into());
    serve(&TcpListener::bind(address)?, 10_000)
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
            rest = &rest[ready(yielder, || stream.write(rest))?..];
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
    let poll = create(CreateFlags::CLOEXEC)?;
    listener.set_nonblocking(true)?;
    add(&poll, listener, EventData::new_u64(u64::MAX), EventFlags::IN)?;
    let (mut connections, mut events) = (HashMap::new(), Vec::with_capacity(256));
    loop {
        retry_on_intr(|| wait(&poll, spare_capacity(&mut events), None))?;
        for number in events.drain(..).map(|event| event.data.u64()) {
            if number == u64::MAX {
                while let (Ok((stream, _)), Ok(stack)) = (listener.accept(), pool.acquire()) {
                    stream.set_nonblocking(true)?;
                    let number = u64::from(stream.as_raw_fd().unsigned_abs());
                    let events = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
                    add(&poll, &stream, EventData::new_u64(number), events)?;
                    let body = move |yielder: &Yielder<(), ()>, ()| echo(&stream, yielder);
                    connections.insert(number, Coroutine::with_stack(stack, body));
                }
            } else if let Some(connection) = connections.get_mut(&number)
                && let CoroutineState::Complete(_) = connection.resume(())
            {
                connections.remove(&number);
            }
        }
    }
}
