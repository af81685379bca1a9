//! Appends Kafka's primitive types to a `Vec<u8>` and closes a frame by
//! writing its length in front.

/// One frame under construction, its 4-byte length first.
pub struct Writer {
    frame: Vec<u8>,
}

/// Whether a version uses compact types and tagged fields (KIP-482).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Header {
    /// Request header v1.
    Plain,
    /// Request header v2.
    Flexible,
}

/// Where the correlation id lies in a request or response frame, its length included.
pub const CORRELATION_AT_REQUEST: usize = 8;
/// See [`CORRELATION_AT_REQUEST`].
pub const CORRELATION_AT_RESPONSE: usize = 4;

impl Writer {
    /// A request's frame with its header written.
    pub fn request(key: i16, version: i16, header: Header, correlation: i32) -> Writer {
        let mut writer = Writer { frame: vec![0; 4] };
        writer
            .i16(key)
            .i16(version)
            .i32(correlation)
            .string(super::CLIENT_ID);
        if header == Header::Flexible {
            writer.no_tags();
        }
        writer
    }

    /// A response's frame with its header written.
    pub fn response(header: Header, correlation: i32) -> Writer {
        let mut writer = Writer { frame: vec![0; 4] };
        writer.i32(correlation);
        if header == Header::Flexible {
            writer.no_tags();
        }
        writer
    }

    /// The finished frame, length in front.
    pub fn finish(mut self) -> Vec<u8> {
        let length = (self.frame.len() - 4) as u32;
        self.frame[..4].copy_from_slice(&length.to_be_bytes());
        self.frame
    }

    /// Bytes written so far, the length in front included.
    pub fn position(&self) -> usize {
        self.frame.len()
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Writer {
        self.frame.extend_from_slice(bytes);
        self
    }

    /// INT8.
    pub fn i8(&mut self, value: i8) -> &mut Writer {
        self.raw(&value.to_be_bytes())
    }

    /// INT16.
    pub fn i16(&mut self, value: i16) -> &mut Writer {
        self.raw(&value.to_be_bytes())
    }

    /// INT32.
    pub fn i32(&mut self, value: i32) -> &mut Writer {
        self.raw(&value.to_be_bytes())
    }

    /// INT64.
    pub fn i64(&mut self, value: i64) -> &mut Writer {
        self.raw(&value.to_be_bytes())
    }

    /// STRING.
    pub fn string(&mut self, value: &str) -> &mut Writer {
        self.i16(value.len() as i16).raw(value.as_bytes())
    }

    /// COMPACT_STRING.
    pub fn compact_string(&mut self, value: &str) -> &mut Writer {
        self.varint(value.len() as u32 + 1).raw(value.as_bytes())
    }

    /// UNSIGNED_VARINT.
    pub fn varint(&mut self, value: u32) -> &mut Writer {
        put_varint(&mut self.frame, u64::from(value));
        self
    }

    /// The tagged fields of a flexible version: none.
    pub fn no_tags(&mut self) -> &mut Writer {
        self.varint(0)
    }
}

/// Appends an unsigned varint of up to 64 bits.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::reader::Reader;

    #[test]
    fn varints_come_back() {
        for value in [0, 1, 127, 128, 300, 65_535, u32::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, u64::from(value));
            assert_eq!(Reader::new(&out).varint().unwrap(), value);
        }
    }

    #[test]
    fn the_length_counts_what_follows_it() {
        let frame = Writer::request(3, 7, Header::Plain, 11).finish();
        assert_eq!(
            super::super::frame_length(&frame),
            Some(frame.len() as i32 - 4)
        );
        assert_eq!(
            &frame[CORRELATION_AT_REQUEST..CORRELATION_AT_REQUEST + 4],
            &[0, 0, 0, 11]
        );
    }
}
