//! The echo server of the examples serves a thousand connections at once.

#[path = "../examples/echo_server.rs"]
#[expect(dead_code, reason = "its main function is not called")]
mod echo_server;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

const CONNECTIONS: usize = 1000;

fn raise_descriptor_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a place for the answer.
    let got = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    limit.rlim_cur = limit.rlim_max.min(8192).max(limit.rlim_cur);
    // SAFETY: `limit` is valid.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!((got, set), (0, 0));
}

#[test]
fn a_thousand_connections_are_echoed() {
    raise_descriptor_limit();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || echo_server::serve(&listener, CONNECTIONS));
    let mut clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    for round in 0..3 {
        for (number, client) in clients.iter_mut().enumerate() {
            write!(client, "client {number} round {round}").unwrap();
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let expected = format!("client {number} round {round}");
            let mut answer = vec![0; expected.len()];
            client.read_exact(&mut answer).unwrap();
            assert_eq!(answer, expected.as_bytes());
        }
    }
    // More than the sockets hold, so that writes have to wait, too.
    let big: Vec<u8> = (0..4_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let mut sender = clients[0].try_clone().unwrap();
    let sent = big.clone();
    let writer = std::thread::spawn(move || sender.write_all(&sent));
    let mut answer = vec![0; big.len()];
    clients[0].read_exact(&mut answer).unwrap();
    writer.join().unwrap().unwrap();
    assert!(answer == big);
    for client in &mut clients {
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
    }
}
