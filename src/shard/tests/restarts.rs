//! What one start takes over from another, and segments that others still need.

use super::*;
use crate::base::limits::INDEX_BYTES_PER_BATCH;
use crate::base::{LogPosition, Lsn, SegmentId};
use crate::catalog::{CatalogRequest, NewTopic};
use crate::partition::Piece;
use crate::wal::{RecordKind, RecoveredRecord};

#[test]
fn records_that_make_no_sense_are_refused_by_name() {
    let segment = SegmentId {
        wal: 0,
        sequence: 7,
    };
    let mut record = RecoveredRecord {
        lsn: Lsn(1),
        kind: RecordKind::Batch,
        tp: TP,
        position: LogPosition {
            segment,
            offset: 4096,
        },
        payload: Bytes::from_static(b"nonsense!"),
    };
    for kind in [
        RecordKind::Batch,
        RecordKind::LogStart,
        RecordKind::PartitionState,
    ] {
        record.kind = kind;
        let error = Assembly::default().record(&record).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&TP.to_string()), "{kind:?}: {text}");
        assert!(text.contains("byte 4096"), "{kind:?}: {text}");
    }
}

/// A disk with the WAL of shard 5 of six, in which a partition has one record.
fn of_another_shard() -> Disk {
    let fifth = ShardConfig {
        id: ShardId(5),
        shards: 6,
        ..config()
    };
    let mut bench = Bench::start(Disk::default(), fifth);
    let partition = (0..6).find(|&partition| {
        let tp = TopicPartition { partition, ..TP };
        bench.shard.owner(tp) == ShardId(5)
    });
    let tp = TopicPartition {
        partition: partition.unwrap(),
        ..TP
    };
    bench.shard.create_partition(tp, LogConfig::default());
    bench.drain();
    bench.shard.append(NOW, tp, &batch(b"value")).unwrap();
    bench.drain();
    bench.disk
}

#[test]
fn a_wal_without_a_shard_is_shortened_when_the_disk_has_room_for_it() {
    let mut disk = of_another_shard();
    disk.is_full = true;
    let used = |bench: &Bench| {
        let files = bench.disk.files.iter().filter(|((wal, _), _)| *wal == 5);
        files.map(|(_, file)| file.len()).max()
    };
    let next = ShardConfig {
        leader_epoch: EPOCH + 1,
        ..config()
    };
    let mut bench = Bench::start(disk, next);
    bench.drain();
    assert_eq!(used(&bench), Some(WAL_SEGMENT_BYTES_MIN), "no room");
    bench.disk.is_full = false;
    bench.drain();
    assert_eq!(used(&bench), Some(WAL_SEGMENT_BYTES_MIN), "nobody has said");
    bench.shard.retry_segments();
    bench.drain();
    assert_eq!(used(&bench), Some(2 * 4096), "a header and a block");
    // Nothing in it is needed: its topic is not in the catalogue.
    bench.shard.reclaim();
    bench.drain();
    assert_eq!(used(&bench), None);
}

#[test]
fn a_lent_segment_is_free_once_every_holder_has_given_it_back() {
    let mut bench = Bench::new(config());
    let segment = SegmentId {
        wal: 0,
        sequence: 1,
    };
    bench.shard.lent.insert(segment, 2);
    bench.shard.on_segment_released(segment);
    assert_eq!(bench.shard.lent.get(&segment), Some(&1));
    bench.shard.on_segment_released(segment);
    assert_eq!(bench.shard.lent.get(&segment), None);
    // Said once too often, it changes nothing.
    bench.shard.on_segment_released(segment);
    assert!(bench.shard.lent.is_empty());
}

/// A bench whose [`TP`] is in the catalogue, with some records.
fn with_topic(records: usize) -> Bench {
    let mut bench = Bench::start(Disk::default(), config());
    bench.drain();
    let topic = NewTopic {
        name: "t".to_owned(),
        partitions: 1,
        replication_factor: 1,
        ..NewTopic::default()
    };
    let request = CatalogRequest::CreateTopics {
        topics: vec![topic],
        validate_only: false,
    };
    let change = bench.shard.decide_catalog(NOW, &mut || TP.topic, &request);
    for batch in &change.batches {
        bench.shard.append_catalog(NOW, batch).unwrap();
    }
    bench.drain();
    bench.shard.apply_catalog(&change.records).unwrap();
    for _ in 0..records {
        bench.append(b"value");
    }
    bench
}

/// A start with less memory than the log's index needs: everything can be read and deleted, and
/// producers wait until something is.
#[test]
fn a_start_with_too_little_memory_for_the_index_still_reads_and_deletes() {
    let bench = with_topic(20);
    let small = ShardConfig {
        leader_epoch: EPOCH + 1,
        index_bytes: 10 * INDEX_BYTES_PER_BATCH,
        ..config()
    };
    let mut bench = Bench::start(bench.disk, small);
    bench.drain();
    assert!(bench.shard.is_index_full());
    assert_eq!(
        bench.shard.append(NOW, TP, &batch(b"value")).unwrap_err(),
        Blocked::Full
    );
    let entry = FetchEntry {
        tp: TP,
        offset: 0,
        max_bytes: 1 << 20,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
    };
    let read = FetchRead {
        entries: vec![entry],
        max_bytes: 1 << 20,
        first_whole: true,
    };
    let plan = bench.shard.fetch(NOW, &read).remove(0);
    assert_eq!(plan.pieces.len(), 20);
    for piece in plan.pieces {
        if let Piece::Cold(cold) = piece {
            bench.shard.on_read_done(cold.position.segment);
        }
    }
    bench.shard.delete_records(TP, 15).unwrap().unwrap();
    bench.drain();
    assert!(!bench.shard.is_index_full());
    assert_eq!(bench.append(b"value"), 20);
}
