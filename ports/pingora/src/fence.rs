//! Where the body of a request ends, byte by byte. The engine reads through this fence, so it can never take a byte of the
//! next request, and never sees a chunk that two readers could understand differently. Pure; `client_io.rs` does the reading.

use std::error::Error;
use std::fmt;
use std::io;

use crate::errors::{self, ErrorCode};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    None,
    Length(u64),
    Chunked,
}

/// A chunk's size line, its extensions and all trailers together: nobody needs more, and nobody keeps them.
const MAX_EXTENSION_BYTES: usize = 16 * 1024;
const MAX_SIZE_DIGITS: u8 = 15;

/// Where in a chunked body the next byte stands. <https://www.rfc-editor.org/rfc/rfc9112#section-7.1>, and nothing beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Size { size: u64, digits: u8 },
    Extension { size: u64 },
    SizeEnd { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerEnd,
    LastLf,
    Done,
}

#[derive(Debug)]
pub struct Fence {
    at: At,
    /// Of a body with a length: what is still to come.
    length: u64,
    extension_bytes: usize,
}

/// A body that breaks the rules, as the engine hands it back inside of an I/O error.
#[derive(Debug)]
pub struct BodyFault(pub ErrorCode);

impl fmt::Display for BodyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.detail)
    }
}

impl Error for BodyFault {}

impl From<BodyFault> for io::Error {
    fn from(fault: BodyFault) -> Self {
        io::Error::new(io::ErrorKind::InvalidData, fault)
    }
}

// #region fence
impl Fence {
    pub fn new(framing: Framing) -> Self {
        let (at, length) = match framing {
            Framing::None => (At::Done, 0),
            Framing::Length(length) => (At::Done, length),
            Framing::Chunked => (At::Size { size: 0, digits: 0 }, 0),
        };
        Fence { at, length, extension_bytes: 0 }
    }

    /// Whether the whole body has been read.
    pub fn is_done(&self) -> bool {
        self.length == 0 && self.at == At::Done
    }

    /// What of a body with a length is still to come; 0 for a chunked one.
    pub fn length_left(&self) -> u64 {
        self.length
    }

    /// How many of `bytes` belong to the body. They are taken: call it once for each byte.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, BodyFault> {
        if self.length > 0 {
            let taken = self.length.min(bytes.len() as u64);
            self.length -= taken;
            return Ok(taken as usize);
        }
        let mut taken = 0;
        while taken < bytes.len() && self.at != At::Done {
            if let At::Data { left } = self.at {
                let now = left.min((bytes.len() - taken) as u64);
                taken += now as usize;
                self.at = if now == left { At::DataCr } else { At::Data { left: left - now } };
                continue;
            }
            self.at = self.step(bytes[taken])?;
            taken += 1;
        }
        Ok(taken)
    }

    fn step(&mut self, byte: u8) -> Result<At, BodyFault> {
        let is_text = byte == b'\t' || (byte >= b' ' && byte != 0x7f);
        Ok(match (self.at, byte) {
            (At::Size { size, digits }, _) if byte.is_ascii_hexdigit() && digits < MAX_SIZE_DIGITS => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                At::Size { size: size * 16 + u64::from(digit), digits: digits + 1 }
            }
            (At::Size { size, digits: 1.. } | At::Extension { size }, b'\r') => At::SizeEnd { size },
            (At::Size { size, digits: 1.. }, b';') => At::Extension { size },
            (At::Extension { size }, _) if is_text => self.counted(At::Extension { size })?,
            (At::SizeEnd { size: 0 }, b'\n') => At::TrailerStart,
            (At::SizeEnd { size }, b'\n') => At::Data { left: size },
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => At::Size { size: 0, digits: 0 },
            (At::TrailerStart, b'\r') => At::LastLf,
            (At::LastLf, b'\n') => At::Done,
            (At::TrailerStart | At::TrailerName, _) if is_token_byte(byte) => self.counted(At::TrailerName)?,
            (At::TrailerName, b':') => At::TrailerValue,
            (At::TrailerValue, b'\r') => At::TrailerEnd,
            (At::TrailerValue, _) if is_text => self.counted(At::TrailerValue)?,
            (At::TrailerEnd, b'\n') => At::TrailerStart,
            _ => return Err(BodyFault(&errors::MALFORMED_REQUEST)),
        })
    }

    fn counted(&mut self, next: At) -> Result<At, BodyFault> {
        self.extension_bytes += 1;
        if self.extension_bytes > MAX_EXTENSION_BYTES { Err(BodyFault(&errors::CONTENT_TOO_LARGE)) } else { Ok(next) }
    }
}
// #endregion fence

/// <https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2>
pub fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<(usize, bool), &'static str> {
        let mut fence = Fence::new(Framing::Chunked);
        let taken = fence.take(bytes).map_err(|fault| fault.0.code)?;
        Ok((taken, fence.is_done()))
    }

    #[test]
    fn ends_where_the_body_ends() {
        let cases: [(&[u8], usize); 5] = [
            (b"0\r\n\r\nGET", 5),
            (b"3\r\nabc\r\n0\r\n\r\nGET", 13),
            (b"03;a=b;c=\"d\"\r\nabc\r\n000\r\n\r\nGET", 26),
            (b"0\r\nA: b\r\nC:d\r\n\r\nGET", 16),
            (b"a\r\n0123456789\r\n0\r\n\r\n", 20),
        ];
        for (bytes, end) in cases {
            assert_eq!(read(bytes), Ok((end, true)), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn refuses_what_two_readers_could_read_differently() {
        let cases: [&[u8]; 17] = [
            b"\r\n",
            b"g\r\n",
            b"0x3\r\n",
            b" 3\r\n",
            b"3 \r\n",
            b"-1\r\n",
            b"+1\r\n",
            b"1,2\r\n",
            b";a\r\n",
            b"3\nabc",
            b"3\r\nabcd\r\n",
            b"3\r\nabc\n",
            b"1000000000000000\r\n",
            b"3;a\0\r\n",
            b"0\r\n A: b\r\n",
            b"0\r\nA b\r\n",
            b"0\r\nA: b\n\r\n",
        ];
        for bytes in cases {
            assert_eq!(read(bytes), Err("malformed-request"), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn bounds_extensions_and_trailers() {
        let long = vec![b'x'; MAX_EXTENSION_BYTES + 1];
        assert_eq!(read(&[b"3;", long.as_slice()].concat()), Err("content-too-large"));
        assert_eq!(read(&[b"0\r\nA:", long.as_slice()].concat()), Err("content-too-large"));
    }

    proptest! {
        #[test]
        fn reads_the_same_however_the_bytes_are_cut(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
            cut in 1usize..17,
        ) {
            let mut bytes = Vec::new();
            for chunk in &chunks {
                bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
            let end = bytes.len();
            bytes.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
            let mut fence = Fence::new(Framing::Chunked);
            let mut taken = 0;
            for piece in bytes.chunks(cut) {
                taken += fence.take(piece).expect("a body by the rules");
                if fence.is_done() {
                    break;
                }
            }
            prop_assert!(fence.is_done());
            prop_assert_eq!(taken, end);
        }

        #[test]
        fn takes_a_length_and_not_a_byte_more(length in 0u64..500, cut in 1usize..64) {
            let bytes = vec![0u8; 600];
            let mut fence = Fence::new(Framing::Length(length));
            let taken: usize = bytes.chunks(cut).map(|piece| fence.take(piece).expect("no rules to break")).sum();
            prop_assert_eq!(taken as u64, length);
            prop_assert!(fence.is_done());
        }
    }
}
