use super::Memory;
use crate::node::{NIL, Node};
use alloc::vec::Vec;

/// Memory on the heap that grows: see [`Wheel`](crate::Wheel).
#[derive(Debug)]
pub struct Heap<T> {
    nodes: Vec<Node>,
    values: Vec<Option<T>>,
}

impl<T> Heap<T> {
    pub(crate) fn with_capacity(timers: usize) -> Self {
        Self {
            nodes: Vec::with_capacity(timers),
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
        if self.nodes.try_reserve(1).is_err() || self.values.try_reserve(1).is_err() {
            return Err(value);
        }
        self.nodes.push(Node::EMPTY);
        self.values.push(Some(value));
        Ok(index)
    }

    #[inline]
    fn capacity(&self) -> usize {
        self.nodes
            .capacity()
            .min(self.values.capacity())
            .min(NIL as usize)
    }
}
