//! Which timestamps a topic takes, where the header knows, and where the records do.

use super::*;
use crate::base::TimestampType;
use crate::base::limits::{CHECKED_BYTES_MAX, RECORD_ERRORS_MAX};
use crate::kafka::record::{BatchBuilder, RecordHeader};

const T: i64 = 1_700_000_000_000;
const HOUR: i64 = 60 * 60 * 1000;
/// A bound in the tables below, milliseconds.
const BOUND: i64 = 1000;

/// Batches that say what they hold in one codec each.
type Pack = fn(&[u8]) -> Vec<u8>;
const CODECS: [Pack; 5] = [
    <[u8]>::to_vec,
    |section| {
        let level = flate2::Compression::fast();
        let mut packed = Vec::new();
        let mut encoder = flate2::read::GzEncoder::new(section, level);
        std::io::Read::read_to_end(&mut encoder, &mut packed).unwrap();
        packed
    },
    |section| snap::raw::Encoder::new().compress_vec(section).unwrap(),
    |section| {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        std::io::Write::write_all(&mut encoder, section).unwrap();
        encoder.finish().unwrap()
    },
    |section| {
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        ruzstd::encoding::compress_to_vec(section, level)
    },
];

/// A batch of records with these timestamps and some flesh.
fn batch(codec: usize, times: &[i64], change: impl FnOnce(&mut BatchHeader)) -> Bytes {
    let trace = [RecordHeader {
        key: "trace",
        value: None,
    }];
    let add = |batch: BatchBuilder, time: &i64| {
        batch.record_with_headers(*time, Some(b"key"), Some(b"value"), &trace)
    };
    let plain = times.iter().fold(BatchBuilder::new(times[0]), add).build();
    packed(codec, &header_of(&plain), &plain[HEADER_BYTES..], change)
}

/// A batch of a header, changed a little, and a section that is packed behind it.
fn packed(
    codec: usize,
    header: &BatchHeader,
    section: &[u8],
    change: impl FnOnce(&mut BatchHeader),
) -> Bytes {
    let section = CODECS[codec](section);
    let mut header = *header;
    header.attributes |= codec as i16;
    header.batch_length = (HEADER_BYTES - 12 + section.len()) as i32;
    change(&mut header);
    let mut bytes = [&header.encode()[..], &section].concat();
    let crc = checksum::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes.into()
}

fn log(before: Option<i64>, after: Option<i64>) -> Partition {
    let config = LogConfig {
        timestamp_before_max_ms: before.map(i64::unsigned_abs),
        timestamp_after_max_ms: after.map(i64::unsigned_abs),
        max_message_bytes: 64 << 20,
        ..LogConfig::default()
    };
    Partition::new(TP, config, 0)
}

fn check(log: &Partition, batch: Bytes) -> Result<(), AppendError> {
    match log.check(now(T), batch, Origin::Client)? {
        Verdict::New(candidate) => log.check_timestamps(now(T), &candidate),
        Verdict::Duplicate(duplicate) => panic!("{duplicate:?}"),
    }
}

/// The index of each record that `log` refuses; an accepted batch has none.
fn refused(log: &Partition, batch: Bytes) -> Result<Vec<i32>, AppendError> {
    match check(log, batch) {
        Ok(()) => Ok(Vec::new()),
        Err(AppendError::Timestamps(bad)) => {
            Ok(bad.records.into_iter().map(|(index, _)| index).collect())
        }
        Err(other) => Err(other),
    }
}

#[test]
fn each_bound_holds_to_the_millisecond_in_every_codec() {
    let (none, some, zero) = (None, Some(BOUND), Some(0));
    type Row = (Option<i64>, Option<i64>, &'static [i64], &'static [i32]);
    let table: [Row; 15] = [
        (none, some, &[T + BOUND], &[]),
        (none, some, &[T + BOUND + 1], &[0]),
        (none, some, &[0, T, T + BOUND + 1, T + BOUND], &[2]),
        (none, some, &[i64::MAX], &[0]),
        (none, some, &[1, -1, 0], &[]),
        (some, none, &[T - BOUND], &[]),
        (some, none, &[T - BOUND - 1], &[0]),
        (some, none, &[T + HOUR * HOUR, T - BOUND - 1, 0], &[1, 2]),
        (some, none, &[T, -1, T], &[]),
        (some, none, &[-1, -2], &[1]),
        (zero, zero, &[T], &[]),
        (zero, zero, &[T - 1, T, T + 1], &[0, 2]),
        (some, some, &[T + BOUND, T - BOUND], &[]),
        (none, none, &[i64::MAX, 0], &[]),
        (Some(i64::MAX - 1), some, &[0, T + BOUND + 1], &[1]),
    ];
    for (before, after, times, expected) in table {
        for codec in 0..CODECS.len() {
            let found = refused(&log(before, after), batch(codec, times, |_| {}));
            assert_eq!(
                found.as_deref(),
                Ok(expected),
                "{before:?} {after:?} {times:?}, codec {codec}"
            );
        }
    }
}

#[test]
fn kafkas_defaults_allow_any_past_and_an_hour_ahead() {
    let log = Partition::new(TP, LogConfig::default(), 0);
    let check = |time| refused(&log, batch(0, &[time], |_| {})).unwrap();
    assert!(check(0).is_empty() && check(T + HOUR).is_empty());
    assert_eq!(check(T + HOUR + 1), [0]);
}

#[test]
fn the_brokers_clock_has_no_bounds_and_neither_have_its_own_batches() {
    let late = batch(0, &[T + 2 * HOUR], |_| {});
    let stamped = LogConfig {
        timestamp_type: TimestampType::LogAppendTime,
        timestamp_before_max_ms: Some(0),
        ..LogConfig::default()
    };
    let log = Partition::new(TP, stamped, 0);
    assert_eq!(check(&log, late.clone()), Ok(()));
    let mut log = Partition::new(TP, LogConfig::default(), 0);
    appended(log.append(now(T), late, Origin::Internal));
}

#[test]
fn a_header_that_lies_moves_no_bound_that_matters() {
    let both = || log(Some(BOUND), Some(BOUND));
    let after = || log(None, Some(BOUND));
    let late = [T, T + BOUND + 1];
    for codec in 0..CODECS.len() {
        // Clients that leave the largest timestamp out.
        let left_out = |times| batch(codec, times, |h| h.max_timestamp = -1);
        assert_eq!(refused(&after(), left_out(&late)), Ok(vec![1]));
        assert_eq!(refused(&after(), left_out(&[T, T + 1])), Ok(vec![]));
        // Too little: nothing expires later for it. Whoever looks sees through it.
        let too_little = || batch(codec, &late, |h| h.max_timestamp = T);
        assert_eq!(refused(&after(), too_little()), Ok(vec![]));
        assert_eq!(refused(&both(), too_little()), Ok(vec![1]));
        // Too much, in either field that retention goes by.
        let lies: [fn(&mut BatchHeader); 2] = [
            |h| h.max_timestamp = T + BOUND + 1,
            |h| (h.base_timestamp, h.max_timestamp) = (T + BOUND + 1, T),
        ];
        for lie in lies {
            let early = T - BOUND - 1 - BOUND;
            let log = log(None, Some(BOUND));
            let result = check(&log, batch(codec, &[T, early], lie));
            let Err(AppendError::Timestamps(bad)) = result else {
                panic!("codec {codec}: {result:?}");
            };
            assert!(bad.records.iter().all(|(index, _)| *index == 0), "{bad:?}");
        }
    }
}

#[test]
fn records_that_must_be_read_must_be_readable() {
    let log = log(Some(BOUND), None);
    let invalid = |batch| match refused(&log, batch) {
        Err(AppendError::Invalid(reason)) => reason,
        other => panic!("{other:?}"),
    };
    for codec in 0..CODECS.len() {
        let count = |h: &mut BatchHeader| (h.record_count, h.last_offset_delta) = (3, 2);
        let miscounted = batch(codec, &[T, T], count);
        assert_eq!(invalid(miscounted), "more or fewer records than declared");
        let header = header_of(&batch(0, &[T], |_| {}));
        let garbage = packed(codec, &header, &[0xff; 20], |_| {});
        assert_eq!(invalid(garbage), "the records cannot be read");
    }
    for codec in 1..CODECS.len() {
        let relabelled = batch(0, &[T], |h| h.attributes |= codec as i16);
        assert_eq!(invalid(relabelled), "the records cannot be unpacked");
    }
    // What need not be read is not.
    let garbage = spec(2).at(T).build();
    assert_eq!(refused(&super::Rig::new().log, garbage), Ok(vec![]));
}

#[test]
fn bombs_are_refused_unread() {
    let header = header_of(&batch(0, &[T], |_| {}));
    let too_large = AppendError::UnpackedTooLarge(CHECKED_BYTES_MAX);
    for codec in 1..CODECS.len() {
        let zeros = vec![0; CHECKED_BYTES_MAX + 1];
        let bomb = |change: fn(&mut BatchHeader)| packed(codec, &header, &zeros, change);
        let found = refused(&log(Some(BOUND), None), bomb(|_| {}));
        assert_eq!(found, Err(too_large.clone()), "codec {codec}");
        // The header suffices to refuse this one.
        let late = bomb(|h| h.max_timestamp = T + BOUND + 1);
        let result = check(&log(None, Some(BOUND)), late);
        assert!(matches!(result, Err(AppendError::Timestamps(_))));
    }
    // What is not compressed takes no memory, whatever its size.
    let value = vec![7; CHECKED_BYTES_MAX];
    let large = BatchBuilder::new(T).record(T, None, Some(&value)).build();
    assert_eq!(refused(&log(Some(BOUND), None), large), Ok(vec![]));
}

#[test]
fn a_refusal_names_the_first_records_and_the_bounds() {
    let times = vec![T - BOUND - 1; RECORD_ERRORS_MAX + 1];
    let log = log(Some(BOUND), Some(2 * BOUND));
    let error = check(&log, batch(0, &times, |_| {})).unwrap_err();
    let words = format!(
        "this topic takes timestamps from {} to {}",
        T - 1000,
        T + 2000
    );
    assert_eq!(error.to_string(), words);
    let AppendError::Timestamps(bad) = error else {
        panic!("{error:?}");
    };
    assert_eq!(bad.records.len(), RECORD_ERRORS_MAX);
    let (index, reason) = bad.reasons().last().unwrap();
    assert_eq!(index as usize, RECORD_ERRORS_MAX - 1);
    let (early, least, most) = (T - 1001, T - 1000, T + 2000);
    assert_eq!(
        reason,
        format!("timestamp {early} is not within {least} to {most}")
    );
}

#[test]
fn what_is_in_the_log_is_acknowledged_again_however_old_it_is_by_now() {
    let mut log = log(Some(BOUND), None);
    let batch = |sequence| {
        batch(0, &[T], |h| {
            (h.producer_id, h.producer_epoch, h.base_sequence) = (7, 0, sequence);
        })
    };
    appended(log.append(now(T), batch(0), Origin::Client));
    duplicate(log.append(now(T + HOUR), batch(0), Origin::Client));
    let late = log.append(now(T + HOUR), batch(1), Origin::Client);
    assert!(matches!(late, Err(AppendError::Timestamps(_))));
    appended(log.append(now(T), batch(1), Origin::Client));
}
