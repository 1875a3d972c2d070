//! Listening sockets.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};

/// Connections that the kernel holds until a worker takes them; it clamps the number to `net.core.somaxconn`.
pub(crate) const BACKLOG: i32 = 4096;

/// One listener on `address` for each of `workers`, and the address with the port that was given out for port 0.
///
/// Each worker has its own queue (`SO_REUSEPORT`), so that none has to be woken for the connection of another.
pub(crate) fn bind(address: SocketAddr, workers: usize) -> io::Result<(Vec<OwnedFd>, SocketAddr)> {
    // Alone first: with SO_REUSEPORT a second server of the same user would silently share the port.
    let single = socket(address, false)?;
    let address = local(&single)?;
    if workers <= 1 {
        rustix::net::listen(&single, BACKLOG)?;
        return Ok((vec![single], address));
    }
    drop(single);
    let mut listeners = Vec::with_capacity(workers);
    for _ in 0..workers {
        let listener = socket(address, true)?;
        rustix::net::listen(&listener, BACKLOG)?;
        listeners.push(listener);
    }
    Ok((listeners, address))
}

fn socket(address: SocketAddr, shared: bool) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_reuseport(&socket, shared)?;
    // Accepted connections inherit it. Responses leave in one piece, or the piece before says that more follows.
    sockopt::set_tcp_nodelay(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    Ok(socket)
}

fn local(socket: &OwnedFd) -> io::Result<SocketAddr> {
    Ok(SocketAddr::try_from(rustix::net::getsockname(socket)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loopback() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    #[test]
    fn port_zero_gives_all_workers_one_port() {
        let (listeners, address) = bind(loopback(), 3).unwrap();
        assert_eq!(listeners.len(), 3);
        assert_ne!(address.port(), 0);
        for listener in &listeners {
            assert_eq!(local(listener).unwrap(), address);
        }
    }

    #[test]
    fn a_port_in_use_is_an_error_for_one_worker_and_for_many() {
        let (_held, address) = bind(loopback(), 2).unwrap();
        for workers in [1, 2] {
            assert_eq!(
                bind(address, workers).unwrap_err().kind(),
                io::ErrorKind::AddrInUse
            );
        }
    }
}
