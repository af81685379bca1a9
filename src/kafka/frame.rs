//! Frames and headers: where one request ends in a stream of bytes, which API
//! and version it is, and how a response begins. Sans I/O.

use bytes::{Bytes, BytesMut};
use thiserror::Error;

use super::api::ApiKey;
use super::reader::{Reader, WireError};
use super::rope::Rope;
use super::wire::{Version, Wire};
use crate::base::limits::FRAME_BYTES_MAX;

/// Bytes of the length in front of every frame.
pub const LENGTH_BYTES: usize = 4;
/// Bytes of the shortest request: API key, version, correlation id, null client id.
pub const REQUEST_BYTES_MIN: usize = 10;

/// Why a stream of bytes is not Kafka's protocol. The connection is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("frame length {0} is not between {REQUEST_BYTES_MIN} and {max}", max = FRAME_BYTES_MAX)]
pub struct FrameError(pub i32);

/// Length of the frame at the start of `buffered`, without its 4-byte length; `None`
/// until these 4 bytes are there. It tells how much memory to ask for before the
/// frame itself is read.
pub fn frame_length(buffered: &[u8]) -> Result<Option<usize>, FrameError> {
    let Some(prefix) = buffered.first_chunk() else {
        return Ok(None);
    };
    let length = i32::from_be_bytes(*prefix);
    match usize::try_from(length) {
        Ok(n) if (REQUEST_BYTES_MIN..=FRAME_BYTES_MAX).contains(&n) => Ok(Some(n)),
        _ => Err(FrameError(length)),
    }
}

/// Splits the first whole frame off `buffered`, without its 4-byte length and without
/// copying; `None` until all of it is there.
pub fn split_frame(buffered: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
    match frame_length(buffered)? {
        Some(length) if buffered.len() >= LENGTH_BYTES + length => {
            let mut frame = buffered.split_to(LENGTH_BYTES + length);
            Ok(Some(frame.split_off(LENGTH_BYTES).freeze()))
        }
        _ => Ok(None),
    }
}

/// The header of a request: v1, or v2 where the API's version is flexible. (v0 died
/// with ControlledShutdown in Kafka 4.0.)
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestHeader<'a> {
    /// Which API.
    pub api: ApiKey,
    /// Which version; see [`RequestHeader::is_served`].
    pub version: i16,
    /// Chosen by the client and given back with the response.
    pub correlation_id: i32,
    /// What the client calls itself (`client.id`).
    pub client_id: Option<&'a str>,
}

impl<'a> RequestHeader<'a> {
    /// Reads the header; the reader then stands at the body. An unknown API is an
    /// error, as nothing can be known of its header. An unserved version of a known API
    /// is not: what to answer is the caller's affair, and of the header of a later
    /// version only the correlation id is certain, so a client id that cannot be
    /// read there is `None`.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let api = ApiKey::try_from(reader.i16()?).map_err(WireError::Api)?;
        let version = reader.i16()?;
        let correlation_id = reader.i32()?;
        let client_id = match read_client_id(reader, api.version(version)) {
            Err(_) if !api.serves(version) => None,
            result => result?,
        };
        Ok(RequestHeader {
            api,
            version,
            correlation_id,
            client_id,
        })
    }

    /// Whether the broker serves that version of the API.
    pub fn is_served(&self) -> bool {
        self.api.serves(self.version)
    }

    /// Writes the header, as a client does.
    pub fn encode(&self, rope: &mut Rope<'_>) {
        rope.i16(self.api.key());
        rope.i16(self.version);
        rope.i32(self.correlation_id);
        rope.string(self.client_id, false);
        if self.api.version(self.version).flexible {
            rope.uvarint(0);
        }
    }
}

/// The client id is never compact, not even in the flexible header v2 (KIP-482).
fn read_client_id<'a>(
    reader: &mut Reader<'a>,
    version: Version,
) -> Result<Option<&'a str>, WireError> {
    let client_id = reader.string(false)?;
    if version.flexible {
        reader.tagged_fields(|_, _| Ok(false))?;
    }
    Ok(client_id)
}

/// Writes a response header: v1 where the API's version is flexible, else v0.
pub fn write_response_header(rope: &mut Rope<'_>, api: ApiKey, version: i16, correlation_id: i32) {
    rope.i32(correlation_id);
    if api.flexible_response_header(version) {
        rope.uvarint(0);
    }
}

/// Reads a response header, as a client does, and returns its correlation id.
pub fn read_response_header(
    reader: &mut Reader<'_>,
    api: ApiKey,
    version: i16,
) -> Result<i32, WireError> {
    let correlation_id = i32::read(reader, api.version(version))?;
    if api.flexible_response_header(version) {
        reader.tagged_fields(|_, _| Ok(false))?;
    }
    Ok(correlation_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BufMut;

    #[test]
    fn impossible_lengths_are_refused_before_the_frame_arrives() {
        for length in [i32::MIN, -1, 0, 9, FRAME_BYTES_MAX as i32 + 1, i32::MAX] {
            assert_eq!(frame_length(&length.to_be_bytes()), Err(FrameError(length)));
        }
        for length in [REQUEST_BYTES_MIN, FRAME_BYTES_MAX] {
            assert_eq!(
                frame_length(&(length as i32).to_be_bytes()),
                Ok(Some(length))
            );
        }
        for short in 0..LENGTH_BYTES {
            assert_eq!(frame_length(&[0xff; LENGTH_BYTES][..short]), Ok(None));
        }
    }

    #[test]
    fn frames_come_out_whole_and_in_order_however_they_arrive() {
        let mut stream = BytesMut::new();
        for n in [10u8, 11, 200] {
            stream.put_i32(i32::from(n));
            stream.put_bytes(n, n.into());
        }
        for step in 1..stream.len() {
            let (mut buffered, mut frames) = (BytesMut::new(), Vec::new());
            for part in stream.chunks(step) {
                buffered.put_slice(part);
                while let Some(frame) = split_frame(&mut buffered).unwrap() {
                    frames.push(frame);
                }
            }
            assert!(buffered.is_empty());
            let expected = [vec![10u8; 10], vec![11; 11], vec![200; 200]];
            assert_eq!(frames, expected);
        }
    }

    fn header_bytes(key: i16, version: i16, after: &[u8]) -> Bytes {
        let mut frame = BytesMut::new();
        frame.put_i16(key);
        frame.put_i16(version);
        frame.put_i32(42);
        frame.put_slice(after);
        frame.freeze()
    }

    #[test]
    fn header_v1_and_v2() {
        // Metadata 8 is header v1, Metadata 9 is v2; the byte after is the body's.
        for (version, after, client_id) in [
            (8, &[0, 2, b'm', b'e', 77][..], Some("me")),
            (8, &[0xff, 0xff, 77], None),
            (9, &[0, 2, b'm', b'e', 0, 77], Some("me")),
            (9, &[0xff, 0xff, 1, 5, 2, 0, 0, 77], None),
        ] {
            let frame = header_bytes(3, version, after);
            let mut reader = Reader::new(&frame);
            let header = RequestHeader::decode(&mut reader).unwrap();
            let api = ApiKey::Metadata;
            assert_eq!(
                header,
                RequestHeader {
                    api,
                    version,
                    correlation_id: 42,
                    client_id
                }
            );
            assert!(header.is_served());
            assert_eq!(reader.i8(), Ok(77));
        }
    }

    #[test]
    fn unknown_apis_and_versions() {
        let frame = header_bytes(999, 0, &[0xff, 0xff]);
        assert_eq!(
            RequestHeader::decode(&mut Reader::new(&frame)),
            Err(WireError::Api(999))
        );
        // A header of the future, after whose correlation id nothing is known.
        let frame = header_bytes(18, 99, &[0x7f, 0xff, 1]);
        let header = RequestHeader::decode(&mut Reader::new(&frame)).unwrap();
        assert!(!header.is_served());
        assert_eq!((header.correlation_id, header.client_id), (42, None));
        let frame = header_bytes(18, 4, &[0x7f, 0xff, 1]);
        assert_eq!(
            RequestHeader::decode(&mut Reader::new(&frame)),
            Err(WireError::Truncated)
        );
    }

    #[test]
    fn the_response_header_of_api_versions_is_never_flexible() {
        for (api, version, bytes) in [
            (ApiKey::ApiVersions, 4, 4),
            (ApiKey::Metadata, 8, 4),
            (ApiKey::Metadata, 9, 5),
            (ApiKey::DescribeCluster, 0, 5),
        ] {
            let mut scratch = BytesMut::new();
            let mut rope = Rope::new(&mut scratch);
            write_response_header(&mut rope, api, version, 42);
            let body = rope.finish().body();
            assert_eq!(body.len(), bytes);
            assert_eq!(
                read_response_header(&mut Reader::new(&body), api, version),
                Ok(42)
            );
        }
    }
}
