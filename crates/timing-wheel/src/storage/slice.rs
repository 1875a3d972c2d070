use super::{Columns, Memory};
use crate::node::{Link, NIL, Node};

/// The caller's memory, borrowed: see [`SliceWheel`](crate::SliceWheel).
#[derive(Debug)]
pub struct Slice<'a, T> {
    columns: Columns<&'a mut [Node], &'a mut [Link], &'a mut [Option<T>]>,
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
            columns: Columns { nodes, links, values },
            used: 0,
        }
    }
}

impl<'a, T> Memory for Slice<'a, T> {
    type Value = T;
    type Nodes = &'a mut [Node];
    type Links = &'a mut [Link];
    type Values = &'a mut [Option<T>];

    #[inline]
    fn columns(&self) -> &Columns<Self::Nodes, Self::Links, Self::Values> {
        &self.columns
    }

    #[inline]
    fn columns_mut(&mut self) -> &mut Columns<Self::Nodes, Self::Links, Self::Values> {
        &mut self.columns
    }

    #[inline]
    fn grow(&mut self, value: T) -> Result<u32, T> {
        super::take_next(self.columns.values, &mut self.used, value)
    }

    #[inline]
    fn in_use(&self) -> u32 {
        self.used
    }

    #[inline]
    fn capacity(&self) -> usize {
        self.columns.nodes.len()
    }
}
