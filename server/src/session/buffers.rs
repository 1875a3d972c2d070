//! Buffers between uses.

/// Capacities that buffers come in, with how many of each are kept: about a mebibyte a class and worker.
const CLASSES: [(usize, usize); 4] = [(512, 2048), (4 * 1024, 256), (16 * 1024, 64), (64 * 1024, 16)];

/// Byte buffers by capacity, the last one given back first: its memory is the likeliest to be in the cache.
#[derive(Debug, Default)]
pub(crate) struct BufferPool {
    free: [Vec<Vec<u8>>; CLASSES.len()],
}

impl BufferPool {
    /// An empty buffer with room for at least `capacity` bytes.
    pub(crate) fn take(&mut self, capacity: usize) -> Vec<u8> {
        match CLASSES.iter().position(|&(class, _)| class >= capacity) {
            Some(at) => self.free[at]
                .pop()
                .unwrap_or_else(|| Vec::with_capacity(CLASSES[at].0)),
            None => Vec::with_capacity(capacity),
        }
    }

    /// Keeps a buffer for later, or frees it when its class is full or it has grown past all classes.
    pub(crate) fn give(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        let Some(at) = CLASSES.iter().rposition(|&(class, _)| class <= capacity) else {
            return;
        };
        let (class, kept) = CLASSES[at];
        if self.free[at].len() < kept && capacity < 2 * class.max(2048) {
            buffer.clear();
            self.free[at].push(buffer);
        }
    }

    /// Makes room for `additional` bytes more, by a move to a buffer of a larger class where that is needed.
    pub(crate) fn reserve(&mut self, buffer: &mut Vec<u8>, additional: usize) {
        if buffer.capacity() - buffer.len() < additional {
            let mut larger = self.take(buffer.len() + additional);
            larger.extend_from_slice(buffer);
            self.give(core::mem::replace(buffer, larger));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_buffer_given_back_is_the_next_one_taken() {
        let mut pool = BufferPool::default();
        let (a, b) = (pool.take(100), pool.take(512));
        let address = b.as_ptr();
        pool.give(a);
        pool.give(b);
        let again = pool.take(1);
        assert_eq!((again.as_ptr(), again.capacity(), again.len()), (address, 512, 0));
    }

    #[test]
    fn growing_keeps_the_bytes_and_gives_the_small_buffer_back() {
        let mut pool = BufferPool::default();
        let mut buffer = pool.take(10);
        buffer.extend_from_slice(b"head");
        pool.reserve(&mut buffer, 508);
        assert_eq!(buffer.capacity(), 512);
        pool.reserve(&mut buffer, 509);
        assert_eq!((&buffer[..], buffer.capacity()), (&b"head"[..], 4096));
        assert_eq!(pool.free[0].len(), 1);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut pool = BufferPool::default();
        for _ in 0..20 {
            pool.give(Vec::with_capacity(64 * 1024));
            pool.give(Vec::with_capacity(1024 * 1024));
            pool.give(Vec::new());
        }
        assert_eq!(pool.free.iter().map(Vec::len).sum::<usize>(), 16);
    }
}
