//! What a batch must look like, case by case.

use proptest::prelude::*;

use super::*;
use crate::base::TimestampType;
use crate::kafka::batch::crc_matches;
use crate::kafka::record::BatchBuilder;

fn outcome(origin: Origin, batch: Bytes) -> Result<Outcome, AppendError> {
    Partition::new(TP, LogConfig::default(), 5).append(now(77), batch, origin)
}

fn refusal(batch: Bytes) -> AppendError {
    outcome(Origin::Client, batch).unwrap_err()
}

type Change = fn(&mut BatchHeader);
type Refused = fn(&AppendError) -> bool;
const INVALID: Refused = |e| matches!(e, AppendError::Invalid(_));
const CORRUPT: Refused = |e| matches!(e, AppendError::Corrupt(_));

#[test]
fn header_fields_that_are_refused() {
    let table: [(&str, Change, Refused); 16] = [
        ("base offset", |h| h.base_offset = 1, INVALID),
        ("negative base offset", |h| h.base_offset = -1, INVALID),
        ("no records", |h| h.record_count = 0, INVALID),
        ("fewer than no records", |h| h.record_count = -1, INVALID),
        ("more records than offsets", |h| h.record_count = 3, INVALID),
        (
            "fewer records than offsets",
            |h| h.record_count = 1,
            INVALID,
        ),
        ("no offsets", |h| h.last_offset_delta = -1, INVALID),
        (
            "offsets of i32::MIN",
            |h| h.last_offset_delta = i32::MIN,
            INVALID,
        ),
        (
            "more records than bytes",
            |h| (h.record_count, h.last_offset_delta) = (i32::MAX, i32::MAX - 1),
            INVALID,
        ),
        ("control", |h| h.attributes = 0x20, INVALID),
        ("delete horizon", |h| h.attributes = 0x40, INVALID),
        (
            "transactional",
            |h| h.attributes = 0x10,
            |e| *e == AppendError::NoTransaction,
        ),
        (
            "LogAppendTime",
            |h| h.attributes = 0x08,
            |e| *e == AppendError::TimestampType,
        ),
        (
            "codec 5",
            |h| h.attributes = 5,
            |e| *e == AppendError::UnsupportedCodec(5),
        ),
        (
            "no sequence",
            |h| (h.producer_id, h.producer_epoch) = (9, 0),
            INVALID,
        ),
        (
            "no producer epoch",
            |h| (h.producer_id, h.base_sequence) = (9, 0),
            INVALID,
        ),
    ];
    for (name, change, refused) in table {
        let error = refusal(Spec::default().build_with(change));
        assert!(refused(&error), "{name}: {error:?}");
    }
}

#[test]
fn header_fields_that_are_accepted() {
    let table: [(&str, Change); 7] = [
        ("a stale leader epoch", |h| h.leader_epoch = 77),
        ("gzip", |h| h.attributes = 1),
        ("zstd", |h| h.attributes = 4),
        ("no timestamps", |h| {
            (h.base_timestamp, h.max_timestamp) = (-1, -1)
        }),
        ("bits without a meaning", |h| h.attributes = 0x1000),
        ("a sequence without a producer", |h| h.base_sequence = 5),
        ("a count that only decompression could doubt", |h| {
            (h.attributes, h.record_count, h.last_offset_delta) = (2, 5000, 4999)
        }),
    ];
    for (name, change) in table {
        let result = outcome(Origin::Client, Spec::default().build_with(change));
        assert!(matches!(result, Ok(Outcome::Appended(_))), "{name}");
    }
}

#[test]
fn bytes_that_are_not_one_batch_are_refused() {
    let good = Spec::default().build();
    for cut in 0..good.len() {
        assert!(INVALID(&refusal(good.slice(..cut))), "cut at {cut}");
    }
    let twice = Bytes::from([&good[..], &good[..]].concat());
    assert!(INVALID(&refusal(twice)));
    let longer = Bytes::from([&good[..], &[0]].concat());
    assert!(INVALID(&refusal(longer)));
    for magic in [0, 1, 3, 0xff] {
        let mut bytes = good.to_vec();
        bytes[16] = magic;
        assert!(INVALID(&refusal(bytes.into())), "magic {magic}");
    }
    for length in [i32::MIN, -1, 0, 48] {
        let mut bytes = good.to_vec();
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        assert!(CORRUPT(&refusal(bytes.into())), "length {length}");
    }
}

#[test]
fn every_flipped_bit_under_the_checksum_is_noticed() {
    let good = Spec::default().build();
    for byte in 17..good.len() {
        let mut bytes = good.to_vec();
        bytes[byte] ^= 1 << (byte % 8);
        assert!(CORRUPT(&refusal(bytes.into())), "byte {byte}");
    }
}

#[test]
fn size_is_limited_for_clients_to_the_byte() {
    let config = LogConfig {
        max_message_bytes: 200,
        ..LogConfig::default()
    };
    let log = Partition::new(TP, config, 0);
    let check = |bytes: usize, origin| log.check(now(0), spec(2).bytes(bytes).build(), origin);
    assert!(check(200, Origin::Client).is_ok());
    let too_large = AppendError::TooLarge {
        bytes: 201,
        bytes_max: 200,
    };
    assert_eq!(check(201, Origin::Client).unwrap_err(), too_large);
    assert!(check(201, Origin::Internal).is_ok());
}

#[test]
fn the_broker_may_write_control_records_but_no_transactions_yet() {
    let control = Spec::default().build_with(|h| h.attributes = 0x20);
    assert!(outcome(Origin::Internal, control).is_ok());
    let transactional = Spec::default().build_with(|h| h.attributes = 0x10);
    let error = outcome(Origin::Internal, transactional).unwrap_err();
    assert_eq!(error, AppendError::NoTransaction);
}

#[test]
fn a_new_batch_is_stamped_and_otherwise_untouched() {
    let mut log = Partition::new(TP, LogConfig::default(), 5);
    appended(log.append(now(1), spec(10).build(), Origin::Client));
    let batch = spec(3).at(4000).build();
    let result = appended(log.append(now(2), batch.clone(), Origin::Client));
    assert_eq!((result.base_offset, result.last_offset), (10, 12));
    assert_eq!((result.max_timestamp, result.log_append_time), (4000, -1));
    assert_eq!(result.total_bytes(), batch.len());
    assert_eq!(
        result.body.as_ptr(),
        batch[HEADER_BYTES..].as_ptr(),
        "uncopied"
    );
    let stored = whole(&result);
    assert!(crc_matches(&stored));
    let header = header_of(&stored);
    assert_eq!((header.base_offset, header.leader_epoch), (10, 5));
    assert_eq!(stored[8..12], batch[8..12]);
    assert_eq!(stored[16..], batch[16..]);
    assert_eq!((log.log_end(), log.high_watermark()), (13, 0));
}

#[test]
fn log_append_time_is_stamped_under_a_new_checksum() {
    let config = LogConfig {
        timestamp_type: TimestampType::LogAppendTime,
        ..LogConfig::default()
    };
    let mut log = Partition::new(TP, config, 5);
    let batch = spec(3).at(999_999).build();
    let result = appended(log.append(now(1234), batch.clone(), Origin::Client));
    assert_eq!((result.max_timestamp, result.log_append_time), (1234, 1234));
    let stored = whole(&result);
    assert!(crc_matches(&stored));
    let header = header_of(&stored);
    assert_eq!((header.attributes, header.max_timestamp), (0x08, 1234));
    assert_eq!(
        header.base_timestamp, 999_999,
        "deltas still count from there"
    );
    assert_eq!(stored[43..], batch[43..]);
}

#[test]
fn the_largest_timestamp_is_at_least_the_first_records() {
    let mut log = Partition::new(TP, LogConfig::default(), 0);
    let batch = BatchBuilder::new(500).record(500, None, None).build();
    let mut header = header_of(&batch);
    header.max_timestamp = 0;
    let mut batch = [&header.encode()[..], &batch[HEADER_BYTES..]].concat();
    let crc = checksum::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    let batch = Bytes::from(batch);
    let result = appended(log.append(now(1), batch, Origin::Client));
    assert_eq!(result.max_timestamp, 500);
    let batch = spec(2).at(-1).build();
    let result = appended(log.append(now(1), batch, Origin::Client));
    assert_eq!(result.max_timestamp, -1);
}

#[test]
fn offsets_that_run_out_refuse_instead_of_wrapping() {
    let mut recovery = Recovery::new(TP, LogConfig::default());
    recovery.on_log_start(i64::MAX - 5);
    let mut log = recovery.finish(1, now(0)).unwrap();
    let error = log.append(now(0), spec(6).build(), Origin::Client);
    assert!(INVALID(&error.unwrap_err()));
    let last = appended(log.append(now(0), spec(5).build(), Origin::Client));
    assert_eq!(last.last_offset, i64::MAX - 1);
    assert!(
        log.append(now(0), spec(1).build(), Origin::Client).is_err(),
        "the log end stays an offset"
    );
}

#[test]
fn a_check_changes_nothing() {
    let log = Partition::new(TP, LogConfig::default(), 1);
    let before = log.checkpoint();
    let batch = spec(2).by(4, 0, 0).build();
    for _ in 0..2 {
        let verdict = log.check(now(0), batch.clone(), Origin::Client);
        assert!(matches!(verdict, Ok(Verdict::New(_))));
    }
    assert_eq!(log.checkpoint(), before);
}

#[test]
#[should_panic(expected = "out of turn")]
fn a_candidate_must_be_committed_before_the_next() {
    let mut log = Partition::new(TP, LogConfig::default(), 1);
    let check = |log: &Partition| match log.check(now(0), spec(1).build(), Origin::Client) {
        Ok(Verdict::New(candidate)) => candidate,
        other => panic!("{other:?}"),
    };
    let (first, second) = (check(&log), check(&log));
    log.commit(first);
    log.commit(second);
}

prop_compose! {
    /// Any header fields over a right length and checksum.
    fn hostile()(
        small in (any::<bool>(), 0..4_i32, any::<i32>(), any::<i32>()),
        attributes in prop_oneof![3 => 0..5_i16, 1 => any::<i16>()],
        timestamps in (any::<i64>(), any::<i64>()),
        producer in (
            prop_oneof![-1..3_i64, any::<i64>()],
            prop_oneof![0..2_i16, any::<i16>()],
            prop_oneof![0..4, any::<i32>()],
        ),
        body_bytes in 0..100_usize,
    ) -> Bytes {
        let (plausible, count, any_count, any_delta) = small;
        let spec = Spec { attributes, producer, body_bytes, ..spec(1) };
        spec.build_with(|header| {
            (header.base_timestamp, header.max_timestamp) = timestamps;
            (header.record_count, header.last_offset_delta) = match plausible {
                true => (count, count - 1),
                false if any_delta % 2 == 0 => (any_count, any_count.wrapping_sub(1)),
                false => (any_count, any_delta),
            };
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn hostile_headers_are_refused_or_harmless(
        batches in prop::collection::vec((hostile(), any::<bool>()), 1..20),
        damaged in any::<prop::sample::Index>(),
        timestamp in any::<i64>(),
    ) {
        let mut rig = Rig::new();
        for (batch, client) in batches {
            let origin = if client { Origin::Client } else { Origin::Internal };
            let Ok(Verdict::New(candidate)) = rig.log.check(now(5), batch.clone(), origin) else {
                continue;
            };
            let stored = whole(&rig.log.commit(candidate));
            prop_assert!(crc_matches(&stored));
            let (segment, offset) = (rig.segment, rig.wal.len() as u32 * 1000);
            rig.wal.push((LogPosition { segment, offset }, stored));
            rig.settle();
            let mut bytes = batch.to_vec();
            bytes[damaged.index(batch.len())] ^= 1;
            let _ = rig.log.check(now(5), bytes.into(), origin);
        }
        let _ = rig.log.expired_to(now(timestamp));
        for question in [timestamp, timestamps::MAX] {
            if let Listed::Scan(scan) = rig.log.list_offset(question) {
                let header = header_of(&rig.read(&scan.piece));
                let _ = resolve_scan(&scan, &header, [(0, timestamp), (i32::MIN, 1)]);
            }
        }
        let mut recovery = Recovery::new(TP, LogConfig::default());
        for (position, bytes) in &rig.wal {
            recovery.on_batch(&header_of(bytes), *position).unwrap();
        }
        let recovered = recovery.finish(1, now(0)).unwrap();
        prop_assert_eq!(recovered.checkpoint(), rig.log.checkpoint());
        rig.log.evict_tail_before(i64::MAX);
        let read = |log: &Partition| log.plan_read(0, 1 << 20, true).unwrap();
        prop_assert_eq!(read(&recovered), read(&rig.log));
    }
}
