//! What one start takes over from another, and segments that others still need.

use super::*;
use crate::base::{LogPosition, Lsn, SegmentId};
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
