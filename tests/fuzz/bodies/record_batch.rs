//! Record batches and checkpoints from strangers.
//!
//! The first byte chooses. 0: bytes as they are, as a produced batch and as a
//! checkpoint. Otherwise: a header of arbitrary fields over a right length and
//! checksum, appended, made durable, looked into and recovered: whatever a live
//! partition accepts, a recovery accepts as well, with the same state.

use bytes::Bytes;
use corelane::base::checksum::crc32c;
use corelane::base::{LogConfig, LogPosition, Now, SegmentId, TopicId, TopicPartition};
use corelane::kafka::batch::{BatchHeader, CRC_COVER_START, HEADER_BYTES, crc_matches};
use corelane::kafka::compression::{self, Codec};
use corelane::kafka::record::RecordIter;
use corelane::partition::{
    Listed, Origin, Outcome, Partition, Piece, Placed, Recovery, resolve_scan, timestamps,
};

const NOW: Now = Now {
    wall_ms: 1_700_000_000_000,
    mono_ms: 1000,
};
const TP: TopicPartition = TopicPartition {
    topic: TopicId([1; 16]),
    partition: 0,
};

/// Checks one input.
pub fn check(data: &[u8]) {
    match data.split_first() {
        Some((0, rest)) => as_they_are(rest),
        Some((_, rest)) => arbitrary_fields(rest),
        None => {}
    }
}

fn as_they_are(data: &[u8]) {
    let mut log = Partition::new(TP, LogConfig::default(), 1);
    let _ = log.append(NOW, Bytes::copy_from_slice(data), Origin::Client);
    let mut recovery = Recovery::new(TP, LogConfig::default());
    if recovery.on_checkpoint(data).is_ok() {
        recovery.on_log_start(recovery.log_end());
        if let Ok(log) = recovery.finish(i32::MAX, NOW) {
            let mut again = Recovery::new(TP, LogConfig::default());
            again.on_checkpoint(&log.checkpoint()).expect("its own");
        }
    }
}

/// One batch after the other: 42 bytes of fields, the origin, a length, the body.
fn arbitrary_fields(mut data: &[u8]) {
    let mut log = Partition::new(TP, LogConfig::default(), 1);
    let mut wal = Vec::new();
    while let Some((fields, rest)) = data.split_first_chunk::<42>() {
        let Some((&[origin, len], rest)) = rest.split_first_chunk() else {
            break;
        };
        let Some((body, rest)) = rest.split_at_checked(usize::from(len)) else {
            break;
        };
        data = rest;
        let origin = match origin % 2 {
            0 => Origin::Client,
            _ => Origin::Internal,
        };
        if let Ok(Outcome::Appended(appended)) = log.append(NOW, batch(fields, body), origin) {
            let stored = Bytes::from([&appended.head[..], &appended.body[..]].concat());
            assert!(crc_matches(&stored));
            let header = BatchHeader::decode(&stored).expect("stamped by the partition");
            let segment = SegmentId {
                wal: 0,
                sequence: 1,
            };
            let offset = wal.len() as u32 * 1000;
            let position = LogPosition { segment, offset };
            log.on_durable(Placed::new(&header, position, Some(stored)));
            wal.push((header, position));
        }
    }
    let mut recovery = Recovery::new(TP, LogConfig::default());
    for (header, position) in wal {
        recovery.on_batch(&header, position).expect("it was live");
    }
    let recovered = recovery.finish(1, NOW).expect("nothing is missing");
    assert_eq!(recovered.checkpoint(), log.checkpoint());
    for question in [0, NOW.wall_ms, timestamps::MAX] {
        look_up(&log, question);
    }
    let _ = log.expired_to(NOW);
}

fn batch(fields: &[u8; 42], body: &[u8]) -> Bytes {
    let mut bytes = vec![0; HEADER_BYTES];
    bytes[8..12].copy_from_slice(&((HEADER_BYTES - 12 + body.len()) as i32).to_be_bytes());
    bytes[16] = 2;
    // Attributes to record count.
    bytes[CRC_COVER_START..].copy_from_slice(&fields[..HEADER_BYTES - CRC_COVER_START]);
    if fields[40].is_multiple_of(2) {
        // Offsets that agree with the count, which the rest depends on.
        let count = i32::from(fields[41] % 8) + 1;
        bytes[23..27].copy_from_slice(&(count - 1).to_be_bytes());
        bytes[57..61].copy_from_slice(&count.to_be_bytes());
    }
    bytes.extend_from_slice(body);
    let crc = crc32c(&bytes[CRC_COVER_START..]);
    bytes[17..CRC_COVER_START].copy_from_slice(&crc.to_be_bytes());
    bytes.into()
}

/// ListOffsets as the broker does it, decompression included.
fn look_up(log: &Partition, question: i64) {
    let mut listed = log.list_offset(question);
    while let Listed::Scan(scan) = listed {
        let Piece::Tail(batch) = &scan.piece else {
            panic!("the tail has everything");
        };
        let header = BatchHeader::decode(batch).expect("stored");
        let section = Codec::try_from(header.codec())
            .ok()
            .and_then(|codec| compression::decompress(codec, &batch[HEADER_BYTES..]).ok());
        let section = section.unwrap_or_default();
        let records = RecordIter::new(&section).map_while(Result::ok);
        let records = records.map(|record| (record.offset_delta, record.timestamp_delta));
        if let Some(answer) = resolve_scan(&scan, &header, records) {
            assert!((log.log_start()..log.high_watermark()).contains(&answer.offset));
            return;
        }
        if question < 0 {
            return;
        }
        listed = log.list_offset_from(question, scan.next_offset);
    }
}
