//! Two sockets, one batch: a chain of header and body on each, with the real result of every call.
//!
//! `cargo run -p esca-sys --features std --example two_sockets`

use std::error::Error;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use esca_sys::{Descriptor, Direct, MsgFlags, Operation, Segment};

fn main() -> Result<(), Box<dyn Error>> {
    let (alive, mut alive_peer) = UnixStream::pair()?;
    let (gone, gone_peer) = UnixStream::pair()?;
    drop(gone_peer);

    let mut segment = Segment::new(Direct::new(), 64)?;
    for (client, socket) in (0..).zip([alive, gone]) {
        let socket = Arc::new(OwnedFd::from(socket));
        let header = Operation::send(Descriptor::shared(socket.clone()), "header\n", MsgFlags::NOSIGNAL);
        let body = Operation::send(
            Descriptor::shared(socket),
            String::from("body\n").into_bytes(),
            MsgFlags::NOSIGNAL,
        );
        // Linked: without its header the body makes no sense, so it is not sent.
        segment.push(header.linked(), client * 10)?;
        segment.push(body, client * 10 + 1)?;
    }

    println!("{} calls ran together", segment.flush()?);
    while let Some(completion) = segment.next_completion() {
        match completion.result.into_result() {
            Ok(bytes) => println!("entry {}: {bytes} bytes", completion.token),
            Err(errno) => println!("entry {}: {errno}", completion.token),
        }
    }

    drop(segment);
    let mut received = String::new();
    alive_peer.read_to_string(&mut received)?;
    assert_eq!(received, "header\nbody\n");
    Ok(())
}
