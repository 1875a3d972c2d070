use crate::{handle::Handle, node::Node};

/// Iterator over live timers as (handle, deadline, value): see [`iter`](crate::TimingWheel::iter).
#[derive(Clone, Debug)]
pub struct Iter<'a, T> {
    timers:
        core::iter::Enumerate<core::iter::Zip<core::slice::Iter<'a, Node>, core::slice::Iter<'a, Option<T>>>>,
    left: usize,
}

impl<'a, T> Iter<'a, T> {
    pub(crate) fn new(nodes: &'a [Node], values: &'a [Option<T>], live: usize) -> Self {
        Self {
            timers: nodes.iter().zip(values).enumerate(),
            left: live,
        }
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = (Handle, u64, &'a T);

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let (index, (node, value)) = self.timers.find(|(_, (node, _))| node.is_live())?;
        self.left -= 1;
        let handle = Handle::of_live(u32::try_from(index).ok()?, node.generation);
        Some((handle, node.deadline, value.as_ref()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> ExactSizeIterator for Iter<'_, T> {}
