//! What a worker shares with the coroutines that it runs. All of it belongs to one thread.

use std::cell::{Cell, RefCell};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use esca_sys::{AnyExecutor, Segment};

use super::buffers::BufferPool;
use super::clock::Clock;
use crate::Status;
use crate::settings::Settings;
use crate::store::{FileCache, Found};

/// One worker's state apart from its connections.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) segment: RefCell<Segment<AnyExecutor>>,
    /// The worker ends: each response is the last of its connection.
    pub(crate) stopping: Cell<bool>,
    buffers: RefCell<BufferPool>,
    files: RefCell<FileCache>,
}

impl Context {
    pub(crate) fn new(settings: Settings, segment: Segment<AnyExecutor>) -> Self {
        Self {
            settings,
            clock: Clock::new(),
            segment: RefCell::new(segment),
            stopping: Cell::new(false),
            buffers: RefCell::default(),
            files: RefCell::default(),
        }
    }

    pub(crate) fn take_buffer(&self, capacity: usize) -> Vec<u8> {
        self.buffers.borrow_mut().take(capacity)
    }

    pub(crate) fn give_buffer(&self, buffer: Vec<u8>) {
        self.buffers.borrow_mut().give(buffer);
    }

    pub(crate) fn reserve(&self, buffer: &mut Vec<u8>, additional: usize) {
        self.buffers.borrow_mut().reserve(buffer, additional);
    }

    /// A file by way of this worker's cache.
    pub(crate) fn resource(&self, root: &Arc<OwnedFd>, path: &str) -> Result<Found, Status> {
        self.files.borrow_mut().resource(root, path, self.clock.now())
    }
}
