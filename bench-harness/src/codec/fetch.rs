//! Fetch, version 11: by topic name, without a fetch session.

use anyhow::{Result, ensure};

use super::api;
use super::reader::Reader;
use super::writer::{Header, Writer};

/// The version written and read here.
pub const VERSION: i16 = 11;

/// How much one fetch may return, and how long it may wait for it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest wait for the first byte, milliseconds.
    pub wait_ms_max: i32,
    /// Most bytes of record batches.
    pub bytes_max: i32,
}

/// A request for one partition, with the position of the offset to patch.
pub struct Request {
    frame: Vec<u8>,
    offset_at: usize,
}

impl Request {
    /// A request that returns as soon as there is one byte.
    pub fn new(topic: &str, partition: i32, limits: Limits) -> Request {
        let mut writer = Writer::request(api::FETCH, VERSION, Header::Plain, 0);
        writer
            .i32(-1)
            .i32(limits.wait_ms_max)
            .i32(1)
            .i32(limits.bytes_max);
        writer.i8(0).i32(0).i32(-1); // isolation level, no session
        writer.i32(1).string(topic);
        writer.i32(1).i32(partition).i32(-1);
        let offset_at = writer.position();
        writer.i64(0).i64(-1).i32(limits.bytes_max);
        writer.i32(0).string(""); // no forgotten topics, no rack
        Request {
            frame: writer.finish(),
            offset_at,
        }
    }

    /// The frame that fetches from `offset`.
    pub fn at(&mut self, correlation: i32, offset: i64) -> &[u8] {
        let correlation_at = super::writer::CORRELATION_AT_REQUEST;
        self.frame[correlation_at..correlation_at + 4].copy_from_slice(&correlation.to_be_bytes());
        self.frame[self.offset_at..self.offset_at + 8].copy_from_slice(&offset.to_be_bytes());
        &self.frame
    }
}

/// The one partition of a response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fetched<'a> {
    /// Which request is answered.
    pub correlation: i32,
    /// Kafka's error code: the response's, or else the partition's.
    pub error: i16,
    /// End of what consumers may read.
    pub high_watermark: i64,
    /// Record batches, the last perhaps cut off.
    pub records: &'a [u8],
}

/// Reads a response frame (its length already taken off).
pub fn response(frame: &[u8]) -> Result<Fetched<'_>> {
    let mut reader = Reader::new(frame);
    let correlation = reader.i32()?;
    reader.i32()?; // throttle time
    let error = reader.i16()?;
    reader.i32()?; // session
    if error != 0 {
        return Ok(Fetched {
            correlation,
            error,
            high_watermark: -1,
            records: &[],
        });
    }
    ensure!(
        reader.array_length()? == 1,
        "Fetch answered another number of topics"
    );
    reader.string()?;
    ensure!(
        reader.array_length()? == 1,
        "Fetch answered another number of partitions"
    );
    reader.i32()?;
    let error = reader.i16()?;
    let high_watermark = reader.i64()?;
    reader.i64()?; // last stable offset
    reader.i64()?; // log start offset
    for _ in 0..reader.array_length()? {
        // aborted transactions
        reader.i64()?;
        reader.i64()?;
    }
    reader.i32()?; // preferred replica
    Ok(Fetched {
        correlation,
        error,
        high_watermark,
        records: reader.nullable_bytes()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_differ_in_offset_and_correlation_only() {
        let mut request = Request::new(
            "t",
            1,
            Limits {
                wait_ms_max: 500,
                bytes_max: 1 << 20,
            },
        );
        let first = request.at(1, 10).to_vec();
        let second = request.at(2, 20).to_vec();
        let differing = first.iter().zip(&second).filter(|(a, b)| a != b).count();
        assert_eq!(differing, 2);
        assert_eq!(request.at(1, 10), first);
    }

    #[test]
    fn responses_with_and_without_records() {
        for (aborted, records) in [(-1, &b"abc"[..]), (1, &b""[..])] {
            let mut writer = Writer::response(Header::Plain, 5);
            writer.i32(0).i16(0).i32(0);
            writer
                .i32(1)
                .string("t")
                .i32(1)
                .i32(0)
                .i16(0)
                .i64(77)
                .i64(77)
                .i64(0);
            writer.i32(aborted);
            if aborted == 1 {
                writer.i64(1).i64(2);
            }
            writer.i32(-1).i32(records.len() as i32).raw(records);
            let frame = writer.finish();
            let fetched = response(&frame[4..]).unwrap();
            assert_eq!(
                fetched,
                Fetched {
                    correlation: 5,
                    error: 0,
                    high_watermark: 77,
                    records
                }
            );
            for end in 4..frame.len() {
                assert!(response(&frame[4..end]).is_err(), "cut at {end}");
            }
        }
    }

    #[test]
    fn an_error_of_the_whole_response_is_reported() {
        let mut writer = Writer::response(Header::Plain, 5);
        writer.i32(0).i16(70).i32(0).i32(0);
        assert_eq!(response(&writer.finish()[4..]).unwrap().error, 70);
    }
}
