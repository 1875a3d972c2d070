use super::{RUN, Tree, index, key_len};
use crate::edge::{self, BLOCK, KIND_WIDE, NONE};
use crate::record::{HEADER, Record};

impl Tree<'_> {
    /// Writes a record behind the others.
    pub(super) const fn new_record(&mut self, key: &[u8], up: u32, up_len: u16, value: u32) -> u32 {
        let at = self.state.bytes;
        let record = Record {
            up,
            len: key_len(key),
            up_len,
            value,
        };
        record.write(self.records, at);
        let (_, room) = self.records.split_at_mut(at + HEADER);
        room.split_at_mut(key.len()).0.copy_from_slice(key);
        self.state.bytes += record.size();
        self.state.keys += 1;
        index(at)
    }

    pub(super) const fn new_block(&mut self) -> u32 {
        self.state.nodes += 1;
        if self.state.free_block != NONE {
            let block = self.state.free_block;
            self.state.free_block = self.edges[block as usize * BLOCK];
            return block;
        }
        if self.state.free_run != NONE {
            let block = self.state.free_run;
            self.state.free_run = self.edges[block as usize * BLOCK];
            let mut rest = 1;
            while rest < RUN {
                self.free_block(block + index(rest));
                rest += 1;
            }
            return block;
        }
        self.state.blocks += 1;
        index(self.state.blocks - 1)
    }

    /// Gives back a block, not the node in it.
    pub(super) const fn free_block(&mut self, block: u32) {
        self.edges[block as usize * BLOCK] = self.state.free_block;
        self.state.free_block = block;
    }

    pub(super) const fn free_node(&mut self, node: u32) {
        let block = edge::block(node);
        self.state.nodes -= 1;
        if edge::kind(node) == KIND_WIDE {
            self.edges[block as usize * BLOCK] = self.state.free_run;
            self.state.free_run = block;
            self.state.wide -= 1;
        } else {
            self.free_block(block);
        }
    }
}
