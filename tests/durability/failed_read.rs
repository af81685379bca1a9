//! Reads of the WAL that go wrong under a running broker: bytes that are not what was written,
//! files that end too early, and calls that the kernel fails. Who wants what cannot be read is
//! told so, in a way that has clients try again, and it is said in the log; nobody is given
//! anything else, nobody else notices, and once it can be read it is.
//!
//! (`failed_calls.rs` has calls fail by a preloaded library, which sees none of io_uring's.)

use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::{FileExt, symlink};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use corelane::kafka::ErrorCode;
use corelane::kafka::api::ApiKey;
use corelane::kafka::messages::fetch::{FetchPartition, FetchResponse};
use corelane::kafka::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};

use crate::common::batches::{KEPT_START, batch_of, split};
use crate::common::broker::{Broker, Options};
use crate::common::client::{Client, newest};
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{FETCH_BY_NAME, create_topic, fetch, fetch_request, must_produce};
use crate::common::random::Random;

matrix! {
    own shards, "it damages files of a WAL that it knows":
        who_wants_what_is_damaged_is_told_and_nobody_else_notices,
        a_read_that_the_kernel_fails_is_told_and_nobody_else_notices;
}

const TOPIC: &str = "read";
const PARTITIONS: i32 = 2;
const BATCHES: i64 = 6;
const FIRST_MS: i64 = 1_700_000_000_000;
const FAILED: &str = "reading records from the WAL failed";

/// Batch `n` of a partition: two records, so that it must be looked into to find one by its time.
fn batch_at(partition: i32, n: i64) -> Bytes {
    let value = Random::new((n as u64) << 8 | partition as u64).bytes(3000);
    let (one, other) = value.split_at(1700);
    batch_of(FIRST_MS + n, &[one, other])
}

/// A broker that was started again: its older records are in one file, and none is in memory.
struct Rig {
    broker: Broker,
    /// The file with the older records, cut off behind them.
    file: PathBuf,
    whole: Vec<u8>,
}

impl Rig {
    fn new(setup: Setup) -> Rig {
        let mut broker = Broker::start_with(Options {
            cores: 1,
            memory_mib: 32,
            wal_disk_mib: 16,
            ..setup.options()
        });
        let mut client = broker.client();
        create_topic(&mut client, TOPIC, PARTITIONS, &[]);
        for n in 0..BATCHES {
            for partition in 0..PARTITIONS {
                must_produce(&mut client, TOPIC, partition, batch_at(partition, n));
            }
        }
        broker.stop();
        broker.start_again();
        let file = broker.data_dir().join("wal/shard-000/000000.wal");
        let deadline = Instant::now() + Duration::from_secs(60);
        while fs::metadata(&file).unwrap().len() > 1 << 20 {
            assert!(Instant::now() < deadline, "it is not shortened");
            std::thread::sleep(Duration::from_millis(5));
        }
        broker.announce(FAILED);
        let whole = fs::read(&file).unwrap();
        Rig {
            broker,
            file,
            whole,
        }
    }

    /// Where a batch lies in the file.
    fn place(&self, partition: i32, n: i64) -> Range<usize> {
        let batch = batch_at(partition, n);
        let mut windows = self.whole.windows(batch.len());
        let is_here = |bytes: &[u8]| bytes[KEPT_START..] == batch[KEPT_START..];
        let start = windows.position(is_here).unwrap();
        start..start + batch.len()
    }

    fn open(&self) -> File {
        File::options().write(true).open(&self.file).unwrap()
    }

    fn times_failed(&self) -> usize {
        self.broker.log().matches(FAILED).count()
    }

    /// Reads every batch by itself, the last first so that nothing is read ahead, and asks for
    /// its time. Of those in `damaged` both must be refused, each with one line in the log, and
    /// the others be right.
    fn check(&self, what: &str, damaged: &[(i32, i64)]) {
        let mut client = self.broker.client();
        for n in (0..BATCHES).rev() {
            for partition in 0..PARTITIONS {
                let place = format!("{what}: partition {partition}, batch {n}");
                let is_damaged = damaged.contains(&(partition, n));
                let lines = self.times_failed();
                let records = read_one(&mut client, partition, 2 * n);
                assert_eq!(records.is_none(), is_damaged, "{place}");
                if let Some(records) = records {
                    let sent = batch_at(partition, n);
                    assert_eq!(records[KEPT_START..], sent[KEPT_START..], "{place}");
                }
                self.wait_for_lines(lines + usize::from(is_damaged), &place);
                let expected = match is_damaged {
                    true => Err(ErrorCode::KAFKA_STORAGE_ERROR),
                    false => Ok(2 * n),
                };
                let found = offset_of_time(&mut client, partition, FIRST_MS + n);
                assert_eq!(found, expected, "{place}, by time");
                self.wait_for_lines(lines + 2 * usize::from(is_damaged), &place);
            }
        }
        let new = self.produce_and_read_at_the_end();
        assert!(new >= 2 * BATCHES, "{what}");
    }

    /// The log comes by way of a pipe and a thread.
    fn wait_for_lines(&self, lines: usize, place: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.times_failed() < lines && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(self.times_failed(), lines, "{place}");
    }

    fn produce_and_read_at_the_end(&self) -> i64 {
        let mut client = self.broker.client();
        let new = must_produce(&mut client, TOPIC, 0, batch_of(FIRST_MS, &[b"new"]));
        let found = fetch(&mut client, TOPIC, 0, new);
        assert_eq!(found.batches()[0].values(), [Some(b"new".to_vec())]);
        new
    }
}

/// The batch at an offset, which a fetch gives whole however little it asks for; `None` if its
/// partition is refused with the error that has clients try again.
fn read_one(client: &mut Client, partition: i32, offset: i64) -> Option<Bytes> {
    let mut request = fetch_request(TOPIC, partition, offset);
    request.topics[0].partitions[0].partition_max_bytes = 1;
    let frame = client.call(FETCH_BY_NAME, &request);
    let response: FetchResponse<'_> = frame.decode();
    let found = &response.responses[0].partitions[0];
    let records = Bytes::from(found.records.0.concat());
    if found.error_code == ErrorCode::KAFKA_STORAGE_ERROR {
        assert!(records.is_empty());
        return None;
    }
    assert_eq!(found.error_code, ErrorCode::NONE);
    let batches = split(&records);
    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0].header.base_offset, offset);
    Some(records)
}

/// The offset of the first record of a time.
fn offset_of_time(client: &mut Client, partition: i32, timestamp: i64) -> Result<i64, ErrorCode> {
    let request = ListOffsetsRequest {
        topics: vec![ListOffsetsTopic {
            name: TOPIC,
            partitions: vec![ListOffsetsPartition {
                partition_index: partition,
                timestamp,
                ..Default::default()
            }],
        }],
        ..Default::default()
    };
    let frame = client.call(newest(ApiKey::ListOffsets), &request);
    let response: ListOffsetsResponse<'_> = frame.decode();
    let found = &response.topics[0].partitions[0];
    match found.error_code {
        ErrorCode::NONE => Ok(found.offset),
        error => Err(error),
    }
}

/// What happens to the file, and which batches cannot be read then.
type Damage = (&'static str, fn(&Rig, &File), &'static [(i32, i64)]);

const DAMAGES: [Damage; 2] = [
    (
        "bytes that are not what was written",
        |rig, file| {
            let write = |bytes: &[u8], at: usize| file.write_all_at(bytes, at as u64).unwrap();
            // A flipped bit.
            let at = rig.place(0, 2).start + 1500;
            write(&[rig.whole[at] ^ 4], at);
            // A sector of zeroes.
            write(&[0; 512], (rig.place(1, 0).start + 512) / 512 * 512);
            // An intact batch in the place of another.
            write(&rig.whole[rig.place(0, 5)], rig.place(0, 3).start);
            // A part of another partition's batch.
            write(&rig.whole[rig.place(1, 1)][..2000], rig.place(0, 4).start);
        },
        &[(0, 2), (1, 0), (0, 3), (0, 4)],
    ),
    (
        "a file that ends within a batch",
        |rig, file| {
            let end = rig.place(0, 4).start + 100;
            file.set_len(end as u64).unwrap();
        },
        &[(0, 4), (1, 4), (0, 5), (1, 5)],
    ),
];

fn who_wants_what_is_damaged_is_told_and_nobody_else_notices(setup: Setup) {
    let mut rig = Rig::new(setup);
    for (what, damage, damaged) in DAMAGES {
        let file = rig.open();
        damage(&rig, &file);
        file.sync_all().unwrap();
        rig.check(what, damaged);
        check_both_at_once(&rig, damaged);
        file.write_all_at(&rig.whole, 0).unwrap();
        file.sync_all().unwrap();
        rig.check("all is well again", &[]);
        // What was read ahead meanwhile is in memory, and would hide the next damage.
        rig.broker.stop();
        rig.broker.start_again();
    }
    rig.check("all is well in the end", &[]);
    rig.broker.stop();
}

/// One fetch of both partitions, of one from where it is damaged: the other is answered.
fn check_both_at_once(rig: &Rig, damaged: &[(i32, i64)]) {
    let lines = rig.times_failed();
    let (of, n) = damaged[0];
    let mut request = fetch_request(TOPIC, 0, 0);
    request.topics[0].partitions = (0..PARTITIONS)
        .map(|partition| FetchPartition {
            partition,
            fetch_offset: if partition == of { 2 * n } else { 2 },
            partition_max_bytes: 3500,
            ..Default::default()
        })
        .collect();
    let frame = rig.broker.client().call(FETCH_BY_NAME, &request);
    let response: FetchResponse<'_> = frame.decode();
    for found in &response.responses[0].partitions {
        let (error, records) = (found.error_code, found.records.0.concat());
        if found.partition_index == of {
            assert_eq!(error, ErrorCode::KAFKA_STORAGE_ERROR);
            assert!(records.is_empty());
        } else {
            assert_eq!(error, ErrorCode::NONE);
            let sent = batch_at(found.partition_index, 1);
            assert_eq!(records[KEPT_START..sent.len()], sent[KEPT_START..]);
        }
    }
    rig.wait_for_lines(lines + 1, "both partitions");
}

/// In the place of the file stands the process's own memory, of which nothing is mapped at such
/// low addresses: reading there is an input/output error, and with O_DIRECT it cannot be opened.
fn a_read_that_the_kernel_fails_is_told_and_nobody_else_notices(setup: Setup) {
    let mut rig = Rig::new(setup);
    let aside = rig.file.with_extension("aside");
    fs::rename(&rig.file, &aside).unwrap();
    symlink("/proc/self/mem", &rig.file).unwrap();
    let all: Vec<(i32, i64)> = (0..PARTITIONS)
        .flat_map(|partition| (0..BATCHES).map(move |n| (partition, n)))
        .collect();
    rig.check("an input/output error", &all);
    if setup.buffered {
        let told = "Input/output error";
        assert!(rig.broker.has_logged(told), "{}", rig.broker.log());
    }
    fs::remove_file(&rig.file).unwrap();
    fs::rename(&aside, &rig.file).unwrap();
    if setup.buffered {
        // What was opened stays open.
        rig.broker.stop();
        rig.broker.start_again();
    }
    rig.check("all is well again", &[]);
    rig.broker.stop();
}
