//! Records inside a batch (magic 2, KIP-98): reading those of an uncompressed
//! section, and building a small batch. The broker needs neither to produce or
//! fetch; they serve its own logs, and ListOffsets by timestamp.

use bytes::{Bytes, BytesMut};
use thiserror::Error;

use super::batch::{self, BatchError, BatchHeader};
use super::compression::{self, Codec, CompressionError};
use super::reader::WireError;
use super::varint;
use crate::base::checksum;

/// Attribute bit 3 of a batch: LogAppendTime, the batch's one timestamp holds for all.
const LOG_APPEND_TIME: i16 = 0x08;

/// One record, borrowed from its batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// Offset, less the batch's base offset.
    pub offset_delta: i32,
    /// Timestamp, less the batch's base timestamp, milliseconds.
    pub timestamp_delta: i64,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; null is a tombstone.
    pub value: Option<&'a [u8]>,
    header_count: i32,
    headers: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record's headers in order, as far as they can be read.
    pub fn headers(&self) -> impl Iterator<Item = Result<RecordHeader<'a>, WireError>> {
        let mut rest = self.headers;
        let mut left = self.header_count;
        std::iter::from_fn(move || {
            left = left.checked_sub(1).filter(|&left| left >= 0)?;
            let header = RecordHeader::read(&mut rest);
            if header.is_err() {
                left = 0;
            }
            Some(header)
        })
    }

    fn read(rest: &mut &'a [u8]) -> Result<Self, WireError> {
        let length = varint::read_i32(rest)?;
        let length = usize::try_from(length).map_err(|_| WireError::Length(length.into()))?;
        let (mut body, after) = rest.split_at_checked(length).ok_or(WireError::Truncated)?;
        *rest = after;
        let body = &mut body;
        let (_attributes, fields) = body.split_first().ok_or(WireError::Truncated)?;
        *body = fields;
        Ok(Record {
            timestamp_delta: varint::read_i64(body)?,
            offset_delta: varint::read_i32(body)?,
            key: read_bytes(body)?,
            value: read_bytes(body)?,
            header_count: varint::read_i32(body)?,
            headers: body,
        })
    }
}

/// A header of a record (KIP-82).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordHeader<'a> {
    /// Its name.
    pub key: &'a str,
    /// Its value.
    pub value: Option<&'a [u8]>,
}

impl<'a> RecordHeader<'a> {
    fn read(rest: &mut &'a [u8]) -> Result<Self, WireError> {
        let key = read_bytes(rest)?.ok_or(WireError::Null)?;
        let key = std::str::from_utf8(key).map_err(|_| WireError::Utf8)?;
        Ok(RecordHeader {
            key,
            value: read_bytes(rest)?,
        })
    }
}

/// Bytes or null after a zigzag length.
fn read_bytes<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, WireError> {
    let length = varint::read_i32(rest)?;
    if length == -1 {
        return Ok(None);
    }
    let length = usize::try_from(length).map_err(|_| WireError::Length(length.into()))?;
    let (bytes, after) = rest.split_at_checked(length).ok_or(WireError::Truncated)?;
    *rest = after;
    Ok(Some(bytes))
}

/// The records of an uncompressed record section, which is what follows the batch's
/// header. Ends with the section, or with the first error.
#[derive(Clone, Debug)]
pub struct RecordIter<'a> {
    rest: &'a [u8],
}

impl<'a> RecordIter<'a> {
    /// An iterator over `section`.
    pub fn new(section: &'a [u8]) -> Self {
        RecordIter { rest: section }
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<Record<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let record = Record::read(&mut self.rest);
        if record.is_err() {
            self.rest = &[];
        }
        Some(record)
    }
}

/// Why a batch cannot be searched.
#[derive(Debug, Error)]
pub enum SearchError {
    /// Its header.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// Its compression.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// Its records.
    #[error(transparent)]
    Record(#[from] WireError),
}

/// The first record of a whole batch, compressed or not, whose timestamp is at least
/// `timestamp` (milliseconds): its offset and its timestamp.
pub fn first_at_or_after(batch: &[u8], timestamp: i64) -> Result<Option<(i64, i64)>, SearchError> {
    let header = BatchHeader::decode(batch)?;
    if header.max_timestamp < timestamp {
        return Ok(None);
    }
    if header.attributes & LOG_APPEND_TIME != 0 {
        return Ok(Some((header.base_offset, header.max_timestamp)));
    }
    let section = batch
        .get(batch::HEADER_BYTES..header.total_bytes())
        .ok_or(BatchError::Truncated)?;
    let section = compression::decompress(Codec::try_from(header.codec())?, section)?;
    for record in RecordIter::new(&section) {
        let record = record?;
        let at = header.base_timestamp.saturating_add(record.timestamp_delta);
        if at >= timestamp {
            return Ok(Some((
                header
                    .base_offset
                    .saturating_add(record.offset_delta.into()),
                at,
            )));
        }
    }
    Ok(None)
}

/// Builds one uncompressed batch from a few records: the broker's own, or a test's.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    section: BytesMut,
}

impl BatchBuilder {
    /// An empty batch whose records count their timestamps from `base_timestamp`,
    /// milliseconds.
    pub fn new(base_timestamp: i64) -> Self {
        let header = BatchHeader {
            base_offset: 0,
            batch_length: 0,
            leader_epoch: -1,
            crc: 0,
            attributes: 0,
            last_offset_delta: -1,
            base_timestamp,
            max_timestamp: i64::MIN,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: 0,
        };
        BatchBuilder {
            header,
            section: BytesMut::new(),
        }
    }

    /// Marks the batch as an idempotent producer's.
    pub fn producer(mut self, id: i64, epoch: i16, base_sequence: i32) -> Self {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    /// Sets attribute bits; the codec must stay none.
    pub fn attributes(mut self, bits: i16) -> Self {
        debug_assert_eq!(bits & 0x07, 0);
        self.header.attributes |= bits;
        self
    }

    /// Appends a record.
    pub fn record(self, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        self.record_with_headers(timestamp, key, value, &[])
    }

    /// Appends a record with headers.
    pub fn record_with_headers(
        mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[RecordHeader<'_>],
    ) -> Self {
        let mut body = vec![0]; // attributes, of which records have none
        varint::write_i64(&mut body, timestamp - self.header.base_timestamp);
        varint::write_i32(&mut body, self.header.record_count);
        write_bytes(&mut body, key);
        write_bytes(&mut body, value);
        varint::write_i32(&mut body, headers.len() as i32);
        for header in headers {
            write_bytes(&mut body, Some(header.key.as_bytes()));
            write_bytes(&mut body, header.value);
        }
        varint::write_i32(&mut self.section, body.len() as i32);
        self.section.extend_from_slice(&body);
        self.header.last_offset_delta = self.header.record_count;
        self.header.record_count += 1;
        self.header.max_timestamp = self.header.max_timestamp.max(timestamp);
        self
    }

    /// Records so far.
    pub fn record_count(&self) -> i32 {
        self.header.record_count
    }

    /// The whole batch with its CRC. Needs a record at least.
    pub fn build(mut self) -> Bytes {
        debug_assert!(self.header.record_count > 0, "a batch without records");
        let after_length = batch::HEADER_BYTES - batch::LENGTH_PREFIX_BYTES + self.section.len();
        self.header.batch_length = after_length as i32;
        let covered = self.header.encode();
        let covered = covered.get(batch::CRC_COVER_START..).unwrap_or_default();
        let crc = checksum::crc32c_append(checksum::crc32c(covered), &self.section);
        self.header.crc = crc;
        let mut whole = BytesMut::with_capacity(self.header.total_bytes());
        whole.extend_from_slice(&self.header.encode());
        whole.extend_from_slice(&self.section);
        whole.freeze()
    }
}

fn write_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    varint::write_i32(out, bytes.map_or(-1, |bytes| bytes.len() as i32));
    out.extend_from_slice(bytes.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Bytes {
        let headers = [
            RecordHeader {
                key: "trace",
                value: Some(b"7"),
            },
            RecordHeader {
                key: "empty",
                value: None,
            },
        ];
        BatchBuilder::new(1000)
            .producer(42, 3, 5)
            .record(1000, Some(b"k"), Some(b"v"))
            .record_with_headers(1500, None, Some(b"w"), &headers)
            .record(900, Some(b"gone"), None)
            .build()
    }

    #[test]
    fn what_is_built_can_be_read() {
        let batch = sample();
        let header = BatchHeader::decode(&batch).unwrap();
        assert!(batch::crc_matches(&batch));
        assert_eq!(header.total_bytes(), batch.len());
        assert_eq!((header.record_count, header.last_offset_delta), (3, 2));
        assert_eq!((header.base_timestamp, header.max_timestamp), (1000, 1500));
        assert_eq!(
            (
                header.producer_id,
                header.producer_epoch,
                header.base_sequence
            ),
            (42, 3, 5)
        );

        let records: Vec<_> = RecordIter::new(&batch[batch::HEADER_BYTES..])
            .map(Result::unwrap)
            .collect();
        let plain = |r: &Record<'_>| (r.offset_delta, r.timestamp_delta, r.headers().count());
        assert_eq!(
            records.iter().map(plain).collect::<Vec<_>>(),
            [(0, 0, 0), (1, 500, 2), (2, -100, 0)]
        );
        assert_eq!(
            (records[0].key, records[0].value),
            (Some(&b"k"[..]), Some(&b"v"[..]))
        );
        assert_eq!(
            (records[2].key, records[2].value),
            (Some(&b"gone"[..]), None)
        );
        let headers: Vec<_> = records[1].headers().map(Result::unwrap).collect();
        assert_eq!(
            (headers[0].key, headers[0].value),
            ("trace", Some(&b"7"[..]))
        );
        assert_eq!((headers[1].key, headers[1].value), ("empty", None));
    }

    #[test]
    fn a_record_is_found_by_timestamp() {
        let plain = sample();
        let log_append_time = BatchBuilder::new(0)
            .attributes(LOG_APPEND_TIME)
            .record(70, None, None);
        let log_append_time = log_append_time.record(60, None, None).build();
        for (batch, timestamp, found) in [
            (&plain, i64::MIN, Some((0, 1000))),
            (&plain, 1000, Some((0, 1000))),
            (&plain, 1001, Some((1, 1500))),
            (&plain, 1500, Some((1, 1500))),
            (&plain, 1501, None),
            (&log_append_time, 70, Some((0, 70))),
            (&log_append_time, 71, None),
        ] {
            assert_eq!(
                first_at_or_after(batch, timestamp).unwrap(),
                found,
                "{timestamp}"
            );
        }
    }

    #[test]
    fn a_record_is_found_in_a_compressed_batch() {
        let plain = sample();
        let mut header = BatchHeader::decode(&plain).unwrap();
        header.base_offset = 100;
        let section = snap::raw::Encoder::new()
            .compress_vec(&plain[batch::HEADER_BYTES..])
            .unwrap();
        header.attributes |= 2;
        header.batch_length = (section.len() + 49) as i32;
        let batch = [&header.encode()[..], &section].concat();
        assert_eq!(first_at_or_after(&batch, 1200).unwrap(), Some((101, 1500)));

        header.attributes = 7;
        let batch = [&header.encode()[..], &section].concat();
        let error = first_at_or_after(&batch, 1200).unwrap_err();
        assert!(matches!(
            error,
            SearchError::Compression(CompressionError::Codec(7))
        ));
        let error = first_at_or_after(&plain[..plain.len() - 1], 0).unwrap_err();
        assert!(matches!(error, SearchError::Batch(BatchError::Truncated)));
    }

    #[test]
    fn a_header_that_promises_a_later_record_than_there_is_finds_none() {
        let mut batch = sample().to_vec();
        batch[35..43].copy_from_slice(&2000i64.to_be_bytes());
        assert_eq!(first_at_or_after(&batch, 1501).unwrap(), None);
        assert_eq!(first_at_or_after(&batch, 1500).unwrap(), Some((1, 1500)));
    }

    #[test]
    fn a_builder_counts_its_records() {
        let empty = BatchBuilder::new(0);
        assert_eq!(empty.record_count(), 0);
        let two = empty.record(0, None, None).record(0, None, None);
        assert_eq!(two.record_count(), 2);
    }

    #[test]
    fn every_truncation_of_a_section_is_an_error() {
        let batch = sample();
        let section = &batch[batch::HEADER_BYTES..];
        let ends: Vec<usize> = (0..=section.len())
            .filter(|&end| RecordIter::new(&section[..end]).all(|record| record.is_ok()))
            .collect();
        // Only between records: none, one, two, all three.
        assert_eq!(ends.len(), 4);
    }

    #[test]
    fn header_counts_are_not_believed() {
        // attributes, timestamp, offset, null key, null value, two billion headers.
        let mut section = vec![24, 0, 0, 0, 1, 1];
        varint::write_i32(&mut section, i32::MAX);
        section.extend([2, b'a']);
        section[0] = (section.len() as u8 - 1) * 2;
        let record = RecordIter::new(&section).next().unwrap().unwrap();
        assert_eq!(record.headers().count(), 1);
        assert_eq!(record.headers().next(), Some(Err(WireError::Truncated)));
    }

    proptest! {
        #[test]
        fn random_sections_never_panic(section in prop::collection::vec(any::<u8>(), 0..300)) {
            for record in RecordIter::new(&section).flatten() {
                record.headers().for_each(drop);
            }
            let header = [&sample()[..batch::HEADER_BYTES], &section].concat();
            let _ = first_at_or_after(&header, 1200);
        }
    }
}
