use core::cell::{Cell, UnsafeCell};
use core::ffi::{c_int, c_uint, c_void};
use core::mem::MaybeUninit;
use core::{mem, ptr};
use std::io;
use std::rc::Rc;

use anyhow::Result;
use libc::ucontext_t;

use super::arena::{Arena, ArenaStack, STRIDE};
use crate::coro::{Complete, Resume, Spawn, body};

/// What all coroutines of one spawner share: the context of whoever resumes, and a mailbox for values.
struct Shared {
    parent: UnsafeCell<MaybeUninit<ucontext_t>>,
    mailbox: Cell<u64>,
}

impl Shared {
    fn new() -> Rc<Self> {
        Rc::new(Self {
            parent: UnsafeCell::new(MaybeUninit::uninit()),
            mailbox: Cell::new(0),
        })
    }
}

/// The C library's `getcontext`, `makecontext` and `swapcontext`, on stacks of an arena without guards.
///
/// The parent's context and the values are shared by all coroutines, which is kinder to the cache than what most
/// programs do.
pub(crate) struct Ucontext {
    arena: Rc<Arena>,
    next: usize,
    shared: Rc<Shared>,
}

impl Ucontext {
    /// Each coroutine on the next stack of the arena.
    pub(crate) fn on_arena(arena: Arena) -> Self {
        Self {
            arena: Rc::new(arena),
            next: 0,
            shared: Shared::new(),
        }
    }
}

/// A coroutine over `swapcontext`.
pub(crate) struct Suspended {
    context: Box<UnsafeCell<ucontext_t>>,
    shared: Rc<Shared>,
    #[expect(dead_code, reason = "the context runs on it")]
    stack: ArenaStack,
}

/// What a fresh coroutine needs; it lies on the parent's stack until the first suspension.
struct Start {
    id: u64,
    shared: *const Shared,
    own: *mut ucontext_t,
}

/// The two halves of a pointer, since `makecontext` passes nothing but `int`s.
fn halves<T>(pointer: *const T) -> (c_uint, c_uint) {
    let address = pointer.expose_provenance() as u64;
    ((address >> 32) as c_uint, address as c_uint)
}

fn joined<T>(high: c_uint, low: c_uint) -> *const T {
    ptr::with_exposed_provenance(((u64::from(high) << 32) | u64::from(low)) as usize)
}

/// Prepares `context` to run `entry` with `argument` on `stack`, and to go on with `link` when it returns.
///
/// # Safety
///
/// - `argument` is what `entry` expects, and lives until `entry` has read it.
/// - `stack` is used by nothing else and outlives every use of the context.
/// - `link` is null, and then `entry` never returns, or a context that is valid by the time `entry` returns.
unsafe fn make<T>(
    context: *mut ucontext_t,
    stack: &ArenaStack,
    link: *mut ucontext_t,
    entry: extern "C" fn(c_uint, c_uint),
    argument: *const T,
) -> io::Result<()> {
    // SAFETY: `context` is valid for writes by the caller's promise; getcontext fills all of it.
    if unsafe { libc::getcontext(context) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: getcontext has just filled the context, so it may be borrowed; nobody else refers to it.
    let filled = unsafe { &mut *context };
    filled.uc_stack.ss_sp = ptr::with_exposed_provenance_mut::<c_void>(stack.bottom());
    filled.uc_stack.ss_size = stack.top().get() - stack.bottom();
    filled.uc_link = link;
    let (high, low) = halves(argument);
    // SAFETY: makecontext takes a function of any number of `int`s through this type and calls it with as many
    // as `argc` says: two, which is what `entry` takes.
    let entry = unsafe { mem::transmute::<extern "C" fn(c_uint, c_uint), extern "C" fn()>(entry) };
    // SAFETY: the context was filled by getcontext and has a stack of its own; argc and the arguments agree.
    unsafe { libc::makecontext(context, entry, 2 as c_int, high, low) };
    Ok(())
}

extern "C" fn looping<const FRAMES: usize, const LINES: usize>(high: c_uint, low: c_uint) {
    // SAFETY: `spawn` passes a `Start`, and resumes this coroutine once before it lets it go.
    let start = unsafe { ptr::read(joined::<Start>(high, low)) };
    // SAFETY: the coroutine is only resumed through a `Suspended`, which holds a reference to the shared part.
    let shared = unsafe { &*start.shared };
    let suspend = |output: u64| {
        shared.mailbox.set(output);
        // SAFETY: the parent's context was saved by the swapcontext that resumed this coroutine, and its stack
        // is alive because it waits in that very call.
        unsafe { libc::swapcontext(start.own, shared.parent.get().cast()) };
        shared.mailbox.get()
    };
    // The first resume asks for nothing yet: it lets go of `start`.
    let first = suspend(0);
    body::<FRAMES, LINES>(start.id, first, suspend);
}

impl Resume for Suspended {
    #[inline(always)]
    fn resume(&mut self, input: u64) -> u64 {
        self.shared.mailbox.set(input);
        // SAFETY: the context is suspended (it was made by `make` or saved by the coroutine's own swapcontext),
        // its stack is alive in `self`, and `&mut self` keeps it from being resumed twice.
        unsafe { libc::swapcontext(self.shared.parent.get().cast(), self.context.get()) };
        self.shared.mailbox.get()
    }
}

impl Spawn for Ucontext {
    type Coroutine = Suspended;

    fn spawn<const FRAMES: usize, const LINES: usize>(&mut self, id: u64) -> Result<Suspended> {
        let stack = self.arena.stack(self.next)?;
        self.next += 1;
        // SAFETY: a ucontext_t is plain integers and pointers, for which zero is a value.
        let context = Box::new(UnsafeCell::new(unsafe { mem::zeroed::<ucontext_t>() }));
        let start = Start {
            id,
            shared: Rc::as_ptr(&self.shared),
            own: context.get(),
        };
        // SAFETY: `looping` reads a `Start` before the first resume below returns and never returns itself; the
        // stack goes into the same `Suspended` as the context.
        unsafe {
            make(
                context.get(),
                &stack,
                ptr::null_mut(),
                looping::<FRAMES, LINES>,
                &raw const start,
            )
        }?;
        let mut suspended = Suspended {
            context,
            shared: Rc::clone(&self.shared),
            stack,
        };
        suspended.resume(0);
        Ok(suspended)
    }
}

/// Makes a context anew each time, on one stack.
pub(crate) struct UcontextPooled {
    context: Box<UnsafeCell<ucontext_t>>,
    shared: Rc<Shared>,
    stack: ArenaStack,
}

const _: () = assert!(STRIDE > libc::MINSIGSTKSZ);

impl UcontextPooled {
    pub(crate) fn new() -> Result<Self> {
        let stack = Rc::new(Arena::new(1, false)?).stack(0)?;
        // SAFETY: a ucontext_t is plain integers and pointers, for which zero is a value.
        let context = Box::new(UnsafeCell::new(unsafe { mem::zeroed::<ucontext_t>() }));
        Ok(Self {
            context,
            shared: Shared::new(),
            stack,
        })
    }
}

extern "C" fn returning(high: c_uint, low: c_uint) {
    // SAFETY: `complete` passes a `Start` that lives until this function has returned.
    let start = unsafe { &*joined::<Start>(high, low) };
    // SAFETY: as above, and the shared part belongs to the pool that resumed this coroutine.
    let shared = unsafe { &*start.shared };
    shared.mailbox.set(shared.mailbox.get() ^ start.id);
}

impl Complete for UcontextPooled {
    #[inline(always)]
    fn complete(&mut self, id: u64, input: u64) -> u64 {
        let start = Start {
            id,
            shared: Rc::as_ptr(&self.shared),
            own: self.context.get(),
        };
        let parent = self.shared.parent.get().cast();
        // SAFETY: `returning` expects a `Start`, which lives on this frame; the stack and the contexts live in
        // `self`; `parent` is filled by the swapcontext below before `returning` ends.
        let made = unsafe {
            make(
                self.context.get(),
                &self.stack,
                parent,
                returning,
                &raw const start,
            )
        };
        made.expect("getcontext fails only on a bad pointer");
        self.shared.mailbox.set(input);
        // SAFETY: the context was just made and its stack is used by nothing else.
        unsafe { libc::swapcontext(parent, self.context.get()) };
        self.shared.mailbox.get()
    }
}

/// Coroutines that suspend without a value and end, on stacks that are used again.
pub(crate) struct UcontextTasks {
    arena: Rc<Arena>,
    free: Vec<usize>,
    shared: Rc<Shared>,
}

/// One of them. Dropping it while it is suspended leaves its frames as they are.
pub(crate) struct UcontextTask {
    context: Box<UnsafeCell<ucontext_t>>,
    shared: Rc<Shared>,
    ended: Rc<Cell<bool>>,
    index: usize,
    #[expect(dead_code, reason = "the context runs on it")]
    stack: ArenaStack,
}

struct TaskStart<F> {
    body: F,
    shared: *const Shared,
    own: *mut ucontext_t,
    ended: Rc<Cell<bool>>,
}

impl UcontextTasks {
    /// Room for `limit` of them at a time.
    pub(crate) fn new(limit: usize) -> Result<Self> {
        Ok(Self {
            arena: Rc::new(Arena::new(limit, false)?),
            free: (0..limit).rev().collect(),
            shared: Shared::new(),
        })
    }

    /// Starts `body`, which gets the function that suspends it, and runs it up to its first suspension. `None` when there
    /// is no free stack.
    pub(crate) fn start<F: FnOnce(&dyn Fn()) + 'static>(&mut self, body: F) -> Option<Result<UcontextTask>> {
        let index = self.free.pop()?;
        Some(self.start_on(index, body))
    }

    fn start_on<F: FnOnce(&dyn Fn()) + 'static>(&self, index: usize, body: F) -> Result<UcontextTask> {
        let stack = self.arena.stack(index)?;
        // SAFETY: a ucontext_t is plain integers and pointers, for which zero is a value.
        let context = Box::new(UnsafeCell::new(unsafe { mem::zeroed::<ucontext_t>() }));
        let ended = Rc::new(Cell::new(false));
        let start = mem::ManuallyDrop::new(TaskStart {
            body,
            shared: Rc::as_ptr(&self.shared),
            own: context.get(),
            ended: Rc::clone(&ended),
        });
        let parent = self.shared.parent.get().cast();
        // SAFETY: `run_task` reads a `TaskStart` before the resume below returns; the stack goes into the same task as the
        // context; every resume fills `parent`, also the last one before the task ends.
        unsafe { make(context.get(), &stack, parent, run_task::<F>, &raw const *start) }?;
        let mut task = UcontextTask {
            context,
            shared: Rc::clone(&self.shared),
            ended,
            index,
            stack,
        };
        task.resume();
        Ok(task)
    }

    /// Takes the stack of a task that has ended back.
    pub(crate) fn finish(&mut self, task: &UcontextTask) {
        debug_assert!(task.ended.get());
        self.free.push(task.index);
    }
}

impl UcontextTask {
    /// Runs it until it suspends or ends, and tells whether it has ended.
    pub(crate) fn resume(&mut self) -> bool {
        if !self.ended.get() {
            // SAFETY: the context is suspended, its stack is alive in `self`, and `&mut self` keeps it from being resumed
            // from within.
            unsafe { libc::swapcontext(self.shared.parent.get().cast(), self.context.get()) };
        }
        self.ended.get()
    }
}

extern "C" fn run_task<F: FnOnce(&dyn Fn())>(high: c_uint, low: c_uint) {
    // SAFETY: `start_on` passes a `TaskStart` that it does not drop, and waits in the first resume.
    let start = unsafe { ptr::read(joined::<TaskStart<F>>(high, low)) };
    // SAFETY: the coroutine is only resumed through a task, which holds a reference to the shared part.
    let shared = unsafe { &*start.shared };
    (start.body)(&|| {
        // SAFETY: the parent's context was saved by the swapcontext that resumed this coroutine.
        unsafe { libc::swapcontext(start.own, shared.parent.get().cast()) };
    });
    start.ended.set(true);
}
