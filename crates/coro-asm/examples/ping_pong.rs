//! Two coroutines that pass a ball, with a main loop as the table.
//!
//! Run with `cargo run -p coro-asm --features std --example ping_pong`.

use coro_asm::{Coroutine, CoroutineState, StackError, StackPool, StackPoolConfig};

fn main() -> Result<(), StackError> {
    let pool = StackPool::new(StackPoolConfig::default())?;
    let player = |name: &'static str, skill: u32| -> Result<_, StackError> {
        let stack = pool.acquire()?;
        Ok(Coroutine::with_stack(stack, move |table, mut hits: u32| {
            while hits < skill {
                println!("{name} returns hit {hits}");
                hits = table.suspend(hits + 1);
            }
            name
        }))
    };
    let mut players = [player("Ping", 7)?, player("Pong", 9)?];

    let mut hits = 0;
    for turn in (0..2).cycle() {
        match players[turn].resume(hits) {
            CoroutineState::Yielded(next) => hits = next,
            CoroutineState::Complete(loser) => {
                println!("{loser} misses after {hits} hits");
                break;
            }
        }
    }
    Ok(())
}
