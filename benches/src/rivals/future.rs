use core::cell::Cell;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::rc::Rc;

use anyhow::Result;

use crate::coro::{Resume, Spawn};

/// Boxed futures polled by hand: what async Rust does instead of a stack.
///
/// Values travel through one mailbox that all of them share.
#[derive(Default)]
pub(crate) struct BoxedFuture {
    mailbox: Rc<Cell<u64>>,
}

impl BoxedFuture {
    /// No future yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }
}

/// A future under way.
pub(crate) struct Polled {
    future: Pin<Box<dyn Future<Output = ()>>>,
    mailbox: Rc<Cell<u64>>,
}

/// Pending once, then ready.
struct Suspend(bool);

impl Future for Suspend {
    type Output = ();

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        Poll::Pending
    }
}

impl Resume for Polled {
    #[inline(always)]
    fn resume(&mut self, input: u64) -> u64 {
        self.mailbox.set(input);
        let mut context = Context::from_waker(Waker::noop());
        let poll = self.future.as_mut().poll(&mut context);
        debug_assert!(poll.is_pending());
        self.mailbox.get()
    }
}

impl Spawn for BoxedFuture {
    type Coroutine = Polled;

    /// Frames are not built: the compiler would melt nested futures into one state machine.
    fn spawn<const FRAMES: usize, const LINES: usize>(&mut self, id: u64) -> Result<Polled> {
        let mailbox = Rc::clone(&self.mailbox);
        let future = async move {
            loop {
                mailbox.set(mailbox.get() ^ id);
                Suspend(false).await;
            }
        };
        Ok(Polled {
            future: Box::pin(future),
            mailbox: Rc::clone(&self.mailbox),
        })
    }
}
