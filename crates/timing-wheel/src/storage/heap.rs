use super::Memory;
use crate::node::{Link, Lists, NIL, Node};
use alloc::vec::Vec;

/// Memory on the heap that grows: see [`Wheel`](crate::Wheel).
#[derive(Debug)]
pub struct Heap<T> {
    nodes: Vec<Node>,
    links: Vec<Link>,
    values: Vec<Option<T>>,
}

impl<T> Heap<T> {
    pub(crate) fn with_capacity(timers: usize) -> Self {
        Self {
            nodes: Vec::with_capacity(timers),
            links: Vec::with_capacity(timers),
            values: Vec::with_capacity(timers),
        }
    }
}

impl<T> Memory for Heap<T> {
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
        let index = match u32::try_from(self.nodes.len()) {
            Ok(index) if index < NIL => index,
            _ => return Err(value),
        };
        let room = self
            .nodes
            .try_reserve(1)
            .and(self.links.try_reserve(1))
            .and(self.values.try_reserve(1));
        if room.is_err() {
            return Err(value);
        }
        self.nodes.push(Node::EMPTY);
        self.links.push(Link::EMPTY);
        self.values.push(Some(value));
        Ok(index)
    }

    #[inline]
    fn in_use(&self) -> u32 {
        u32::try_from(self.nodes.len()).unwrap_or(NIL)
    }

    #[inline]
    fn capacity(&self) -> usize {
        self.nodes
            .capacity()
            .min(self.values.capacity())
            .min(NIL as usize)
    }
}
