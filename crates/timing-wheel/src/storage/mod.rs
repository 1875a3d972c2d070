//! Where a wheel keeps its nodes and values: one algorithm over each.

mod array;
#[cfg(feature = "alloc")]
mod heap;
mod slice;

pub use array::Array;
#[cfg(feature = "alloc")]
pub use heap::Heap;
pub use slice::Slice;

use crate::node::{Link, Lists, Node, Records, Upper};

/// Memory of a [`TimingWheel`](crate::TimingWheel): [`Array`], [`Slice`], or, with `alloc`, `Heap`.
///
/// Sealed: the wheel relies on how its own three storages behave.
pub trait Storage: Memory {}

impl<S: Memory> Storage for S {}

/// Nodes, links, uppers and values, index by index, each in memory of whatever kind.
#[doc(hidden)]
#[derive(Debug)]
pub struct Columns<N, L, U, V> {
    nodes: N,
    links: L,
    uppers: U,
    values: V,
}

/// What the wheel asks of its memory. Nodes, links, uppers and values have the same length.
pub trait Memory {
    /// The caller's value that goes with a timer.
    type Value;

    #[doc(hidden)]
    type Nodes: AsRef<[Node]> + AsMut<[Node]>;
    #[doc(hidden)]
    type Links: AsRef<[Link]> + AsMut<[Link]>;
    #[doc(hidden)]
    type Uppers: AsRef<[Upper]> + AsMut<[Upper]>;
    #[doc(hidden)]
    type Values: AsRef<[Option<Self::Value>]> + AsMut<[Option<Self::Value>]>;

    #[doc(hidden)]
    fn columns(&self) -> &Columns<Self::Nodes, Self::Links, Self::Uppers, Self::Values>;

    #[doc(hidden)]
    fn columns_mut(&mut self) -> &mut Columns<Self::Nodes, Self::Links, Self::Uppers, Self::Values>;

    /// Takes one more node into use, for `value`, and answers its index; gives the value back when there is none.
    #[doc(hidden)]
    fn grow(&mut self, value: Self::Value) -> Result<u32, Self::Value>;

    /// How many nodes have been taken into use.
    #[doc(hidden)]
    fn in_use(&self) -> u32;

    /// The number of nodes without growing.
    #[doc(hidden)]
    fn capacity(&self) -> usize;

    #[doc(hidden)]
    #[inline]
    fn nodes(&self) -> &[Node] {
        self.columns().nodes.as_ref()
    }

    #[doc(hidden)]
    #[inline]
    fn nodes_mut(&mut self) -> &mut [Node] {
        self.columns_mut().nodes.as_mut()
    }

    #[doc(hidden)]
    #[inline]
    fn links(&self) -> &[Link] {
        self.columns().links.as_ref()
    }

    /// All but the values.
    #[doc(hidden)]
    #[inline]
    fn records(&self) -> Records<'_> {
        let columns = self.columns();
        Records {
            nodes: columns.nodes.as_ref(),
            links: columns.links.as_ref(),
            uppers: columns.uppers.as_ref(),
        }
    }

    /// All but the values, to change.
    #[doc(hidden)]
    #[inline]
    fn lists(&mut self) -> Lists<'_> {
        self.parts().0
    }

    #[doc(hidden)]
    #[inline]
    fn values(&self) -> &[Option<Self::Value>] {
        self.columns().values.as_ref()
    }

    /// All parts, to change.
    #[doc(hidden)]
    #[inline]
    fn parts(&mut self) -> (Lists<'_>, &mut [Option<Self::Value>]) {
        let columns = self.columns_mut();
        let lists = Lists {
            nodes: columns.nodes.as_mut(),
            links: columns.links.as_mut(),
            uppers: columns.uppers.as_mut(),
        };
        (lists, columns.values.as_mut())
    }

    #[doc(hidden)]
    #[inline]
    fn values_mut(&mut self) -> &mut [Option<Self::Value>] {
        self.columns_mut().values.as_mut()
    }
}

/// `grow` of the two storages of fixed size: the nodes before `used` have been in use.
#[inline]
fn take_next<T>(values: &mut [Option<T>], used: &mut u32, value: T) -> Result<u32, T> {
    let index = *used;
    match values.get_mut(index as usize) {
        Some(place) if index < crate::node::NIL => {
            *place = Some(value);
            *used += 1;
            Ok(index)
        }
        _ => Err(value),
    }
}
