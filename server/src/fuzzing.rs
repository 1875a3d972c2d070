//! The request path without sockets, for fuzzing.

use core::mem::MaybeUninit;

use crate::http::body::Decoder;
use crate::http::head::{self, MAX_FIELDS};
use crate::http::scan::{Scan, scan};

/// What a stream of bytes is read as: each request's method, path and content, and how it ended.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Reading {
    /// Method, path and content of each request that is whole.
    pub requests: Vec<(String, String, Vec<u8>)>,
    /// The status that ends the connection, if something is malformed.
    pub refusal: Option<u16>,
}

/// Reads `stream` as a connection's bytes that arrive in pieces of `piece` bytes, at least one.
#[must_use]
pub fn read(stream: &[u8], piece: usize) -> Reading {
    let mut reading = Reading::default();
    let mut buffer = Vec::new();
    let mut arrivals = stream.chunks(piece.max(1));
    let mut scanned = 0;
    loop {
        match scan(&buffer, scanned) {
            Scan::Partial { resume } => {
                scanned = resume;
                let Some(arrival) = arrivals.next() else {
                    return reading;
                };
                buffer.extend_from_slice(arrival);
            }
            Scan::Malformed => {
                reading.refusal = Some(400);
                return reading;
            }
            Scan::Complete { len } => {
                scanned = 0;
                let behind = buffer.split_off(len);
                let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
                let (method, path, mut decoder) = match head::parse(&buffer, &mut fields) {
                    Ok(head) => (
                        head.method.to_owned(),
                        head.target.path.into_owned(),
                        Decoder::new(head.framing),
                    ),
                    Err(status) => {
                        reading.refusal = Some(status.code());
                        return reading;
                    }
                };
                buffer = behind;
                let mut content = Vec::new();
                let mut output = [0; 64];
                while !decoder.is_done() {
                    if buffer.is_empty() {
                        let Some(arrival) = arrivals.next() else {
                            return reading;
                        };
                        buffer.extend_from_slice(arrival);
                    }
                    let Ok(progress) = decoder.decode(&buffer, &mut output) else {
                        reading.refusal = Some(400);
                        return reading;
                    };
                    assert!(progress.consumed > 0, "the decoder stands still");
                    content.extend_from_slice(&output[..progress.produced]);
                    buffer.drain(..progress.consumed);
                }
                reading.requests.push((method, path, content));
            }
        }
    }
}

/// Checks that how a stream is cut does not change what it says.
///
/// # Panics
///
/// When it does, which is what a fuzzer looks for.
pub fn check(stream: &[u8]) {
    let whole = read(stream, usize::MAX);
    for piece in [1, 2, 7] {
        assert_eq!(read(stream, piece), whole, "in pieces of {piece}");
    }
}
