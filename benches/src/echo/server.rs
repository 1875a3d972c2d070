use core::net::SocketAddr;
use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use anyhow::Result;
use coro_asm::{Coroutine, CoroutineState, PooledStack, StackPool, StackPoolConfig, Yielder};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{CreateFlags, EventData, EventFlags, add, create, wait};
use rustix::io::retry_on_intr;

use super::Backend;
use crate::rivals::{UcontextTask, UcontextTasks};

const STACK_BYTES: usize = 16 << 10;

/// Serves up to `limit` connections at a time, until the process is killed.
///
/// # Errors
///
/// When the address is taken, or the stacks cannot be mapped.
pub fn serve(backend: Backend, address: SocketAddr, limit: usize) -> Result<()> {
    match backend {
        Backend::CoroAsm => run(address, StackPool::new(StackPoolConfig::new(STACK_BYTES, limit))?),
        Backend::Ucontext => run(address, UcontextTasks::new(limit)?),
    }
}

/// What makes coroutines.
trait Switch {
    type Connection;

    /// A coroutine that echoes what comes, suspended where nothing does; `None` when there is no room for another.
    fn start(&mut self, stream: TcpStream) -> Result<Option<Self::Connection>>;

    /// Goes on with it, and tells whether it has ended.
    fn resume(&mut self, connection: &mut Self::Connection) -> bool;
}

impl Switch for StackPool {
    type Connection = Coroutine<(), (), (), PooledStack>;

    fn start(&mut self, stream: TcpStream) -> Result<Option<Self::Connection>> {
        let body = move |yielder: &Yielder<(), ()>, ()| echo(&stream, || yielder.suspend(()));
        Ok(self
            .acquire()
            .ok()
            .map(|stack| Coroutine::with_stack(stack, body)))
    }

    fn resume(&mut self, connection: &mut Self::Connection) -> bool {
        matches!(connection.resume(()), CoroutineState::Complete(()))
    }
}

impl Switch for UcontextTasks {
    type Connection = UcontextTask;

    fn start(&mut self, stream: TcpStream) -> Result<Option<Self::Connection>> {
        Self::start(self, move |suspend| echo(&stream, suspend)).transpose()
    }

    fn resume(&mut self, connection: &mut Self::Connection) -> bool {
        let ended = connection.resume();
        if ended {
            self.finish(connection);
        }
        ended
    }
}

/// The body of the echo server of coro-asm's examples. An error ends the connection.
#[inline(always)]
fn echo(mut stream: &TcpStream, suspend: impl Fn()) {
    let mut buffer = [0; 4096];
    while let Some(count) = ready(&suspend, || stream.read(&mut buffer))
        && count > 0
    {
        let mut sent = 0;
        while sent < count {
            let Some(written) = ready(&suspend, || stream.write(&buffer[sent..count])) else {
                return;
            };
            sent += written;
        }
    }
}

#[inline(always)]
fn ready(suspend: &impl Fn(), mut operation: impl FnMut() -> std::io::Result<usize>) -> Option<usize> {
    loop {
        match operation() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => suspend(),
            result => return result.ok(),
        }
    }
}

/// Its loop.
fn run<S: Switch>(address: SocketAddr, mut switch: S) -> Result<()> {
    let listener = TcpListener::bind(address)?;
    let poll = create(CreateFlags::CLOEXEC)?;
    listener.set_nonblocking(true)?;
    add(&poll, &listener, EventData::new_u64(u64::MAX), EventFlags::IN)?;
    let mut connections = HashMap::new();
    let mut events = Vec::with_capacity(256);
    loop {
        retry_on_intr(|| wait(&poll, spare_capacity(&mut events), None))?;
        for number in events.drain(..).map(|event| event.data.u64()) {
            if number == u64::MAX {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    let number = u64::from(stream.as_raw_fd().unsigned_abs());
                    let events = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
                    add(&poll, &stream, EventData::new_u64(number), events)?;
                    if let Some(connection) = switch.start(stream)? {
                        connections.insert(number, connection);
                    }
                }
            } else if let Some(connection) = connections.get_mut(&number)
                && switch.resume(connection)
            {
                connections.remove(&number);
            }
        }
    }
}
