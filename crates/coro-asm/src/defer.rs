//! Cleanups that a coroutine leaves for its end.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::Cell;
use core::marker::PhantomData;
use core::ptr;

use crate::unwind::{self, Payload};

/// A cleanup that was [deferred](crate::Yielder::defer), to [disarm](crate::Yielder::disarm) it by.
///
/// It lives no longer than the coroutine's body, so that it cannot meet the cleanups of a later one on the same stack.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Deferred<'a> {
    serial: u64,
    /// Whose cleanup it is.
    list: *const DeferList,
    body: PhantomData<&'a DeferList>,
}

/// The cleanups of one coroutine. Empty, it is one null word.
///
/// The list is taken out of its cell for each operation, during which no code of a user runs.
#[derive(Default)]
pub(crate) struct DeferList {
    list: Cell<Option<Box<List>>>,
}

#[derive(Default)]
struct List {
    next_serial: u64,
    /// In order of their serials, none of which comes twice in the life of a list.
    cleanups: Vec<(u64, Box<dyn FnOnce()>)>,
}

impl DeferList {
    pub(crate) fn push(&self, cleanup: impl FnOnce() + 'static) -> Deferred<'_> {
        let cleanup = Box::new(cleanup);
        let mut list = self.list.take().unwrap_or_default();
        let serial = list.next_serial;
        list.next_serial += 1;
        list.cleanups.push((serial, cleanup));
        self.list.set(Some(list));
        Deferred {
            serial,
            list: self,
            body: PhantomData,
        }
    }

    pub(crate) fn remove(&self, deferred: &Deferred<'_>) -> bool {
        if !ptr::eq(self, deferred.list) {
            return false;
        }
        self.with(|list| {
            let index = list
                .cleanups
                .binary_search_by_key(&deferred.serial, |(serial, _)| *serial)
                .ok()?;
            Some(list.cleanups.remove(index))
        })
        .is_some()
    }

    /// Runs the cleanups that `f` leaves behind, after it.
    pub(crate) fn scope<T>(&self, f: impl FnOnce() -> T) -> T {
        struct Guard<'a>(&'a DeferList, u64);
        impl Drop for Guard<'_> {
            fn drop(&mut self) {
                if let Err(payload) = self.0.run(self.1) {
                    unwind::propagate_from_drop(payload);
                }
            }
        }
        let _guard = Guard(self, self.with(|list| Some(list.next_serial)).unwrap_or_default());
        f()
    }

    /// Whether nothing has been deferred.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        // SAFETY: nothing changes the list meanwhile; it is not shared between threads.
        unsafe { &*self.list.as_ptr() }.is_none()
    }

    /// Runs all cleanups, and gives the first panic of them.
    pub(crate) fn finish(&self) -> Result<(), Payload> {
        let result = self.run(0);
        drop(self.list.take());
        result
    }

    /// Runs the cleanups from the last down to the one with serial `first`, and gives the first panic of them.
    fn run(&self, first: u64) -> Result<(), Payload> {
        let mut result = Ok(());
        while let Some((_, cleanup)) = self.with(|list| list.cleanups.pop_if(|(serial, _)| *serial >= first))
        {
            result = result.and(unwind::catch(cleanup));
        }
        result
    }

    fn with<T>(&self, f: impl FnOnce(&mut List) -> Option<T>) -> Option<T> {
        let mut list = self.list.take();
        let result = list.as_mut().and_then(|list| f(list));
        self.list.set(list);
        result
    }
}
