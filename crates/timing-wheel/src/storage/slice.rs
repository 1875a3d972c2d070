use super::Memory;
use crate::node::{Link, Lists, NIL, Node};

/// The caller's memory, borrowed: see [`SliceWheel`](crate::SliceWheel).
#[derive(Debug)]
pub struct Slice<'a, T> {
    nodes: &'a mut [Node],
    links: &'a mut [Link],
    values: &'a mut [Option<T>],
    used: u32,
}

impl<'a, T> Slice<'a, T> {
    pub(crate) fn new(nodes: &'a mut [Node], links: &'a mut [Link], values: &'a mut [Option<T>]) -> Self {
        let timers = nodes.len().min(links.len()).min(values.len()).min(NIL as usize);
        let nodes = &mut nodes[..timers];
        let links = &mut links[..timers];
        let values = &mut values[..timers];
        // A node that another wheel left behind must not look alive to an old handle.
        nodes.fill(Node::EMPTY);
        values.iter_mut().for_each(|value| *value = None);
        Self {
            nodes,
            links,
            values,
            used: 0,
        }
    }
}

impl<T> Memory for Slice<'_, T> {
    type Value = T;

    #[inline]
    fn nodes(&self) -> &[Node] {
        self.nodes
    }

    #[inline]
    fn nodes_mut(&mut self) -> &mut [Node] {
        self.nodes
    }

    #[inline]
    fn links(&self) -> &[Link] {
        self.links
    }

    #[inline]
    fn lists(&mut self) -> Lists<'_> {
        Lists {
            nodes: self.nodes,
            links: self.links,
        }
    }

    #[inline]
    fn values(&self) -> &[Option<T>] {
        self.values
    }

    #[inline]
    fn values_mut(&mut self) -> &mut [Option<T>] {
        self.values
    }

    #[inline]
    fn grow(&mut self, value: T) -> Result<u32, T> {
        super::take_next(self.values, &mut self.used, value)
    }

    #[inline]
    fn in_use(&self) -> u32 {
        self.used
    }

    #[inline]
    fn capacity(&self) -> usize {
        self.nodes.len()
    }
}
