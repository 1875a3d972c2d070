use super::{Columns, Memory};
use crate::node::{Link, NIL, Node, Upper};
use alloc::vec::Vec;

/// Memory on the heap that grows: see [`Wheel`](crate::Wheel).
#[derive(Debug)]
pub struct Heap<T> {
    columns: Columns<Vec<Node>, Vec<Link>, Vec<Upper>, Vec<Option<T>>>,
}

impl<T> Heap<T> {
    pub(crate) fn with_capacity(timers: usize) -> Self {
        Self {
            columns: Columns {
                nodes: Vec::with_capacity(timers),
                links: Vec::with_capacity(timers),
                uppers: Vec::with_capacity(timers),
                values: Vec::with_capacity(timers),
            },
        }
    }
}

impl<T> Memory for Heap<T> {
    type Value = T;
    type Nodes = Vec<Node>;
    type Links = Vec<Link>;
    type Uppers = Vec<Upper>;
    type Values = Vec<Option<T>>;

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
        let Columns {
            nodes,
            links,
            uppers,
            values,
        } = &mut self.columns;
        let index = match u32::try_from(nodes.len()) {
            Ok(index) if index < NIL => index,
            _ => return Err(value),
        };
        let room = nodes
            .try_reserve(1)
            .and(links.try_reserve(1))
            .and(uppers.try_reserve(1))
            .and(values.try_reserve(1));
        if room.is_err() {
            return Err(value);
        }
        nodes.push(Node::EMPTY);
        links.push(Link::EMPTY);
        uppers.push(Upper::EMPTY);
        values.push(Some(value));
        Ok(index)
    }

    #[inline]
    fn in_use(&self) -> u32 {
        u32::try_from(self.columns.nodes.len()).unwrap_or(NIL)
    }

    #[inline]
    fn capacity(&self) -> usize {
        let Columns {
            nodes,
            links,
            uppers,
            values,
        } = &self.columns;
        let timers = nodes
            .capacity()
            .min(links.capacity())
            .min(uppers.capacity())
            .min(values.capacity());
        timers.min(NIL as usize)
    }
}
