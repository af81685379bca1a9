//! Produce, versions 9 to 11: the same bytes in all three (10 added fields to
//! the response that are tagged, KIP-951). Both directions, because the sink
//! answers what the generator asks.

use anyhow::{Result, ensure};

use super::api;
use super::batch::{HEADER_BYTES, RECORD_COUNT_AT};
use super::reader::Reader;
use super::writer::{CORRELATION_AT_RESPONSE, Header, Writer};

/// The versions written and read here.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 9..=11;

/// A request with one batch for one partition, `acks` -1. The correlation id
/// is zero, to be patched at [`super::writer::CORRELATION_AT_REQUEST`].
pub fn request(version: i16, topic: &str, partition: i32, batch: &[u8]) -> Vec<u8> {
    let mut writer = Writer::request(api::PRODUCE, version, Header::Flexible, 0);
    writer.varint(0); // transactional id: null
    writer.i16(-1).i32(30_000); // acks, timeout
    writer.varint(2).compact_string(topic);
    writer.varint(2).i32(partition);
    writer.varint(batch.len() as u32 + 1).raw(batch);
    writer.no_tags().no_tags().no_tags();
    writer.finish()
}

/// What the one partition of a response said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Produced {
    /// Which request is answered.
    pub correlation: i32,
    /// The partition.
    pub partition: i32,
    /// Kafka's error code, 0 for none.
    pub error: i16,
    /// Offset of the batch's first record.
    pub base_offset: i64,
}

/// Reads a response frame (its length already taken off) to a [`request`].
pub fn response(frame: &[u8]) -> Result<Produced> {
    let mut reader = Reader::new(frame);
    let correlation = reader.i32()?;
    reader.skip_tags()?;
    let topics = reader.compact_array_length()?;
    ensure!(topics == 1, "{topics} topics in the response to one");
    reader.compact_nullable_string()?;
    let partitions = reader.compact_array_length()?;
    ensure!(
        partitions == 1,
        "{partitions} partitions in the response to one"
    );
    let partition = reader.i32()?;
    let error = reader.i16()?;
    let base_offset = reader.i64()?;
    reader.bytes(8 + 8)?; // log append time, log start offset
    for _ in 0..reader.compact_array_length()? {
        // a record's error
        reader.i32()?;
        reader.compact_nullable_string()?;
        reader.skip_tags()?;
    }
    reader.compact_nullable_string()?;
    reader.skip_tags()?;
    reader.skip_tags()?;
    reader.i32()?; // throttle time
    reader.skip_tags()?;
    ensure!(
        reader.remaining() == 0,
        "{} bytes after the response",
        reader.remaining()
    );
    Ok(Produced {
        correlation,
        partition,
        error,
        base_offset,
    })
}

/// The answer to one client's requests that differ in correlation id and batch
/// alone, kept so that the sink parses a connection's first request and only
/// compares the rest.
pub struct Template {
    request_head: Vec<u8>,
    response: Vec<u8>,
    base_offset_at: usize,
}

/// What changes from one request of a connection to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    /// Correlation id.
    pub correlation: i32,
    /// Records in the batch.
    pub records: i32,
}

/// Where a request frame (its length already taken off) holds the correlation id.
const CORRELATION_AT: usize = 4;

impl Template {
    /// Parses a request frame (its length already taken off) up to its batch.
    pub fn parse(frame: &[u8]) -> Result<(Template, Asked)> {
        let mut reader = Reader::new(frame);
        let (key, version) = (reader.i16()?, reader.i16()?);
        ensure!(
            key == api::PRODUCE && VERSIONS.contains(&version),
            "api {key} version {version}: the sink answers Produce 9 to 11 only"
        );
        let correlation = reader.i32()?;
        reader.nullable_string()?;
        reader.skip_tags()?;
        reader.compact_nullable_string()?;
        ensure!(reader.i16()? == -1, "the sink answers acks -1 only");
        reader.i32()?;
        ensure!(reader.compact_array_length()? == 1, "more than one topic");
        let topic = reader.compact_nullable_string()?.unwrap_or_default();
        ensure!(
            reader.compact_array_length()? == 1,
            "more than one partition"
        );
        let partition = reader.i32()?;
        let batch_bytes = reader.varint()?;
        ensure!(
            batch_bytes as usize > HEADER_BYTES,
            "a batch of {batch_bytes} bytes"
        );
        let head = frame.len() - reader.remaining();
        let records = record_count(reader.bytes(HEADER_BYTES)?);
        let (response, base_offset_at) = answer(topic, partition);
        let template = Template {
            request_head: frame[..head].to_vec(),
            response,
            base_offset_at,
        };
        Ok((
            template,
            Asked {
                correlation,
                records,
            },
        ))
    }

    /// The correlation id and record count of `frame` when everything else
    /// before its batch is as parsed; `None` means to parse it anew.
    pub fn asked(&self, frame: &[u8]) -> Option<Asked> {
        let (front, batch) = frame.split_at_checked(self.request_head.len())?;
        let after = CORRELATION_AT + 4;
        let same = front[..CORRELATION_AT] == self.request_head[..CORRELATION_AT]
            && front[after..] == self.request_head[after..];
        if !same || batch.len() < HEADER_BYTES {
            return None;
        }
        let correlation = i32::from_be_bytes(*front[CORRELATION_AT..].first_chunk()?);
        Some(Asked {
            correlation,
            records: record_count(batch),
        })
    }

    /// Appends the response to `correlation`, whose batch begins at `base_offset`.
    pub fn respond(&self, out: &mut Vec<u8>, correlation: i32, base_offset: i64) {
        let at = out.len();
        out.extend_from_slice(&self.response);
        let correlation_at = at + CORRELATION_AT_RESPONSE;
        out[correlation_at..correlation_at + 4].copy_from_slice(&correlation.to_be_bytes());
        let offset_at = at + self.base_offset_at;
        out[offset_at..offset_at + 8].copy_from_slice(&base_offset.to_be_bytes());
    }
}

fn record_count(batch: &[u8]) -> i32 {
    match batch
        .get(RECORD_COUNT_AT..)
        .and_then(|rest| rest.first_chunk())
    {
        Some(count) => i32::from_be_bytes(*count),
        None => 0,
    }
}

/// A response without error, and where its base offset lies.
fn answer(topic: &str, partition: i32) -> (Vec<u8>, usize) {
    let mut writer = Writer::response(Header::Flexible, 0);
    writer.varint(2).compact_string(topic);
    writer.varint(2).i32(partition).i16(0);
    let base_offset_at = writer.position();
    writer.i64(0).i64(-1).i64(0); // base offset, log append time, log start offset
    writer.varint(1).varint(0).no_tags(); // no record errors, no message
    writer.no_tags().i32(0).no_tags(); // throttle time
    (writer.finish(), base_offset_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::batch;
    use crate::codec::writer::CORRELATION_AT_REQUEST;

    fn numbered(correlation: i32, batch: &[u8]) -> Vec<u8> {
        let mut frame = request(11, "t", 3, batch);
        frame[CORRELATION_AT_REQUEST..CORRELATION_AT_REQUEST + 4]
            .copy_from_slice(&correlation.to_be_bytes());
        frame
    }

    #[test]
    fn the_template_answers_what_was_asked() {
        let batch = batch::build(5, 100, 1);
        let (template, first) = Template::parse(&numbered(7, &batch)[4..]).unwrap();
        assert_eq!(
            first,
            Asked {
                correlation: 7,
                records: 5
            }
        );
        let second = template.asked(&numbered(8, &batch)[4..]);
        assert_eq!(
            second,
            Some(Asked {
                correlation: 8,
                records: 5
            })
        );
        let mut out = Vec::new();
        template.respond(&mut out, 8, 1234);
        assert_eq!(super::super::frame_length(&out), Some(out.len() as i32 - 4));
        let produced = response(&out[4..]).unwrap();
        assert_eq!(
            produced,
            Produced {
                correlation: 8,
                partition: 3,
                error: 0,
                base_offset: 1234
            }
        );
    }

    #[test]
    fn another_shape_is_parsed_anew() {
        let small = batch::build(1, 100, 1);
        let (template, _) = Template::parse(&numbered(1, &small)[4..]).unwrap();
        let large = batch::build(9, 100, 1);
        assert_eq!(template.asked(&numbered(2, &large)[4..]), None);
        assert_eq!(template.asked(&request(11, "u", 3, &small)[4..]), None);
        assert_eq!(template.asked(&numbered(2, &small)[4..40]), None);
    }

    #[test]
    fn truncated_frames_are_errors_not_panics() {
        let frame = numbered(1, &batch::build(1, 100, 1));
        for end in 4..100 {
            assert!(Template::parse(&frame[4..end]).is_err(), "cut at {end}");
        }
        let mut out = Vec::new();
        Template::parse(&frame[4..])
            .unwrap()
            .0
            .respond(&mut out, 1, 1);
        for end in 4..out.len() {
            assert!(response(&out[4..end]).is_err(), "cut at {end}");
        }
    }
}
