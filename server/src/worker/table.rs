//! Connections by file descriptor.

use std::os::fd::RawFd;

use super::connection::Connection;

/// Connections in one chunk: the kernel gives out the lowest free descriptor, so chunks fill densely, and a chunk never
/// moves, so growing copies nothing.
const CHUNK: usize = 64;

type Chunk = [Option<Connection>; CHUNK];

/// A slot for each descriptor.
#[derive(Debug, Default)]
pub(crate) struct Table {
    chunks: Vec<Option<Box<Chunk>>>,
    len: usize,
}

impl Table {
    /// Open connections.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Puts `connection` at `fd` and returns it.
    pub(crate) fn insert(&mut self, fd: RawFd, connection: Connection) -> &mut Connection {
        let (chunk, at) = split(fd);
        if self.chunks.len() <= chunk {
            self.chunks.resize_with(chunk + 1, || None);
        }
        let chunk = self.chunks[chunk].get_or_insert_with(|| Box::new([const { None }; CHUNK]));
        if chunk[at].is_none() {
            self.len += 1;
        }
        chunk[at].insert(connection)
    }

    pub(crate) fn get_mut(&mut self, fd: RawFd) -> Option<&mut Connection> {
        let (chunk, at) = split(fd);
        self.chunks.get_mut(chunk)?.as_mut()?[at].as_mut()
    }

    pub(crate) fn remove(&mut self, fd: RawFd) -> Option<Connection> {
        let (chunk, at) = split(fd);
        let removed = self.chunks.get_mut(chunk)?.as_mut()?[at].take();
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// Descriptors of all open connections.
    pub(crate) fn descriptors(&self) -> Vec<RawFd> {
        let slots = self.chunks.iter().flatten().flat_map(|chunk| chunk.iter());
        slots.flatten().map(Connection::fd).collect()
    }
}

fn split(fd: RawFd) -> (usize, usize) {
    let index = usize::try_from(fd).unwrap_or(usize::MAX);
    (index / CHUNK, index % CHUNK)
}
