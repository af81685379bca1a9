//! The bounded reader of everything that came from a socket. It borrows: strings
//! are `&str` into the frame, record sets are `Bytes` that share it. No length
//! read here sizes an allocation; arrays grow as their elements arrive.

use bytes::Bytes;
use thiserror::Error;

use super::varint;
use crate::base::{TopicId, limits};

/// Why bytes are not the message they should be. The connection is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum WireError {
    /// The bytes end before the value does.
    #[error("the message is cut short")]
    Truncated,
    /// A length that is negative, or beyond its limit.
    #[error("length {0} is impossible")]
    Length(i64),
    /// A varint of too many bytes or bits.
    #[error("a varint is too long")]
    Varint,
    /// A string that is not UTF-8.
    #[error("a string is not UTF-8")]
    Utf8,
    /// Null where the version forbids it.
    #[error("a field that cannot be null is null")]
    Null,
    /// More array elements in one message than [`limits::MESSAGE_ELEMENTS_MAX`].
    #[error("the message has too many array elements")]
    Elements,
    /// A tagged field whose contents do not fill its size.
    #[error("tagged field {0} is longer than its contents")]
    Tag(u32),
    /// An API key that this broker does not have.
    #[error("API key {0} is not served")]
    Api(i16),
    /// A version of a known API that is not served.
    #[error("version {1} of API key {0} is not served")]
    Version(i16, i16),
}

/// A cursor over one frame.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    frame: &'a Bytes,
    /// Always a part of `frame`.
    rest: &'a [u8],
    elements_left: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `frame` (the bytes after the 4-byte length).
    pub fn new(frame: &'a Bytes) -> Self {
        Reader {
            frame,
            rest: frame,
            elements_left: limits::MESSAGE_ELEMENTS_MAX,
        }
    }

    /// Bytes not yet read.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `n` bytes, borrowed.
    #[inline]
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// An `int8`.
    pub fn i8(&mut self) -> Result<i8, WireError> {
        Ok(i8::from_be_bytes(self.fixed()?))
    }

    /// An `int16`.
    pub fn i16(&mut self) -> Result<i16, WireError> {
        Ok(i16::from_be_bytes(self.fixed()?))
    }

    /// An `int32`.
    pub fn i32(&mut self) -> Result<i32, WireError> {
        Ok(i32::from_be_bytes(self.fixed()?))
    }

    /// An `int64`.
    pub fn i64(&mut self) -> Result<i64, WireError> {
        Ok(i64::from_be_bytes(self.fixed()?))
    }

    /// A `uuid`.
    pub fn uuid(&mut self) -> Result<TopicId, WireError> {
        Ok(TopicId(self.fixed()?))
    }

    /// An unsigned varint of flexible versions.
    pub fn uvarint(&mut self) -> Result<u32, WireError> {
        varint::read_u32(&mut self.rest)
    }

    /// A string or null; `compact` is the form of flexible versions.
    pub fn string(&mut self, compact: bool) -> Result<Option<&'a str>, WireError> {
        let length = if compact {
            self.compact_length()?
        } else {
            i64::from(self.i16()?)
        };
        let Some(length) = non_null(length)? else {
            return Ok(None);
        };
        if length > limits::STRING_BYTES_MAX {
            return Err(WireError::Length(length as i64));
        }
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| WireError::Utf8)?;
        Ok(Some(text))
    }

    /// Bytes or null, borrowed.
    pub fn bytes(&mut self, compact: bool) -> Result<Option<&'a [u8]>, WireError> {
        let length = self.length(compact)?;
        non_null(length)?
            .map(|length| self.take(length))
            .transpose()
    }

    /// Bytes or null that share the frame's memory and may outlive the borrow.
    pub fn shared_bytes(&mut self, compact: bool) -> Result<Option<Bytes>, WireError> {
        // `bytes` yields a part of `frame`, which is what `slice_ref` asserts.
        Ok(self.bytes(compact)?.map(|part| self.frame.slice_ref(part)))
    }

    /// How many elements an array has, or null. Every element takes a byte at
    /// least, so a count above the remaining bytes is refused at once.
    pub fn array_length(&mut self, compact: bool) -> Result<Option<usize>, WireError> {
        let length = self.length(compact)?;
        let Some(count) = non_null(length)? else {
            return Ok(None);
        };
        if count > self.remaining() {
            return Err(WireError::Truncated);
        }
        self.elements_left = self
            .elements_left
            .checked_sub(count)
            .ok_or(WireError::Elements)?;
        Ok(Some(count))
    }

    /// Reads the section of tagged fields that ends every flexible struct
    /// (KIP-482). `known` gets each tag with a reader bounded to its field and
    /// answers whether it took it; what nobody takes is skipped.
    pub fn tagged_fields(
        &mut self,
        mut known: impl FnMut(u32, &mut Self) -> Result<bool, WireError>,
    ) -> Result<(), WireError> {
        for _ in 0..self.uvarint()? {
            let tag = self.uvarint()?;
            let size = self.uvarint()? as usize;
            let field = self.take(size)?;
            let after = std::mem::replace(&mut self.rest, field);
            if known(tag, self)? && !self.rest.is_empty() {
                return Err(WireError::Tag(tag));
            }
            self.rest = after;
        }
        Ok(())
    }

    fn length(&mut self, compact: bool) -> Result<i64, WireError> {
        if compact {
            self.compact_length()
        } else {
            Ok(i64::from(self.i32()?))
        }
    }

    /// Compact lengths are stored plus one, so that null is zero.
    fn compact_length(&mut self) -> Result<i64, WireError> {
        Ok(i64::from(self.uvarint()?) - 1)
    }
}

/// -1 is null; Kafka takes every negative length for it, we refuse the others.
fn non_null(length: i64) -> Result<Option<usize>, WireError> {
    match length {
        -1 => Ok(None),
        _ => usize::try_from(length)
            .map(Some)
            .map_err(|_| WireError::Length(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;

    #[test]
    fn strings_borrow_and_are_checked() {
        let frame = Bytes::from_static(b"\x00\x02ab\xff\xff\x03cd\x00\x00\x01\xff");
        let mut reader = Reader::new(&frame);
        assert_eq!(reader.string(false), Ok(Some("ab")));
        assert_eq!(reader.string(false), Ok(None));
        assert_eq!(reader.string(true), Ok(Some("cd")));
        assert_eq!(reader.string(true), Ok(None));
        assert_eq!(reader.string(false), Err(WireError::Utf8));
    }

    #[test]
    fn lengths_are_not_believed() {
        let cases: [(&'static [u8], WireError); 5] = [
            (&[0xff, 0xfe], WireError::Length(-2)),
            (&[0x80, 0x00], WireError::Length(-32768)),
            (&[0x00, 0x03, b'a'], WireError::Truncated),
            (&[0x00], WireError::Truncated),
            (&[], WireError::Truncated),
        ];
        for (bytes, error) in cases {
            let frame = Bytes::from_static(bytes);
            assert_eq!(Reader::new(&frame).string(false), Err(error));
        }
        // 32,768 bytes are there, but no string may have them.
        let mut long = BytesMut::new();
        varint::write_u32(&mut long, 32_769);
        long.resize(40_000, b'a');
        assert_eq!(
            Reader::new(&long.freeze()).string(true),
            Err(WireError::Length(32_768))
        );
        let frame = Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff, 0]);
        assert_eq!(Reader::new(&frame).bytes(false), Err(WireError::Truncated));
        assert_eq!(
            Reader::new(&frame).array_length(false),
            Err(WireError::Truncated)
        );
        let frame = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
        assert_eq!(
            Reader::new(&frame).array_length(true),
            Err(WireError::Truncated)
        );
    }

    #[test]
    fn record_sets_share_the_frame() {
        let frame = Bytes::from_static(b"\x00\x00\x00\x03abc\x04def\x00\x00\x00\x00");
        let mut reader = Reader::new(&frame);
        let records = reader.shared_bytes(false).unwrap().unwrap();
        assert_eq!(
            (&records[..], records.as_ptr()),
            (&b"abc"[..], frame[4..].as_ptr())
        );
        assert_eq!(reader.shared_bytes(true).unwrap().unwrap(), "def");
        assert_eq!(reader.shared_bytes(false).unwrap().unwrap(), "");
    }

    #[test]
    fn array_elements_are_counted_over_the_whole_message() {
        let count = limits::MESSAGE_ELEMENTS_MAX / 2 + 1;
        let mut frame = BytesMut::new();
        frame.extend_from_slice(&(count as i32).to_be_bytes());
        frame.extend_from_slice(&(count as i32).to_be_bytes());
        frame.resize(frame.len() + count, 0);
        let frame = frame.freeze();
        let mut reader = Reader::new(&frame);
        assert_eq!(reader.array_length(false), Ok(Some(count)));
        assert_eq!(reader.array_length(false), Err(WireError::Elements));
    }

    #[test]
    fn tagged_fields_are_bounded_and_unknown_ones_skipped() {
        // Tags 3 (two bytes), 1 (an int8), then the next value.
        let frame = Bytes::from_static(&[2, 3, 2, 9, 9, 1, 1, 5, 77]);
        let mut reader = Reader::new(&frame);
        let mut seen = None;
        let known = |tag, reader: &mut Reader<'_>| match tag {
            1 => {
                seen = Some(reader.i8()?);
                Ok(true)
            }
            _ => Ok(false),
        };
        assert_eq!(reader.tagged_fields(known), Ok(()));
        assert_eq!((seen, reader.i8()), (Some(5), Ok(77)));

        for (bytes, error) in [
            (&[1u8, 1, 2, 5, 5][..], WireError::Tag(1)), // longer than its contents
            (&[1, 1, 0, 5, 5], WireError::Truncated),    // shorter than its contents
            (&[1, 1, 9, 5], WireError::Truncated),       // beyond the message
            (&[5, 7, 0], WireError::Truncated),          // fewer fields than announced
        ] {
            let frame = Bytes::copy_from_slice(bytes);
            let known = |_, reader: &mut Reader<'_>| reader.i8().map(|_| true);
            assert_eq!(Reader::new(&frame).tagged_fields(known), Err(error));
        }
    }
}
