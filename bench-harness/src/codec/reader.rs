//! A bounded reader over one frame. Every step checks what is left; a length
//! from the wire is compared with it and never sizes an allocation.

use anyhow::{Context, Result, bail, ensure};

/// A cursor over the bytes of one frame.
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .context("the frame is cut short")?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self
            .rest
            .split_first_chunk()
            .context("the frame is cut short")?;
        self.rest = rest;
        Ok(*taken)
    }

    /// One byte as a boolean.
    pub fn bool(&mut self) -> Result<bool> {
        Ok(self.array::<1>()? != [0])
    }

    /// INT16.
    pub fn i16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    /// INT32.
    pub fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// INT64.
    pub fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// UNSIGNED_VARINT: at most five bytes.
    pub fn varint(&mut self) -> Result<u32> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        bail!("a varint is longer than five bytes")
    }

    /// STRING.
    pub fn string(&mut self) -> Result<&'a str> {
        self.nullable_string()?.context("a string is null")
    }

    /// NULLABLE_STRING.
    pub fn nullable_string(&mut self) -> Result<Option<&'a str>> {
        match self.i16()? {
            -1 => Ok(None),
            length => Ok(Some(self.utf8(usize::try_from(length)?)?)),
        }
    }

    /// COMPACT_NULLABLE_STRING.
    pub fn compact_nullable_string(&mut self) -> Result<Option<&'a str>> {
        match self.varint()? {
            0 => Ok(None),
            length => Ok(Some(self.utf8(length as usize - 1)?)),
        }
    }

    fn utf8(&mut self, length: usize) -> Result<&'a str> {
        Ok(std::str::from_utf8(self.bytes(length)?)?)
    }

    /// The length of an ARRAY, a null one counting as empty. Each element takes
    /// at least a byte, so a length beyond the frame is refused here.
    pub fn array_length(&mut self) -> Result<usize> {
        let length = self.i32()?;
        self.plausible(usize::try_from(length.max(0))?)
    }

    /// The length of a COMPACT_ARRAY; see [`Reader::array_length`].
    pub fn compact_array_length(&mut self) -> Result<usize> {
        let length = self.varint()?;
        self.plausible(length.saturating_sub(1) as usize)
    }

    fn plausible(&self, length: usize) -> Result<usize> {
        ensure!(
            length <= self.remaining(),
            "an array of {length} elements exceeds the frame"
        );
        Ok(length)
    }

    /// NULLABLE_BYTES, null counting as empty.
    pub fn nullable_bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.i32()?;
        self.bytes(usize::try_from(length.max(0))?)
    }

    /// Skips the tagged fields of a flexible version.
    pub fn skip_tags(&mut self) -> Result<()> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let length = self.varint()?;
            self.bytes(length as usize)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_of_every_length() {
        for (bytes, value) in [
            (&[0x00][..], 0),
            (&[0x7f], 127),
            (&[0x80, 0x01], 128),
            (&[0xff, 0xff, 0x03], 65_535),
            (&[0xff, 0xff, 0xff, 0xff, 0x0f], u32::MAX),
        ] {
            let mut reader = Reader::new(bytes);
            assert_eq!(reader.varint().unwrap(), value);
            assert_eq!(reader.remaining(), 0);
        }
        assert!(Reader::new(&[0x80; 6]).varint().is_err());
        assert!(Reader::new(&[0x80]).varint().is_err());
    }

    #[test]
    fn lengths_beyond_the_frame_are_refused() {
        assert!(Reader::new(&[0x7f, 0xff, b'a']).string().is_err());
        assert!(
            Reader::new(&[0x7f, 0xff, 0xff, 0xff, 0])
                .array_length()
                .is_err()
        );
        assert!(
            Reader::new(&[0xff, 0xff, 0x03, 0])
                .compact_array_length()
                .is_err()
        );
        assert!(Reader::new(&[0, 0, 0, 9, 1]).nullable_bytes().is_err());
        assert_eq!(
            Reader::new(&[0xff, 0xff, 0xff, 0xff])
                .array_length()
                .unwrap(),
            0
        );
        assert_eq!(Reader::new(&[0xff, 0xff]).nullable_string().unwrap(), None);
    }

    #[test]
    fn tags_are_skipped_whole() {
        let mut reader = Reader::new(&[2, 0, 2, 9, 9, 5, 0, 42]);
        reader.skip_tags().unwrap();
        assert_eq!(reader.bytes(1).unwrap(), [42]);
    }
}
