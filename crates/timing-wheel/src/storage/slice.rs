use super::{Columns, Memory};
use crate::node::{Link, NIL, Node, Upper};

type Borrowed<'a, T> = Columns<&'a mut [Node], &'a mut [Link], &'a mut [Upper], &'a mut [Option<T>]>;

/// The caller's memory, borrowed: see [`SliceWheel`](crate::SliceWheel).
#[derive(Debug)]
pub struct Slice<'a, T> {
    columns: Borrowed<'a, T>,
    used: u32,
}

impl<'a, T> Slice<'a, T> {
    pub(crate) fn new(
        nodes: &'a mut [Node],
        links: &'a mut [Link],
        uppers: &'a mut [Upper],
        values: &'a mut [Option<T>],
    ) -> Self {
        let timers = nodes
            .len()
            .min(links.len())
            .min(uppers.len())
            .min(values.len())
            .min(NIL as usize);
        let nodes = &mut nodes[..timers];
        let links = &mut links[..timers];
        let uppers = &mut uppers[..timers];
        let values = &mut values[..timers];
        // A node that another wheel left behind must not look alive to an old handle.
        nodes.fill(Node::EMPTY);
        links.fill(Link::EMPTY);
        values.iter_mut().for_each(|value| *value = None);
        Self {
            columns: Columns {
                nodes,
                links,
                uppers,
                values,
            },
            used: 0,
        }
    }
}

impl<'a, T> Memory for Slice<'a, T> {
    type Value = T;
    type Nodes = &'a mut [Node];
    type Links = &'a mut [Link];
    type Uppers = &'a mut [Upper];
    type Values = &'a mut [Option<T>];

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
