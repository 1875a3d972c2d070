use super::Memory;
use crate::node::{Link, Lists, NIL, Node};

/// Memory for `N` timers within the wheel itself: see [`ArrayWheel`](crate::ArrayWheel).
#[derive(Debug)]
pub struct Array<T, const N: usize> {
    nodes: [Node; N],
    links: [Link; N],
    values: [Option<T>; N],
    used: u32,
}

impl<T, const N: usize> Array<T, N> {
    pub(crate) const fn new() -> Self {
        Self {
            nodes: [Node::EMPTY; N],
            links: [Link::EMPTY; N],
            values: [const { None }; N],
            used: 0,
        }
    }
}

impl<T, const N: usize> Memory for Array<T, N> {
    type Value = T;

    #[inline]
    fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    #[inline]
    fn nodes_mut(&mut self) -> &mut [Node] {
        &mut self.nodes
    }

    #[inline]
    fn links(&self) -> &[Link] {
        &self.links
    }

    #[inline]
    fn lists(&mut self) -> Lists<'_> {
        Lists {
            nodes: &mut self.nodes,
            links: &mut self.links,
        }
    }

    #[inline]
    fn values(&self) -> &[Option<T>] {
        &self.values
    }

    #[inline]
    fn values_mut(&mut self) -> &mut [Option<T>] {
        &mut self.values
    }

    #[inline]
    fn grow(&mut self, value: T) -> Result<u32, T> {
        super::take_next(&mut self.values, &mut self.used, value)
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
