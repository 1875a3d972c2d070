use core::hint::black_box;
use std::rc::Rc;

use anyhow::Result;

use super::contestant::STACK_BYTES;
use super::ours::{CoroAsm, CoroAsmOwned, CoroAsmReset};
use super::{Complete, Prefetch, Resume, Spawn, through_frames};
use crate::compare::Workload;
use crate::rivals::{
    Arena, BoxedFuture, Corosensei, CorosenseiOwned, CorosenseiPrefetched, CorosenseiScoped, Generator,
    GeneratorReused, Ucontext, UcontextPooled,
};

/// Operations in a pass over one coroutine.
const OPERATIONS: u64 = 2_000;
/// A guarded mapping takes two of the 65,530 that a process may have by default, so contestants without an arena
/// of guarded stacks stay below this many coroutines.
const GUARDED_MAPPINGS: usize = 30_000;
/// Coroutines of one contestant that are made in a row, before the next contestant's turn.
const TURN: usize = 64;
/// How often a pass resumes each of so many coroutines that a pass fills a round: the first sweep finds what the
/// contestant before has left in the caches.
const SWEEPS_OF_MOST: usize = 10;
/// 512 bytes.
const TOUCHED_LINES: usize = 8;
/// How many places ahead a scheduler prefetches.
const AHEAD: usize = 4;
const OURS: &str = "coro_asm";
const ID: u64 = 0x5bd1_e995;

/// Resume and suspend one coroutine, reached through memory as a scheduler reaches it.
///
/// # Errors
///
/// When a stack cannot be mapped.
pub fn flat() -> Result<Workload<'static>> {
    one_coroutine::<0>("coro.flat").map(|workload| workload.rival("future", single_future()))
}

/// The same through `FRAMES` frames on either side, which return after each switch.
///
/// # Errors
///
/// When a stack cannot be mapped.
pub fn nested<const FRAMES: usize>() -> Result<Workload<'static>> {
    one_coroutine::<FRAMES>(&format!("coro.nested{FRAMES}"))
}

fn one_coroutine<const FRAMES: usize>(key: &str) -> Result<Workload<'static>> {
    Ok(Workload::new(key, OPERATIONS)
        .processor_time()
        .ours(OURS, single::<FRAMES, _>(CoroAsm::new(1)?, OPERATIONS)?)
        .rival(
            "corosensei",
            single::<FRAMES, _>(Corosensei::with_default_stacks(STACK_BYTES), OPERATIONS)?,
        )
        .rival(
            "generator",
            single::<FRAMES, _>(Generator::new(STACK_BYTES), OPERATIONS)?,
        )
        .rival(
            "ucontext",
            single::<FRAMES, _>(Ucontext::on_arena(Arena::new(1, false)?), OPERATIONS)?,
        ))
}

pub(super) fn single<const FRAMES: usize, S: Spawn>(
    mut spawner: S,
    resumes: u64,
) -> Result<impl FnMut() -> u64> {
    let mut coroutine = Box::new(spawner.spawn::<FRAMES, 0>(ID)?);
    Ok(move || {
        let mut resume = |input| black_box(&mut *coroutine).resume(input);
        (0..resumes).fold(0, |sum: u64, input| {
            sum.rotate_left(1) ^ through_frames::<FRAMES>(&mut resume, input)
        })
    })
}

fn single_future() -> impl FnMut() -> u64 {
    single::<0, _>(BoxedFuture::new(), OPERATIONS).expect("a future needs no stack")
}

/// The order in which many coroutines are resumed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// As they were made.
    Sequential,
    /// A fixed permutation.
    Random,
}

impl Order {
    fn indices(self, count: usize) -> Rc<[u32]> {
        let mut indices: Vec<u32> = (0..count as u32).collect();
        if self == Self::Random {
            // Fisher and Yates's shuffle over Marsaglia's xorshift.
            let mut state = 0x2545_f491_4f6c_dd1d_u64;
            for last in (1..count).rev() {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                indices.swap(last, (state % (last as u64 + 1)) as usize);
            }
        }
        indices.into()
    }
}

/// Resume each of `count` suspended coroutines once a pass.
///
/// # Errors
///
/// When the stacks cannot be mapped.
pub fn round_robin(count: usize, order: Order) -> Result<Workload<'static>> {
    let mut lots = vec![(OURS, lot(CoroAsm::new(count)?))];
    if count <= GUARDED_MAPPINGS / 2 {
        lots.push(("corosensei", lot(Corosensei::with_default_stacks(STACK_BYTES))));
        lots.push(("generator", lot(Generator::new(STACK_BYTES))));
    }
    lots.push((
        "corosensei_arena",
        lot(Corosensei::on_arena(Arena::new(count, false)?)),
    ));
    lots.push((
        "corosensei_coloured",
        lot(Corosensei::on_arena(Arena::new(count, true)?)),
    ));
    lots.push(("future", lot(BoxedFuture::new())));
    // A sweep over 100,000 cold contexts takes a tenth of a second.
    if count <= GUARDED_MAPPINGS {
        lots.push(("ucontext", lot(Ucontext::on_arena(Arena::new(count, false)?))));
    }
    let suffix = if order == Order::Random { "_random" } else { "" };
    in_turn(count, suffix, order, lots)
}

/// The same in random order with bodies that write to 512 bytes of their stacks each time.
///
/// # Errors
///
/// When the stacks cannot be mapped.
pub fn round_robin_touched(count: usize) -> Result<Workload<'static>> {
    let mut lots = vec![(OURS, touched(CoroAsm::new(count)?))];
    lots.extend(touched_rivals(count)?);
    lots.push((
        "corosensei_coloured",
        touched(Corosensei::on_arena(Arena::new(count, true)?)),
    ));
    in_turn(count, "_random_touched", Order::Random, lots)
}

/// That by a scheduler that knows its run queue and has each coroutine fetched some places ahead of its turn, where the
/// contestant lets it.
///
/// # Errors
///
/// When the stacks cannot be mapped.
pub fn round_robin_prefetched(count: usize) -> Result<Workload<'static>> {
    let mut lots = vec![
        (OURS, prefetched(CoroAsm::new(count)?)),
        ("coro_asm_plain", touched(CoroAsm::new(count)?)),
    ];
    lots.extend(touched_rivals(count)?);
    lots.push((
        "corosensei_coloured_prefetched",
        prefetched(CorosenseiPrefetched::on_arena(Arena::new(count, true)?)),
    ));
    in_turn(count, "_random_prefetch", Order::Random, lots)
}

fn touched_rivals(count: usize) -> Result<Vec<(&'static str, Box<dyn Lot>)>> {
    let mut lots = Vec::new();
    if count <= GUARDED_MAPPINGS / 2 {
        lots.push((
            "corosensei",
            touched(Corosensei::with_default_stacks(STACK_BYTES)),
        ));
    }
    lots.push((
        "corosensei_arena",
        touched(Corosensei::on_arena(Arena::new(count, false)?)),
    ));
    Ok(lots)
}

fn in_turn(
    count: usize,
    suffix: &str,
    order: Order,
    mut lots: Vec<(&str, Box<dyn Lot>)>,
) -> Result<Workload<'static>> {
    let size = if count < 10_000 {
        count.to_string()
    } else {
        format!("{}k", count / 1000)
    };
    let indices = order.indices(count);
    // By turns, for whoever came first would get the scraps of memory that other programs have left, and pages that
    // are scattered cost more to translate.
    for start in (0..count).step_by(TURN) {
        for (_, lot) in &mut lots {
            for id in start..count.min(start + TURN) {
                lot.add(id as u64)?;
            }
        }
    }
    let sweeps = if count > GUARDED_MAPPINGS {
        SWEEPS_OF_MOST
    } else {
        1
    };
    let workload = Workload::new(format!("coro.rr{size}{suffix}"), (count * sweeps) as u64).processor_time();
    Ok(lots.into_iter().fold(workload, |workload, (name, lot)| {
        let pass = lot.pass(Rc::clone(&indices), sweeps);
        if name == OURS {
            workload.ours(name, pass)
        } else {
            workload.rival(name, pass)
        }
    }))
}

/// Coroutines of one contestant that are being made in turn with the others'.
trait Lot {
    fn add(&mut self, id: u64) -> Result<()>;

    /// Resumes each once, in this order.
    fn pass(self: Box<Self>, order: Rc<[u32]>, sweeps: usize) -> Box<dyn FnMut() -> u64>;
}

/// With bodies that write to so many cache lines of their stacks each time.
struct Spawned<S: Spawn, const LINES: usize> {
    coroutines: Vec<S::Coroutine>,
    spawner: S,
}

/// Those of a scheduler that prefetches.
struct Prefetched<S: Spawn>(Spawned<S, TOUCHED_LINES>);

impl<S: Spawn, const LINES: usize> Spawned<S, LINES> {
    fn new(spawner: S) -> Self {
        Self {
            coroutines: Vec::new(),
            spawner,
        }
    }
}

fn lot<S: Spawn + 'static>(spawner: S) -> Box<dyn Lot> {
    Box::new(Spawned::<S, 0>::new(spawner))
}

fn touched<S: Spawn + 'static>(spawner: S) -> Box<dyn Lot> {
    Box::new(Spawned::<S, TOUCHED_LINES>::new(spawner))
}

fn prefetched<S: Spawn<Coroutine: Prefetch> + 'static>(spawner: S) -> Box<dyn Lot> {
    Box::new(Prefetched(Spawned::new(spawner)))
}

impl<S: Spawn + 'static, const LINES: usize> Lot for Spawned<S, LINES> {
    fn add(&mut self, id: u64) -> Result<()> {
        let mut coroutine = self.spawner.spawn::<0, LINES>(id << 20)?;
        // So that its stack is there.
        coroutine.resume(0);
        self.coroutines.push(coroutine);
        Ok(())
    }

    fn pass(self: Box<Self>, order: Rc<[u32]>, sweeps: usize) -> Box<dyn FnMut() -> u64> {
        let mut lot = self;
        Box::new(move || {
            let coroutines = &mut lot.coroutines[..];
            (0..sweeps).fold(0, |sum, _| {
                order.iter().fold(sum, |sum: u64, &index| {
                    sum.rotate_left(1) ^ coroutines[index as usize].resume(u64::from(index))
                })
            })
        })
    }
}

impl<S: Spawn<Coroutine: Prefetch> + 'static> Lot for Prefetched<S> {
    fn add(&mut self, id: u64) -> Result<()> {
        self.0.add(id)
    }

    fn pass(self: Box<Self>, order: Rc<[u32]>, sweeps: usize) -> Box<dyn FnMut() -> u64> {
        let mut lot = self.0;
        Box::new(move || {
            let coroutines = &mut lot.coroutines[..];
            (0..sweeps).fold(0, |sum, _| {
                order.iter().enumerate().fold(sum, |sum: u64, (at, &index)| {
                    if let Some(&later) = order.get(at + AHEAD) {
                        coroutines[later as usize].prefetch();
                    }
                    sum.rotate_left(1) ^ coroutines[index as usize].resume(u64::from(index))
                })
            })
        })
    }
}

/// Create a coroutine, run it to its end, and again on the same stack, which stays in hand: each in the quickest form that
/// it has.
///
/// # Errors
///
/// When a stack cannot be mapped.
pub fn create() -> Result<Workload<'static>> {
    Ok(Workload::new("coro.create", OPERATIONS)
        .processor_time()
        .ours(OURS, completions(CoroAsmReset::new()?))
        .rival("corosensei", completions(CorosenseiScoped::new()?))
        .rival("generator", completions(GeneratorReused::new()))
        .rival("ucontext", completions(UcontextPooled::new()?)))
}

/// The same where each coroutine owns its stack and gives it up at its end.
///
/// # Errors
///
/// When a stack cannot be mapped.
pub fn create_owned() -> Result<Workload<'static>> {
    Ok(Workload::new("coro.create_owned", OPERATIONS)
        .processor_time()
        .ours(OURS, completions(CoroAsmOwned::new()?))
        .rival("corosensei", completions(CorosenseiOwned::new()?)))
}

/// The same where ours takes a stack out of its pool each time. The others have no pool, so theirs is in hand.
///
/// # Errors
///
/// When a stack cannot be mapped.
pub fn create_acquired() -> Result<Workload<'static>> {
    Ok(Workload::new("coro.create_acquired", OPERATIONS)
        .processor_time()
        .ours(OURS, completions(CoroAsm::new(1)?))
        .rival("corosensei", completions(CorosenseiScoped::new()?))
        .rival("corosensei_owned", completions(CorosenseiOwned::new()?)))
}

fn completions(mut pool: impl Complete) -> impl FnMut() -> u64 {
    move || {
        (0..OPERATIONS).fold(0, |sum: u64, id| {
            sum.rotate_left(1) ^ black_box(&mut pool).complete(id << 20, id)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::compare::Options;

    const QUICK: Options = Options { quick: true };

    #[test]
    fn contestants_agree_on_one_coroutine() {
        let creating = [create(), create_owned(), create_acquired()];
        for workload in [flat(), nested::<1>(), nested::<4>()].into_iter().chain(creating) {
            workload.unwrap().run(&QUICK, 2).unwrap();
        }
    }

    #[test]
    fn contestants_agree_on_many_coroutines() {
        for order in [Order::Sequential, Order::Random] {
            round_robin(100, order).unwrap().run(&QUICK, 2).unwrap();
        }
        round_robin_touched(100).unwrap().run(&QUICK, 2).unwrap();
        round_robin_prefetched(100).unwrap().run(&QUICK, 2).unwrap();
    }

    #[test]
    fn random_order_is_a_permutation() {
        let mut indices = Order::Random.indices(1000).to_vec();
        assert!(indices.windows(2).any(|pair| pair[0] > pair[1]));
        indices.sort_unstable();
        assert!(
            indices
                .iter()
                .enumerate()
                .all(|(at, &index)| at == index as usize)
        );
    }
}
