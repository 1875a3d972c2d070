//! A recursive walk that yields from any depth, used as an iterator.
//!
//! Run with `cargo run -p coro-asm --features std --example generator`.

use coro_asm::{Coroutine, StackError, StackPool, StackPoolConfig, Yielder};

struct Tree(u32, Vec<Tree>);

fn walk(tree: &Tree, depth: usize, yielder: &Yielder<(), (usize, u32)>) {
    yielder.suspend((depth, tree.0));
    for child in &tree.1 {
        walk(child, depth + 1, yielder);
    }
}

fn main() -> Result<(), StackError> {
    let tree = Tree(
        1,
        vec![
            Tree(2, vec![Tree(3, vec![])]),
            Tree(4, vec![Tree(5, vec![]), Tree(6, vec![])]),
        ],
    );
    let pool = StackPool::new(StackPoolConfig::default())?;
    let mut nodes = Coroutine::with_stack(pool.acquire()?, move |yielder, ()| walk(&tree, 0, yielder));
    for (depth, value) in std::iter::from_fn(|| nodes.resume(()).yielded()) {
        println!("{:depth$}{value}", "", depth = depth * 2);
    }
    Ok(())
}
