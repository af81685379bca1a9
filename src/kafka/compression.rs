//! Unpacks the record section of a compressed batch. The broker stores and serves
//! batches as they came; it looks inside only to find a record by its timestamp.
//! The output is bounded by [`limits::DECOMPRESSED_BYTES_MAX`], or less, whatever the
//! compressed bytes claim.

use std::borrow::Cow;
use std::io::{self, Read};

use ruzstd::decoding::StreamingDecoder;
use thiserror::Error;

use crate::base::limits;

/// Magic of the framing that Java's snappy adds around raw blocks (snappy-java, "xerial").
const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\0";
/// Bytes of that framing's header: the magic and two version numbers.
const XERIAL_HEADER_BYTES: usize = 16;
/// A snappy element of 3 bytes yields 64 at most, so no honest block grows by more.
const SNAPPY_EXPANSION_MAX: usize = 64 / 3 + 1;

/// A batch's codec: the low three bits of its attributes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Codec {
    /// Not compressed.
    None,
    /// gzip.
    Gzip,
    /// Snappy, raw or with Java's framing.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard (KIP-110).
    Zstd,
}

/// Why a record section cannot be unpacked.
#[derive(Debug, Error)]
pub enum CompressionError {
    /// A codec number that Kafka does not define.
    #[error("compression codec {0} is not defined")]
    Codec(u8),
    /// Bytes that are not what the codec makes.
    #[error("compressed data is damaged: {0}")]
    Damaged(String),
    /// More output than is allowed.
    #[error("compressed data grows too large")]
    TooLarge,
}

impl TryFrom<u8> for Codec {
    type Error = CompressionError;
    fn try_from(number: u8) -> Result<Codec, CompressionError> {
        Ok(match number {
            0 => Codec::None,
            1 => Codec::Gzip,
            2 => Codec::Snappy,
            3 => Codec::Lz4,
            4 => Codec::Zstd,
            _ => return Err(CompressionError::Codec(number)),
        })
    }
}

/// The records behind `section`, which is what follows a batch's header.
pub fn decompress(codec: Codec, section: &[u8]) -> Result<Cow<'_, [u8]>, CompressionError> {
    decompress_within(codec, section, limits::DECOMPRESSED_BYTES_MAX)
}

/// [`decompress`] for records of at most `limit` bytes. What is not compressed needs no memory
/// and passes whatever its size. A zstd frame that asks for a window above `limit` is too large
/// as well: its decoder would fill that before it gave anything out.
pub fn decompress_within(
    codec: Codec,
    section: &[u8],
    limit: usize,
) -> Result<Cow<'_, [u8]>, CompressionError> {
    Ok(match codec {
        Codec::None => Cow::Borrowed(section),
        Codec::Gzip => Cow::Owned(read_bounded(
            flate2::read::MultiGzDecoder::new(section),
            limit,
        )?),
        Codec::Snappy => Cow::Owned(snappy(section, limit)?),
        Codec::Lz4 => Cow::Owned(read_bounded(
            lz4_flex::frame::FrameDecoder::new(section),
            limit,
        )?),
        Codec::Zstd => Cow::Owned(zstd(section, limit)?),
    })
}

fn damaged(error: impl ToString) -> CompressionError {
    CompressionError::Damaged(error.to_string())
}

fn read_bounded(decoder: impl Read, limit: usize) -> Result<Vec<u8>, CompressionError> {
    let mut out = Vec::new();
    decoder
        .take(limit as u64 + 1)
        .read_to_end(&mut out)
        .map_err(damaged)?;
    if out.len() > limit {
        Err(CompressionError::TooLarge)
    } else {
        Ok(out)
    }
}

fn snappy(section: &[u8], limit: usize) -> Result<Vec<u8>, CompressionError> {
    let mut out = Vec::new();
    if !section.starts_with(XERIAL_MAGIC) {
        snappy_block(section, &mut out, limit)?;
        return Ok(out);
    }
    let mut rest = section.get(XERIAL_HEADER_BYTES..).ok_or_else(cut_short)?;
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = u32::from_be_bytes(*length) as usize;
        let (block, after) = after.split_at_checked(length).ok_or_else(cut_short)?;
        snappy_block(block, &mut out, limit)?;
        rest = after;
    }
    if rest.is_empty() {
        Ok(out)
    } else {
        Err(cut_short())
    }
}

/// Appends one raw block to `out`.
fn snappy_block(block: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), CompressionError> {
    let claimed = snap::raw::decompress_len(block).map_err(damaged)?;
    if claimed > limit - out.len() {
        return Err(CompressionError::TooLarge);
    }
    if claimed > block.len().saturating_mul(SNAPPY_EXPANSION_MAX) {
        return Err(damaged("a snappy block claims more than it can hold"));
    }
    let start = out.len();
    out.resize(start + claimed, 0);
    let space = out.get_mut(start..).unwrap_or_default();
    snap::raw::Decoder::new()
        .decompress(block, space)
        .map_err(damaged)?;
    Ok(())
}

/// The decoder keeps a window of the frame's own choosing before it hands anything
/// out, so the window is checked as well as the output.
fn zstd(section: &[u8], limit: usize) -> Result<Vec<u8>, CompressionError> {
    let mut rest = section;
    let mut out = Vec::new();
    while !rest.is_empty() {
        let left = limit - out.len();
        if zstd_window(rest).is_some_and(|window| window > limit as u64) {
            return Err(CompressionError::TooLarge);
        }
        let mut stream = StreamingDecoder::new(&mut rest).map_err(damaged)?;
        if stream.decoder.content_size() > left as u64 {
            return Err(CompressionError::TooLarge);
        }
        out.extend(read_bounded(&mut stream, left)?);
    }
    Ok(out)
}

/// The window that a frame's header asks for (RFC 8878, 3.1.1.1.2); `None` where it
/// has none, as its window is then its content size.
fn zstd_window(frame: &[u8]) -> Option<u64> {
    let descriptor = frame.get(4)?;
    if descriptor & 0x20 != 0 {
        return None;
    }
    let window = frame.get(5)?;
    let base = 1u64 << (10 + (window >> 3));
    Some(base + base / 8 * u64::from(window & 7))
}

fn cut_short() -> CompressionError {
    damaged(io::Error::from(io::ErrorKind::UnexpectedEof))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    use std::io::Write;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn lz4(data: &[u8]) -> Vec<u8> {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn snappy_raw(data: &[u8]) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(data).unwrap()
    }

    fn snappy_xerial(data: &[u8]) -> Vec<u8> {
        let mut out = [XERIAL_MAGIC, &[0, 0, 0, 1, 0, 0, 0, 1]].concat();
        for part in data.chunks(1000) {
            let block = snappy_raw(part);
            out.extend((block.len() as u32).to_be_bytes());
            out.extend(block);
        }
        out
    }

    fn zstd_frame(data: &[u8]) -> Vec<u8> {
        compress_to_vec(data, CompressionLevel::Fastest)
    }

    type Packer = fn(&[u8]) -> Vec<u8>;
    const PACKERS: [(Codec, Packer); 5] = [
        (Codec::Gzip, gzip),
        (Codec::Snappy, snappy_raw),
        (Codec::Snappy, snappy_xerial),
        (Codec::Lz4, lz4),
        (Codec::Zstd, zstd_frame),
    ];

    #[test]
    fn every_codec_comes_back() {
        let text = b"some records that repeat, some records that repeat; ".repeat(500);
        for data in [&text[..], b"x", b""] {
            for (codec, pack) in PACKERS {
                assert_eq!(decompress(codec, &pack(data)).unwrap(), data, "{codec:?}");
            }
        }
        assert_eq!(decompress(Codec::None, &text).unwrap(), text);
    }

    #[test]
    fn concatenated_members_and_frames_are_read_to_the_end() {
        for (codec, pack) in [(Codec::Gzip, gzip as Packer), (Codec::Zstd, zstd_frame)] {
            let both = [pack(b"one "), pack(b"two")].concat();
            assert_eq!(decompress(codec, &both).unwrap(), b"one two".as_slice());
        }
    }

    #[test]
    fn streams_of_the_reference_encoders_are_read() {
        // What the commands gzip, lz4 and zstd make of the same text.
        let gzip = [
            0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x4b, 0xce, 0x2f, 0x4a,
            0xcd, 0x49, 0xcc, 0x4b, 0x55, 0x48, 0x46, 0x67, 0x00, 0x00, 0xdb, 0x06, 0x78, 0x13,
            0x1a, 0x00, 0x00, 0x00,
        ];
        let lz4 = [
            0x04, 0x22, 0x4d, 0x18, 0x64, 0x40, 0xa7, 0x12, 0x00, 0x00, 0x00, 0x98, 0x63, 0x6f,
            0x72, 0x65, 0x6c, 0x61, 0x6e, 0x65, 0x20, 0x09, 0x00, 0x50, 0x65, 0x6c, 0x61, 0x6e,
            0x65, 0x00, 0x00, 0x00, 0x00, 0xce, 0x1c, 0x9b, 0x07,
        ];
        let zstd = [
            0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x7d, 0x00, 0x00, 0x48, 0x63, 0x6f, 0x72, 0x65,
            0x6c, 0x61, 0x6e, 0x65, 0x20, 0x01, 0x00, 0x9c, 0xcb, 0x11, 0x73, 0x5c, 0x4e, 0x30,
        ];
        let cases: [(Codec, &[u8]); 3] = [
            (Codec::Gzip, &gzip),
            (Codec::Lz4, &lz4),
            (Codec::Zstd, &zstd),
        ];
        for (codec, stream) in cases {
            let text = decompress(codec, stream).unwrap();
            assert_eq!(text, b"corelane corelane corelane".as_slice(), "{codec:?}");
        }
        assert_eq!(zstd_window(&zstd), Some(2 * 1024 * 1024));
    }

    #[test]
    fn bombs_stop_at_the_limit() {
        let zeros = vec![0; 100_000];
        assert!(matches!(
            read_bounded(&zeros[..], 99_999),
            Err(CompressionError::TooLarge)
        ));
        assert!(matches!(
            snappy(&snappy_raw(&zeros), 99_999),
            Err(CompressionError::TooLarge)
        ));
        assert!(matches!(
            snappy(&snappy_xerial(&zeros), 99_999),
            Err(CompressionError::TooLarge)
        ));
        assert!(matches!(
            zstd(&zstd_frame(&zeros), 99_999),
            Err(CompressionError::TooLarge)
        ));
        let gz = gzip(&zeros);
        let bounded = read_bounded(flate2::read::MultiGzDecoder::new(&gz[..]), 99_999);
        assert!(matches!(bounded, Err(CompressionError::TooLarge)));

        // Four bytes that claim 4 GiB of snappy, and a zstd window of 2 TiB.
        let claim = [0xff, 0xff, 0xff, 0xff, 0x0f];
        assert!(matches!(
            snappy(&claim, usize::MAX),
            Err(CompressionError::Damaged(_))
        ));
        let window = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 0x01, 0x00, 0x00];
        assert!(matches!(
            decompress(Codec::Zstd, &window),
            Err(CompressionError::TooLarge)
        ));
        // A single segment that says it holds 4 GiB less one byte.
        let single = [
            0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00, 0x00,
        ];
        assert!(matches!(
            decompress(Codec::Zstd, &single),
            Err(CompressionError::TooLarge)
        ));
    }

    #[test]
    fn a_cut_stream_yields_an_error_or_a_beginning() {
        let data = b"some records that repeat, some records that repeat".repeat(40);
        for (codec, pack) in PACKERS {
            let packed = pack(&data);
            let whole = (0..packed.len()).filter(|&end| match decompress(codec, &packed[..end]) {
                Ok(got) => {
                    assert!(data.starts_with(&got), "{codec:?} {end}");
                    got.len() == data.len()
                }
                Err(_) => false,
            });
            // All data at most where only an end mark or a checksum of 8 bytes is missing.
            assert!(whole.count() <= 8, "{codec:?}");
        }
    }

    #[test]
    fn codec_numbers() {
        assert_eq!(Codec::try_from(4).unwrap(), Codec::Zstd);
        assert!(matches!(
            Codec::try_from(5),
            Err(CompressionError::Codec(5))
        ));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn damage_never_panics(
            at in any::<prop::sample::Index>(),
            bit in 0..8u8,
            random in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            for (codec, pack) in PACKERS {
                let mut packed = pack(b"some records that repeat, some records that repeat");
                *at.get_mut(&mut packed) ^= 1u8 << bit;
                let _ = decompress(codec, &packed);
                let _ = decompress(codec, &random);
            }
        }
    }
}
