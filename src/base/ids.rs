//! Identifiers that cross module and core boundaries. All are small `Copy` data.

use std::fmt;

/// A topic's identity for its whole life (KIP-516): a random UUID, never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TopicId(pub [u8; 16]);

impl TopicId {
    /// The all-zero id, which Kafka's protocol uses for "none".
    pub const ZERO: TopicId = TopicId([0; 16]);
    /// The catalogue's own internal log, as Kafka reserves it for `__cluster_metadata`.
    pub const CATALOG: TopicId = TopicId([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    /// `__consumer_offsets`, the log of the groups' coordinators. Kafka gives it a random id; here
    /// it is the same in every data directory, so that its records are known before the catalogue.
    pub const OFFSETS: TopicId = TopicId([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);

    /// An id from 16 random bytes, with the version and variant bits of a UUID v4.
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        TopicId(bytes)
    }

    /// A well-spread number from the id, the same on every run: for placement.
    pub fn spread(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One partition of one topic.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TopicPartition {
    /// The topic's id.
    pub topic: TopicId,
    /// The partition's index in the topic, from 0.
    pub partition: i32,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// One core's shard, 0-based and dense. In topology `per-core` it is the Kafka node id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ShardId(pub u16);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Log sequence number of a WAL block: 1 for a WAL's first block, then dense.
/// `Lsn(0)` is "nothing yet".
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Lsn(pub u64);

impl Lsn {
    /// The number after this one.
    pub fn next(self) -> Lsn {
        Lsn(self.0 + 1)
    }
}

/// One life of one WAL segment file: a recycled file gets a new sequence.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SegmentId {
    /// Which WAL of the data directory: the number of the shard that wrote it.
    pub wal: u16,
    /// Order of creation within that WAL, from 1, never reused.
    pub sequence: u64,
}

/// Where a record's payload lies in the WAL.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LogPosition {
    /// The segment's life.
    pub segment: SegmentId,
    /// Byte offset of the payload from the start of the segment file.
    pub offset: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_as_uuids() {
        let bytes = std::array::from_fn(|i| 16 * i as u8 + 15 - i as u8);
        let id = TopicId(bytes);
        let text = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
        assert_eq!(
            (id.to_string(), format!("{id:?}")),
            (text.into(), text.into())
        );
        let tp = TopicPartition {
            topic: id,
            partition: 7,
        };
        assert_eq!(tp.to_string(), format!("{text}/7"));
    }

    #[test]
    fn a_random_id_says_that_it_is_one() {
        // Whatever the bytes: version 4 in the seventh, variant 2 in the ninth.
        for (byte, seventh, ninth) in [(0, 0x40, 0x80), (0xff, 0x4f, 0xbf), (0x5a, 0x4a, 0x9a)] {
            let TopicId(bytes) = TopicId::from_random([byte; 16]);
            assert_eq!((bytes[6], bytes[8]), (seventh, ninth), "{byte}");
            let rest = |i: &usize| ![6, 8].contains(i);
            assert!((0..16).filter(rest).all(|i| bytes[i] == byte), "{byte}");
        }
    }

    #[test]
    fn the_spread_is_the_first_half_of_the_id() {
        let id = TopicId(std::array::from_fn(|i| i as u8 + 1));
        assert_eq!(id.spread(), 0x0102_0304_0506_0708);
    }
}
