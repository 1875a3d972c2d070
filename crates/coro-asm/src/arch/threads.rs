//! A thread for each coroutine, where assembly cannot run: under Miri.
//!
//! One of the two threads runs at any time, and the hand-over orders what they do, so this is a switch to all that the crate
//! promises, but for what lies in thread-local storage. The memory of a stack holds the record and the body; frames are
//! on the thread's own. A coroutine that is leaked leaves its thread waiting for ever.
//!
//! A suspended context's stack pointer is the address of its [`Channel`], which is also what the link holds.

use alloc::sync::Arc;
use core::ptr::{self, NonNull};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::raw::{Link, Root, Word};

/// Program counters, which are only ever compared.
const FRESH: usize = 1;
const SUSPENDED: usize = 2;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Resumer,
    Coroutine,
}

/// What is between a coroutine and its resumer.
struct Channel {
    state: Mutex<State>,
    handed_over: Condvar,
}

struct State {
    running: Side,
    word: Word,
    signal: usize,
    finished: bool,
    thread: Option<JoinHandle<()>>,
}

// SAFETY: the word is only passed on; what it means is between the two sides, of which one runs at a time.
unsafe impl Send for State {}

/// What a thread begins with.
struct Start {
    entry: Root,
    top: NonNull<u8>,
    link: NonNull<Link>,
    channel: Arc<Channel>,
}

// SAFETY: the coroutine is used as if it ran on its resumer's thread: never at the same time, and each hand-over happens before
// what follows it.
unsafe impl Send for Start {}

impl Start {
    fn run(self) {
        let (word, signal) = self.channel.wait(Side::Coroutine);
        // SAFETY: `resume` was called with a fresh context, whose link holds this function, and its value and signal.
        let word = unsafe { (self.entry)(word, self.link, signal, self.top) };
        let mut state = self.channel.lock();
        state.finished = true;
        self.channel.hand_over(&mut state, Side::Resumer, word, 0);
    }
}

impl Channel {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_over(&self, state: &mut State, side: Side, word: Word, signal: usize) {
        state.running = side;
        state.word = word;
        state.signal = signal;
        self.handed_over.notify_all();
    }

    fn wait(&self, side: Side) -> (Word, usize) {
        let mut state = self.lock();
        while state.running != side {
            state = self
                .handed_over
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        (state.word, state.signal)
    }

    /// Lets the other side run until it hands back to `side`.
    fn switch(&self, side: Side, word: Word, signal: usize) -> (Word, usize) {
        let other = match side {
            Side::Resumer => Side::Coroutine,
            Side::Coroutine => Side::Resumer,
        };
        self.hand_over(&mut self.lock(), other, word, signal);
        self.wait(side)
    }
}

/// As for the other architectures.
///
/// # Safety
/// - As for the other architectures.
pub(crate) unsafe fn resume(
    link: *mut Link,
    sp: *mut u8,
    pc: usize,
    value: Word,
    signal: usize,
) -> (*mut u8, usize, Word) {
    let channel = if pc == FRESH {
        // SAFETY: the link of a fresh context begins with its entry function.
        let entry = unsafe { link.cast::<Root>().read() };
        // SAFETY: a link is no null pointer.
        let link = unsafe { NonNull::new_unchecked(link) };
        // SAFETY: nor is the top of a stack.
        let top = unsafe { NonNull::new_unchecked(sp) };
        start(entry, top, link)
    } else {
        sp.cast::<Channel>().cast_const()
    };
    // SAFETY: it came from `Arc::into_raw` and is released when the coroutine is finished, below.
    let channel_ref = unsafe { &*channel };
    let (word, _) = channel_ref.switch(Side::Resumer, value, signal);
    if !channel_ref.lock().finished {
        return (channel.cast_mut().cast(), SUSPENDED, word);
    }
    // SAFETY: as above; a finished context is never resumed, so this is the one time.
    let channel = unsafe { Arc::from_raw(channel) };
    let thread = channel.lock().thread.take();
    // The thread has nothing left to do that could fail.
    let _ = thread.map(JoinHandle::join);
    (link.cast(), 0, word)
}

/// Makes the thread of a fresh coroutine, which waits.
fn start(entry: Root, top: NonNull<u8>, link: NonNull<Link>) -> *const Channel {
    let channel = Arc::new(Channel {
        state: Mutex::new(State {
            running: Side::Resumer,
            word: Word::uninit(),
            signal: 0,
            finished: false,
            thread: None,
        }),
        handed_over: Condvar::new(),
    });
    let parts = Start {
        entry,
        top,
        link,
        channel: Arc::clone(&channel),
    };
    let thread = std::thread::spawn(move || {
        // All of it at once, and not its fields one by one, which are not `Send`.
        let parts = parts;
        parts.run();
    });
    channel.lock().thread = Some(thread);
    let channel = Arc::into_raw(channel);
    // SAFETY: the link is writable, and its first word is the parent; the coroutine has not begun to run.
    unsafe { link.cast::<usize>().write(channel.expose_provenance()) };
    channel
}

/// As for the other architectures; `parent` is the coroutine's channel.
///
/// # Safety
/// - As for the other architectures.
pub(crate) unsafe fn suspend(link: usize, parent: usize, value: Word) -> (usize, usize, Word, usize) {
    // SAFETY: the link holds the address of the channel, which lives until the coroutine is finished.
    let channel = unsafe { &*ptr::with_exposed_provenance::<Channel>(parent) };
    let (word, signal) = channel.switch(Side::Coroutine, value, 0);
    (link, parent, word, signal)
}

/// A switch to another thread waits for more than a cache line.
pub(crate) fn prefetch(_address: *const u8) {}

/// What a fresh context has for a program counter.
pub(crate) fn entry_pc() -> usize {
    FRESH
}

/// Threads do not switch stacks.
pub(crate) fn shadow_stack_enabled() -> bool {
    false
}

/// Each thread has its own.
#[derive(Clone, Copy)]
pub(crate) struct FpControl;

impl FpControl {
    pub(crate) fn current() -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "as for the other architectures")]
    pub(crate) fn restore(self) {}
}
