//! What producers and the catalogue are told, and what must never happen.

use super::*;
use crate::kafka::ErrorCode;
use crate::partition::{Origin, Verdict};
use crate::wal::Priority;

/// A batch with some of its bytes overwritten, and a right checksum.
fn patched(at: usize, bytes: &[u8]) -> Bytes {
    let mut batch = BatchBuilder::new(0)
        .producer(7, 5, 0)
        .record(0, None, Some(b"value"))
        .build()
        .to_vec();
    batch[at..at + bytes.len()].copy_from_slice(bytes);
    let crc = crate::base::checksum::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch.into()
}

#[test]
fn every_refusal_has_kafkas_code() {
    let mut corrupt = batch(b"value").to_vec();
    corrupt[17] ^= 1;
    let too_large = batch(&vec![0; LogConfig::default().max_message_bytes as usize]);
    let elsewhere = TopicPartition { partition: 1, ..TP };
    let table = [
        (
            elsewhere,
            batch(b"value"),
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ),
        (TP, corrupt.into(), ErrorCode::CORRUPT_MESSAGE),
        (TP, Bytes::new(), ErrorCode::INVALID_RECORD),
        (TP, too_large, ErrorCode::MESSAGE_TOO_LARGE),
        (
            TP,
            patched(21, &[0, 7]),
            ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
        ),
        (TP, patched(21, &[0, 0x08]), ErrorCode::INVALID_TIMESTAMP),
        // The largest timestamp.
        (TP, patched(35, &[1]), ErrorCode::INVALID_TIMESTAMP),
        (TP, patched(21, &[0, 0x10]), ErrorCode::INVALID_TXN_STATE),
        // The producer's id, its epoch 5, and a sequence: then what does not follow.
        (TP, patched(51, &[0, 5]), ErrorCode::NONE),
        (
            TP,
            patched(53, &[0, 0, 0, 9]),
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        ),
        (TP, patched(51, &[0, 4]), ErrorCode::INVALID_PRODUCER_EPOCH),
    ];
    let mut bench = Bench::new(config());
    for (tp, batch, expected) in table {
        let result = bench.shard.append(NOW, tp, &batch).unwrap().result;
        assert_eq!(result.error, expected, "{:?}", result.message);
        let offset = if expected.is_error() { -1 } else { 0 };
        assert_eq!(result.base_offset, offset, "{expected}");
    }
}

#[test]
#[should_panic(expected = "the WAL refused a batch it had room for")]
fn offsets_that_were_given_out_are_not_taken_back() {
    let mut bench = Bench::start(Disk::default(), config());
    bench.shard.create_partition(TP, LogConfig::default());
    // No segment is ready, and nobody has asked.
    let held = bench.shard.partitions.get_mut(&TP).unwrap();
    let checked = held.log.check(NOW, batch(b"value"), Origin::Client);
    let Ok(Verdict::New(candidate)) = checked else {
        return;
    };
    let placed = held.log.commit(candidate);
    bench.shard.log(TP, placed, Priority::Data);
}

#[test]
#[should_panic(expected = "only shard 0 has the catalogue's log")]
fn the_catalogue_is_shard_0s() {
    let second = ShardConfig {
        id: ShardId(1),
        shards: 2,
        ..config()
    };
    let mut bench = Bench::new(second);
    let _ = bench.shard.append_catalog(NOW, &batch(b"record"));
}

/// They may have to be unpacked for it, and a batch that is held back comes again and again.
#[test]
fn timestamps_are_looked_at_when_there_is_room() {
    let mut bench = Bench::start(Disk::default(), config());
    bench.shard.create_partition(TP, LogConfig::default());
    let late = patched(35, &[1]);
    assert!(bench.shard.append(NOW, TP, &late).is_err(), "no segment");
    bench.drain();
    let result = bench.shard.append(NOW, TP, &late).unwrap().result;
    assert_eq!(result.error, ErrorCode::INVALID_TIMESTAMP);
    assert!(result.bad_timestamps.is_some());
}
