//! Decodes a request's body from the bytes of a connection (RFC 9112, sections 6 and 7.1).

use super::head::{Framing, is_token};

/// Bytes that a chunk-size line with its extensions may take.
const MAX_CHUNK_LINE: usize = 1024;
/// Bytes that all trailer fields of a chunked body may take.
const MAX_TRAILERS: usize = 8 * 1024;

/// A body that breaks the chunked grammar or its limits; the connection cannot be used after it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct InvalidChunk;

/// What one call of [`Decoder::decode`] did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Progress {
    /// Bytes of the input that are done with.
    pub(crate) consumed: usize,
    /// Bytes of content written to the output.
    pub(crate) produced: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// So many bytes follow without any framing.
    Length(u64),
    /// At the hexadecimal digits of a chunk size, `digits` of them seen.
    Size {
        size: u64,
        digits: usize,
    },
    /// In the extensions of a chunk-size line.
    Extension {
        size: u64,
    },
    /// After the CR of a chunk-size line.
    SizeLf {
        size: u64,
    },
    /// In a chunk's data.
    Data {
        left: u64,
    },
    /// After a chunk's data.
    DataCr,
    /// After the CR behind a chunk's data.
    DataLf,
    /// At the start of a trailer line, or of the empty line that ends the body.
    TrailerStart,
    /// In the name of a trailer field.
    TrailerName,
    /// Behind the colon of a trailer field.
    Trailer,
    /// After the CR of a trailer line.
    TrailerLf,
    /// After the CR of the empty line.
    EndLf,
    Done,
}

/// The body's state: how much is still to come.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    state: State,
    /// Bytes of the current chunk-size line, or of all trailers.
    line: usize,
}

impl Decoder {
    pub(crate) const fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Size { size: 0, digits: 0 },
        };
        Self { state, line: 0 }
    }

    /// Whether the whole body has been consumed.
    pub(crate) const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Bytes of content still to come, where the framing says so.
    pub(crate) const fn remaining(&self) -> Option<u64> {
        match self.state {
            State::Length(left) => Some(left),
            State::Done => Some(0),
            _ => None,
        }
    }

    /// Takes back `count` bytes that were received past the decoder straight into the caller's memory.
    ///
    /// Only for a body of known length, whose content needs no decoding.
    pub(crate) fn received(&mut self, count: u64) {
        if let State::Length(left) = self.state {
            self.state = match left.saturating_sub(count) {
                0 => State::Done,
                left => State::Length(left),
            };
        }
    }

    /// Decodes from `input` to `output` until either is used up or the body ends.
    pub(crate) fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, InvalidChunk> {
        let mut progress = Progress::default();
        loop {
            let rest = &input[progress.consumed..];
            match self.state {
                State::Done => return Ok(progress),
                State::Length(left) | State::Data { left } => {
                    let room = &mut output[progress.produced..];
                    let count = rest
                        .len()
                        .min(room.len())
                        .min(usize::try_from(left).unwrap_or(usize::MAX));
                    if count == 0 {
                        return Ok(progress);
                    }
                    room[..count].copy_from_slice(&rest[..count]);
                    progress.consumed += count;
                    progress.produced += count;
                    let left = left - count as u64;
                    self.state = match (self.state, left) {
                        (State::Length(_), 0) => State::Done,
                        (State::Length(_), left) => State::Length(left),
                        (_, 0) => State::DataCr,
                        (_, left) => State::Data { left },
                    };
                }
                _ => {
                    let Some(&byte) = rest.first() else {
                        return Ok(progress);
                    };
                    progress.consumed += 1;
                    self.state = self.framing_byte(byte)?;
                }
            }
        }
    }

    /// The state after a byte that is not content.
    fn framing_byte(&mut self, byte: u8) -> Result<State, InvalidChunk> {
        let limit = match self.state {
            State::Size { .. } | State::Extension { .. } => MAX_CHUNK_LINE,
            _ => MAX_TRAILERS,
        };
        self.line += 1;
        if self.line > limit {
            return Err(InvalidChunk);
        }
        match (self.state, byte) {
            (State::Size { size, digits }, _) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16).ok_or(InvalidChunk)?;
                let size = size.checked_mul(16).ok_or(InvalidChunk)? + u64::from(digit);
                Ok(State::Size {
                    size,
                    digits: digits + 1,
                })
            }
            (State::Size { digits: 0, .. }, _) => Err(InvalidChunk),
            (State::Size { size, .. } | State::Extension { size }, b'\r') => Ok(State::SizeLf { size }),
            (State::Size { size, .. }, b';') => Ok(State::Extension { size }),
            (State::Extension { size }, _) if is_field_byte(byte) => Ok(State::Extension { size }),
            (State::SizeLf { size }, b'\n') => {
                self.line = 0;
                Ok(if size == 0 {
                    State::TrailerStart
                } else {
                    State::Data { left: size }
                })
            }
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => {
                self.line = 0;
                Ok(State::Size { size: 0, digits: 0 })
            }
            (State::TrailerStart, b'\r') => Ok(State::EndLf),
            (State::TrailerName, b':') => Ok(State::Trailer),
            (State::TrailerStart | State::TrailerName, _) if is_token(&[byte]) => Ok(State::TrailerName),
            (State::Trailer, b'\r') => Ok(State::TrailerLf),
            (State::Trailer, _) if is_field_byte(byte) => Ok(State::Trailer),
            (State::TrailerLf, b'\n') => Ok(State::TrailerStart),
            (State::EndLf, b'\n') => Ok(State::Done),
            _ => Err(InvalidChunk),
        }
    }
}

/// What may stand in a field line or a chunk extension: no control character but the tab.
fn is_field_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `input` in pieces of `piece` bytes with room for `room`; content and bytes left over.
    fn decode(
        framing: Framing,
        input: &[u8],
        piece: usize,
        room: usize,
    ) -> Result<(Vec<u8>, usize), InvalidChunk> {
        let mut decoder = Decoder::new(framing);
        let mut content = Vec::new();
        let mut output = vec![0; room];
        let mut at = 0;
        while !decoder.is_done() && at < input.len() {
            let end = (at + piece).min(input.len());
            let progress = decoder.decode(&input[at..end], &mut output)?;
            content.extend_from_slice(&output[..progress.produced]);
            at += progress.consumed;
        }
        assert!(
            decoder.is_done(),
            "incomplete after {at} of {} bytes",
            input.len()
        );
        Ok((content, input.len() - at))
    }

    fn everywhere(framing: Framing, input: &[u8], expected: Result<(&[u8], usize), InvalidChunk>) {
        for piece in [1, 2, 3, 7, input.len()] {
            for room in [1, 2, 5, 4096] {
                let result = decode(framing, input, piece, room);
                let result = result
                    .as_ref()
                    .map(|(content, left)| (&content[..], *left))
                    .map_err(|error| *error);
                assert_eq!(result, expected, "pieces of {piece}, room for {room}");
            }
        }
    }

    #[test]
    fn a_length_ends_where_it_says() {
        everywhere(Framing::Length(5), b"helloGET /", Ok((b"hello", 5)));
        assert!(Decoder::new(Framing::Length(0)).is_done());
    }

    #[test]
    fn chunks_extensions_and_trailers() {
        everywhere(Framing::Chunked, b"5\r\nhello\r\n0\r\n\r\nGET", Ok((b"hello", 3)));
        everywhere(
            Framing::Chunked,
            b"05;a=b;c\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n",
            Ok((b"hello0123456789", 0)),
        );
        everywhere(
            Framing::Chunked,
            b"1\r\nx\r\n000\r\nX: y\r\nZ: t\r\n\r\n",
            Ok((b"x", 0)),
        );
    }

    #[test]
    fn broken_chunks_are_refused_at_every_split() {
        for input in [
            &b"\r\nhello"[..],
            b"g\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b" 1\r\n",
            b"1 \r\nx",
            b"0x1\r\nx",
            b"1\nx",
            b"1\r\nxy\r\n",
            b"1\r\nx\n0\r\n",
            b"1\r\nx\r\r",
            b"1;\x00\r\nx",
            b"1;a\nx",
            b"10000000000000000\r\n",
            b"0\r\n X: y\r\n\r\n",
            b"0\r\n: y\r\n\r\n",
            b"0\r\nX\r\n\r\n",
            b"0\r\nX : y\r\n\r\n",
            b"0\r\nX: a\0b\r\n\r\n",
            b"0\r\nX: y\n\r\n",
            b"0\r\n\n",
        ] {
            for piece in [1, 2, input.len()] {
                assert_eq!(
                    decode(Framing::Chunked, input, piece, 64),
                    Err(InvalidChunk),
                    "{input:?}"
                );
            }
        }
    }

    #[test]
    fn lines_and_trailers_have_limits() {
        let line =
            |length: usize| [b"1;".as_slice(), &vec![b'a'; length - 2], b"\r\nx\r\n0\r\n\r\n"].concat();
        assert!(decode(Framing::Chunked, &line(MAX_CHUNK_LINE - 1), 999, 64).is_ok());
        assert!(decode(Framing::Chunked, &line(MAX_CHUNK_LINE + 1), 999, 64).is_err());
        let trailers = |count: usize| [b"0\r\n".as_slice(), &b"X: y\r\n".repeat(count), b"\r\n"].concat();
        assert!(decode(Framing::Chunked, &trailers(MAX_TRAILERS / 6 - 1), 999, 64).is_ok());
        assert!(decode(Framing::Chunked, &trailers(MAX_TRAILERS / 6 + 1), 999, 64).is_err());
    }

    #[test]
    fn the_largest_chunk_size_does_not_overflow() {
        let mut decoder = Decoder::new(Framing::Chunked);
        let progress = decoder.decode(b"ffffffffffffffff\r\nabc", &mut [0; 8]).unwrap();
        assert_eq!(
            progress,
            Progress {
                consumed: 21,
                produced: 3
            }
        );
    }
}
