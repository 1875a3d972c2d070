//! Flag words of the calls that have constructors.

macro_rules! flags {
    ($(#[$doc:meta])* $name:ident { $($(#[$const_doc:meta])* $constant:ident = $value:expr;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
        #[repr(transparent)]
        pub struct $name(u32);

        impl $name {
            /// No flag.
            pub const NONE: Self = Self(0);
            $($(#[$const_doc])* pub const $constant: Self = Self($value);)+

            /// The flags for a number in the kernel's encoding; bits without a name here are kept.
            #[inline]
            #[must_use]
            pub const fn from_bits(bits: u32) -> Self {
                Self(bits)
            }

            /// The number in the kernel's encoding.
            #[inline]
            #[must_use]
            pub const fn bits(self) -> u32 {
                self.0
            }

            /// The bits of both.
            #[inline]
            #[must_use]
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// Whether all bits of `other` are set.
            #[inline]
            #[must_use]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }
        }

        impl core::ops::BitOr for $name {
            type Output = Self;

            #[inline]
            fn bitor(self, other: Self) -> Self {
                self.union(other)
            }
        }
    };
}

flags! {
    /// Flags of `send` and `recv` (`linux/socket.h`).
    MsgFlags {
        /// Out-of-band data.
        OOB = 0x1;
        /// Receive without taking.
        PEEK = 0x2;
        /// Fail with `EAGAIN` where the call would block.
        DONTWAIT = 0x40;
        /// End of record.
        EOR = 0x80;
        /// Receive all of the length, or fail.
        WAITALL = 0x100;
        /// No `SIGPIPE` where the peer is gone; the result is `EPIPE` all the same.
        NOSIGNAL = 0x4000;
        /// More is coming: TCP holds back a segment that is not full.
        MORE = 0x8000;
    }
}

flags! {
    /// Flags of `accept4`.
    AcceptFlags {
        /// The new descriptor does not block.
        NONBLOCK = 0x800;
        /// The new descriptor is closed by `exec`.
        CLOEXEC = 0x8_0000;
    }
}

flags! {
    /// Flags of `splice`.
    SpliceFlags {
        /// Move pages where possible.
        MOVE = 1;
        /// Do not block on the pipe.
        NONBLOCK = 2;
        /// More is coming.
        MORE = 4;
    }
}

/// Direction that `shutdown` closes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u32)]
pub enum Shutdown {
    /// Nothing more is received.
    Read = 0,
    /// Nothing more is sent; the peer sees the end of the stream.
    Write = 1,
    /// Both.
    Both = 2,
}

/// What `epoll_ctl` does.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u32)]
pub enum EpollOp {
    /// Adds a descriptor.
    Add = 1,
    /// Removes a descriptor.
    Delete = 2,
    /// Changes the events of a descriptor.
    Modify = 3,
}

/// `struct epoll_event`: packed on x86-64, of natural alignment elsewhere (`linux/eventpoll.h`).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(target_arch = "x86_64", repr(C, packed))]
#[cfg_attr(not(target_arch = "x86_64"), repr(C))]
pub struct EpollEvent {
    /// Events asked for, or events that happened (`EPOLLIN` = 1, `EPOLLOUT` = 4 and so on).
    pub events: u32,
    /// The caller's own value.
    pub data: u64,
}

const _: () = assert!(size_of::<EpollEvent>() == if cfg!(target_arch = "x86_64") { 12 } else { 16 });
