//! Sends over loopback TCP: single ones, many, answers one behind the other, header and file.

use std::io::Write as _;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::Arc;

use anyhow::Result;
use esca_sys::{AnyExecutor, Descriptor, MsgFlags, Operation, Segment};

use super::drive::{flush, push};
use super::net::Connections;
use super::{executor, plain};
use crate::compare::Workload;

/// Answers in a batch of the pipelined workload.
const PIPELINED: usize = 16;
/// Repetitions in a pass.
const REPEATS: usize = 16;
/// Bytes of a header, as of a small answer.
const HEADER: &[u8; 200] = &[b'h'; 200];
const FILE_LEN: usize = 4096;

/// Connections and the segment that sends on them.
struct Ours {
    segment: Segment<AnyExecutor>,
    descriptors: Vec<Descriptor>,
    connections: Connections,
}

impl Ours {
    fn new(name: &str, count: usize) -> Result<Self> {
        let connections = Connections::new(count)?;
        // Bare numbers, as the rival has them: the connections live as long as the segment.
        // SAFETY: `connections` is dropped after `segment`, which is declared before it.
        let tcp = |sender: &Arc<OwnedFd>| unsafe { Descriptor::raw(sender.as_raw_fd()) }.assume_tcp();
        Ok(Self {
            descriptors: connections.senders.iter().map(tcp).collect(),
            segment: Segment::new(executor(name)?, 64)?,
            connections,
        })
    }

    #[inline(always)]
    fn push(&mut self, operation: Operation) {
        push(&mut self.segment, operation);
    }

    #[inline(always)]
    fn flush(&mut self) -> u64 {
        flush(&mut self.segment)
    }
}

fn empty_ours(ours: &mut Ours) {
    ours.connections.empty();
}

/// One 64-byte send, flushed at once.
///
/// # Errors
///
/// Where sockets cannot be made.
pub fn single(key: &str, name: &str) -> Result<Workload<'static>> {
    let ours = |ours: &mut Ours| {
        let mut sum = 0;
        for _ in 0..REPEATS {
            let socket = ours.descriptors[0].clone();
            ours.push(Operation::send(socket, &[b's'; 64], MsgFlags::NOSIGNAL));
            sum += ours.flush();
        }
        sum
    };
    let plain = |connections: &mut Connections| {
        (0..REPEATS)
            .map(|_| plain::send(&connections.senders[0], &[b's'; 64], 0))
            .sum()
    };
    Ok(Workload::new(key, REPEATS as u64)
        .ours_prepared(name, Ours::new(name, 1)?, empty_ours, ours)
        .rival_prepared("plain", Connections::new(1)?, Connections::empty, plain))
}

/// `count` sends of `len` bytes on as many connections.
///
/// # Errors
///
/// Where sockets cannot be made.
pub fn sends(key: &str, name: &str, count: usize, len: usize) -> Result<Workload<'static>> {
    let bytes: &'static [u8] = vec![b's'; len].leak();
    let ours = move |ours: &mut Ours| {
        for index in 0..count {
            let socket = ours.descriptors[index].clone();
            ours.push(Operation::send(socket, bytes, MsgFlags::NOSIGNAL));
        }
        ours.flush()
    };
    let plain = move |connections: &mut Connections| {
        connections
            .senders
            .iter()
            .map(|sender| plain::send(sender, bytes, 0))
            .sum()
    };
    Ok(Workload::new(key, count as u64)
        .ours_prepared(name, Ours::new(name, count)?, empty_ours, ours)
        .rival_prepared("plain", Connections::new(count)?, Connections::empty, plain))
}

/// Sixteen answers of 200 bytes on one connection, as to a client that pipelines.
///
/// # Errors
///
/// Where sockets cannot be made.
pub fn pipelined(key: &str, name: &str) -> Result<Workload<'static>> {
    let ours = |ours: &mut Ours| {
        for _ in 0..PIPELINED {
            let socket = ours.descriptors[0].clone();
            ours.push(Operation::send(socket, HEADER, MsgFlags::NOSIGNAL));
        }
        ours.flush()
    };
    let plain = |connections: &mut Connections| {
        (0..PIPELINED)
            .map(|_| plain::send(&connections.senders[0], HEADER, 0))
            .sum()
    };
    let more = |connections: &mut Connections| {
        (0..PIPELINED)
            .map(|index| {
                let flag = if index + 1 < PIPELINED { libc::MSG_MORE } else { 0 };
                plain::send(&connections.senders[0], HEADER, flag)
            })
            .sum()
    };
    Ok(Workload::new(key, PIPELINED as u64)
        .ours_prepared(name, Ours::new(name, 1)?, empty_ours, ours)
        .rival_prepared("plain", Connections::new(1)?, Connections::empty, plain)
        .rival_prepared("more", Connections::new(1)?, Connections::empty, more))
}

fn body() -> Result<OwnedFd> {
    let mut file = tempfile::tempfile()?;
    file.write_all(&[b'b'; FILE_LEN])?;
    Ok(file.into())
}

/// A header and a file of 4 KiB on each of sixteen connections: plain, with the cork around, with `MSG_MORE` by hand.
///
/// # Errors
///
/// Where sockets or the file cannot be made.
pub fn header_sendfile(key: &str, name: &str) -> Result<Workload<'static>> {
    let file = Arc::new(body()?);
    let mine = Descriptor::shared(Arc::clone(&file));
    let ours = move |ours: &mut Ours| {
        for index in 0..REPEATS {
            let socket = ours.descriptors[index].clone();
            ours.push(Operation::send(socket.clone(), HEADER, MsgFlags::NOSIGNAL).linked());
            ours.push(Operation::sendfile(socket, mine.clone(), 0, FILE_LEN as u64));
        }
        ours.flush()
    };
    let rival = |flag: i32, cork: bool| {
        let file = Arc::clone(&file);
        move |connections: &mut Connections| {
            let mut sum = 0;
            for sender in &connections.senders {
                if cork {
                    plain::cork(sender, true);
                }
                sum += plain::send(sender, HEADER, flag);
                sum += plain::sendfile(sender, &file, FILE_LEN);
                if cork {
                    plain::cork(sender, false);
                }
            }
            sum
        }
    };
    let connections = || Connections::new(REPEATS);
    Ok(Workload::new(key, REPEATS as u64)
        .ours_prepared(name, Ours::new(name, REPEATS)?, empty_ours, ours)
        .rival_prepared("plain", connections()?, Connections::empty, rival(0, false))
        .rival_prepared("cork", connections()?, Connections::empty, rival(0, true))
        .rival_prepared(
            "more",
            connections()?,
            Connections::empty,
            rival(libc::MSG_MORE, false),
        ))
}
