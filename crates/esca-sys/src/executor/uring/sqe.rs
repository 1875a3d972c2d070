//! Entries of a table as entries of io_uring.

use batch_table::{Call, nr::native as nr};

use crate::MsgFlags;

/// `struct io_uring_sqe`, with the names of the fields that are used here.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct Sqe {
    opcode: u8,
    flags: u8,
    ioprio: u16,
    fd: i32,
    _offset: u64,
    address: u64,
    len: u32,
    op_flags: u32,
    user_data: u64,
    rest: [u64; 3],
}

const _: () = assert!(size_of::<Sqe>() == 64);

const OP_SENDMSG: u8 = 9;
const OP_CLOSE: u8 = 19;
const OP_SEND: u8 = 26;
const OP_RECV: u8 = 27;

const IO_LINK: u8 = 1 << 2;
/// What the kernel cuts a length to; results above it do not fit into a completion.
const MAX_LEN: u64 = 0x7fff_f000;

impl Sqe {
    /// The entry for a call, if io_uring can run it on the submitting thread without ever waiting: only so do entries
    /// keep their order, and does a flush end. Everything else is for a plain call, `read` and `write` too: not every file
    /// can say whether it would wait, and of the `SIGPIPE`s of one submission only one would arrive.
    pub(super) fn translate(call: &Call) -> Option<Self> {
        let args = &call.args;
        let fd = i32::try_from(args[0]).ok()?;
        // Nothing to move may still be an error, which io_uring does not look for.
        let len = |len: u64| {
            u32::try_from(len)
                .ok()
                .filter(|&len| len > 0 && u64::from(len) <= MAX_LEN)
        };
        // Flags are an `int`: the upper half of the register does not count.
        let message = |flags: u64| {
            u32::try_from(flags)
                .ok()
                .map(|flags| flags | MsgFlags::DONTWAIT.bits())
        };
        let wait_all = MsgFlags::WAITALL.bits();
        let base = Self {
            fd,
            ..Self::default()
        };
        Some(match call.nr {
            nr::SENDTO if args[4] == 0 => Self {
                opcode: OP_SEND,
                address: args[1],
                len: len(args[2])?,
                // Makes a short send break the link behind it; nothing waits, because of `MSG_DONTWAIT`.
                op_flags: message(args[3])? | wait_all,
                ..base
            },
            nr::SENDMSG => Self {
                opcode: OP_SENDMSG,
                address: args[1],
                len: 1,
                op_flags: message(args[2])? | wait_all,
                ..base
            },
            nr::RECVFROM if args[4] == 0 && args[5] == 0 => Self {
                opcode: OP_RECV,
                address: args[1],
                len: len(args[2])?,
                op_flags: message(args[3])?,
                ..base
            },
            nr::CLOSE => Self {
                opcode: OP_CLOSE,
                ..base
            },
            _ => return None,
        })
    }

    /// With a value that comes back in the completion, and linked to the next entry or not.
    pub(super) const fn tagged(mut self, user_data: u64, linked: bool) -> Self {
        self.user_data = user_data;
        if linked {
            self.flags |= IO_LINK;
        }
        self
    }

    pub(super) const fn fd(&self) -> i32 {
        self.fd
    }
}
