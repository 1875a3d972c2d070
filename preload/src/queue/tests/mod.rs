//! Whatever a kernel does to promises, each connection gets the bytes that the program was told are sent, in order and once;
//! and a program that waits for events gets on, whichever way it waits.
//!
//! A program and its peers, on sockets with tiny buffers. What arrives is compared byte by byte, and every wait is bounded.

mod connection;
pub(crate) mod faults;
mod peer;
mod program;
mod stream;

use core::sync::atomic::Ordering;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsRawFd;
use std::sync::Once;
use std::thread;
use std::time::Duration;

use self::faults::Kernel;
use self::peer::peer;
use self::program::Waits;
use self::stream::Random;
use crate::process;
use crate::queue::{company, known, own};
use crate::stats::STATS;

/// Longer than anything takes here, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const CONNECTIONS: usize = 12;

fn set_up() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        assert!(process::set_up());
        own::make_key();
        company::set_lone(true);
    });
}

/// A program from start to end.
fn run(waits: Waits, seed: u32) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    known::made(listener.as_raw_fd());
    let address = listener.local_addr().expect("an address");
    let peers: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            let random = Random(seed ^ u32::try_from(number).unwrap_or(0) << 16);
            thread::spawn(move || peer(address, random))
        })
        .collect();
    let program = thread::spawn(move || program::run(listener, CONNECTIONS, waits, Random(seed)));
    let promised = program.join().expect("the program");
    for peer in peers {
        let found = peer.join().expect("a peer");
        let promised = promised[&found.stream];
        let right = if found.aborted {
            found.len <= promised
        } else {
            found.len == promised
        };
        assert!(
            right,
            "{waits:?}, seed {seed}: {found:?}, {promised} were promised"
        );
    }
}

/// How many programs of each kind; `ESCA_SEEDS` for more.
fn seeds() -> u32 {
    let given = std::env::var("ESCA_SEEDS").ok();
    given.and_then(|count| count.parse().ok()).unwrap_or(2)
}

/// Programs of every kind, with a kernel that keeps to nothing.
fn hold(kernel: Kernel) {
    set_up();
    faults::with(kernel, || {
        let before = STATS.remainders.load(Ordering::Relaxed);
        for seed in 0..seeds() {
            for waits in [Waits::Level, Waits::Edge, Waits::Once] {
                // Scripted refusals are not the socket's own, so no edge follows them.
                if waits != Waits::Edge || kernel != Kernel::Scripted {
                    run(waits, seed * 77 + 1);
                }
            }
        }
        let remainders = STATS.remainders.load(Ordering::Relaxed) - before;
        println!("{remainders} promises came back short");
        assert!(remainders > 3, "but {remainders} promises came back short");
    });
}

#[test]
fn a_kernel_that_has_less_room_than_it_says() {
    hold(Kernel::Lying);
}

#[test]
fn a_ring_that_has_less_room_than_it_says() {
    if let Err(error) = esca_sys::Uring::new() {
        println!("skipped: no io_uring: {error}");
        return;
    }
    hold(Kernel::LyingRing);
}

#[test]
fn sends_that_are_refused_cut_and_interrupted() {
    hold(Kernel::Scripted);
}
