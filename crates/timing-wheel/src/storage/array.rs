use super::{Columns, Memory};
use crate::node::{Link, NIL, Node, Upper};

/// Memory for `N` timers within the wheel itself: see [`ArrayWheel`](crate::ArrayWheel).
#[derive(Debug)]
pub struct Array<T, const N: usize> {
    columns: Columns<[Node; N], [Link; N], [Upper; N], [Option<T>; N]>,
    used: u32,
}

impl<T, const N: usize> Array<T, N> {
    pub(crate) const fn new() -> Self {
        Self {
            columns: Columns {
                nodes: [Node::EMPTY; N],
                links: [Link::EMPTY; N],
                uppers: [Upper::EMPTY; N],
                values: [const { None }; N],
            },
            used: 0,
        }
    }
}

impl<T, const N: usize> Memory for Array<T, N> {
    type Value = T;
    type Nodes = [Node; N];
    type Links = [Link; N];
    type Uppers = [Upper; N];
    type Values = [Option<T>; N];

    #[inline]
    fn columns(&self) -> &Columns<Self::Nodes, Self::Links, Self::Uppers, Self::Values> {
        &self.columns
    }

    #[inline]
    fn columns_mut(&mut self) -> &mut Columns<Self::Nodes, Self::Links, Self::Uppers, Self::Values> {
        &mut self.columns
    }

    #[inline]
    fn grow(&mut self, value: T) -> Result<u32, T> {
        super::take_next(&mut self.columns.values, &mut self.used, value)
    }

    #[inline]
    fn in_use(&self) -> u32 {
        self.used
    }

    #[inline]
    fn capacity(&self) -> usize {
        N.min(NIL as usize)
    }
}
