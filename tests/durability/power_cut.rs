//! The power goes: of what was written only that is there which the disk has been given. Other
//! tests kill the broker, after which the kernel still writes what is in its page cache.
//!
//! The data is in a file system of its own, ext4, whose disk is a file. At a moment when
//! everything sent is acknowledged the broker is killed and that file copied as it is; its file
//! system is thrown away with all that it has in memory, and the copy mounted, which replays the
//! journal as after a power cut. (A disk that loses what it was given but not told to flush is
//! not modelled here, see `tests/wal/disk.rs`; that every write asks for that is for
//! `open_flags.rs`.)

use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use corelane::base::checksum;

use crate::common::batches::{KEPT_START, batch_of, now_ms};
use crate::common::broker::Broker;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{create_topic, delete_records, must_produce, read_all};
use crate::common::random::Random;
use crate::common::skip::skip;

matrix! {
    own shards, "their segments must fit a small disk":
        what_was_acknowledged_outlives_a_power_cut;
}

const DISK_BYTES: u64 = 80 << 20;
/// Nothing gets to the disk because time has passed: neither what is in the journal, nor files
/// that are closed or replaced.
const MOUNT_OPTIONS: &str = "loop,commit=300,noauto_da_alloc";
const PARTITIONS: i32 = 3;
const SMALL_BYTES: usize = 500;
/// So large that a few of them fill a segment of 4 MiB.
const LARGE_BYTES: usize = 700_000;

/// A disk with a file system.
struct Disk {
    dir: tempfile::TempDir,
}

impl Disk {
    /// `None`, with the reason printed, where this process may not mount one.
    fn format() -> Option<Disk> {
        let disk = Disk {
            dir: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(),
        };
        std::fs::create_dir(disk.mounted_at()).unwrap();
        let image = std::fs::File::create(disk.image()).unwrap();
        image.set_len(DISK_BYTES).unwrap();
        let format = ["-q", "-F", "-b", "4096", "-J", "size=4", "-m", "0"];
        let made = run("mkfs.ext4", &format, &[&disk.image()]).and_then(|()| disk.mount());
        match made {
            Ok(()) => Some(disk),
            Err(why) => {
                skip(&format!("no disk can be made of a file here: {why}"));
                None
            }
        }
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    fn mounted_at(&self) -> PathBuf {
        self.dir.path().join("mounted")
    }

    fn mount(&self) -> Result<(), String> {
        let paths = [self.image(), self.mounted_at()];
        run(
            "mount",
            &["-t", "ext4", "-o", MOUNT_OPTIONS],
            &paths.each_ref().map(|p| &**p),
        )
    }

    /// Goes on from what the disk has; nobody may be using it.
    fn lose_power(&self) {
        let kept = self.dir.path().join("kept");
        run("cp", &["--sparse=always"], &[&self.image(), &kept]).unwrap();
        run("umount", &[], &[&self.mounted_at()]).unwrap();
        std::fs::rename(&kept, self.image()).unwrap();
        self.mount().unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It may not be mounted at all, or a failed test still uses it.
        let _ = run("umount", &["-l"], &[&self.mounted_at()]);
    }
}

fn run(program: &str, args: &[&str], paths: &[&Path]) -> Result<(), String> {
    let output = Command::new(program).args(args).args(paths).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{program}: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

/// What happens before the power goes; everything in it is acknowledged.
#[derive(Clone, Copy, Debug)]
enum Before {
    /// Nothing but a start, which makes files and a topic.
    Create,
    /// So many batches of so many bytes to every partition.
    Produce(usize, usize),
    /// All but the newest record of every partition is deleted, and so many large batches come
    /// after that, in segments that are used again.
    Trim(usize),
}

const CUTS: &[Before] = &[
    Before::Create,
    Before::Produce(1, SMALL_BYTES),
    Before::Produce(3, SMALL_BYTES),
    Before::Produce(3, LARGE_BYTES),
    Before::Trim(0),
    Before::Trim(3),
    Before::Produce(1, LARGE_BYTES),
    Before::Trim(3),
];

/// One partition.
#[derive(Default)]
struct Log {
    start: usize,
    /// By offset, one record in each; what was deleted is kept.
    acknowledged: Vec<Bytes>,
}

fn topic(number: usize) -> String {
    format!("cut-{number}")
}

fn what_was_acknowledged_outlives_a_power_cut(setup: Setup) {
    let Some(disk) = Disk::format() else { return };
    let options = setup.with_per_shard(64, 24);
    let options = options.with("--retention-check-interval", "20ms");
    let mut broker = Broker::stopped_in(&disk.mounted_at(), options);
    let mut random = Random::new(u64::from(checksum::crc32c(b"power")));
    let mut logs: Vec<Log> = (0..PARTITIONS).map(|_| Log::default()).collect();
    for (cut, before) in CUTS.iter().enumerate() {
        println!("cut {cut}: {before:?}");
        broker.start_again();
        check(&broker, cut, &logs);
        play(&broker, *before, &mut logs, &mut random);
        // Last of all a change of the catalogue, or else records: each may be what is lost.
        create_topic(&mut broker.client(), &topic(cut + 1), 1, &[]);
        if cut % 2 == 0 {
            produce(&broker, SMALL_BYTES, &mut logs, &mut random);
        }
        broker.kill();
        disk.lose_power();
    }
    broker.start_again();
    check(&broker, CUTS.len(), &logs);
    broker.stop();
    let (report, is_sound) = broker.inspect();
    assert!(is_sound, "{report}");
}

fn play(broker: &Broker, before: Before, logs: &mut [Log], random: &mut Random) {
    match before {
        Before::Create => {
            create_topic(&mut broker.client(), &topic(0), PARTITIONS, &[]);
        }
        Before::Produce(batches, bytes) => {
            for _ in 0..batches {
                produce(broker, bytes, logs, random);
            }
        }
        Before::Trim(batches) => {
            for (partition, log) in (0..).zip(logs.iter_mut()) {
                log.start = log.acknowledged.len() - 1;
                let to = log.start as i64;
                let client = &mut broker.client();
                assert_eq!(delete_records(client, &topic(0), partition, to), Ok(to));
            }
            for _ in 0..batches {
                produce(broker, LARGE_BYTES, logs, random);
            }
        }
    }
}

/// A batch to every partition.
fn produce(broker: &Broker, bytes: usize, logs: &mut [Log], random: &mut Random) {
    for (partition, log) in (0..).zip(logs) {
        let batch = batch_of(now_ms(), &[&random.bytes(bytes)]);
        let client = &mut broker.client();
        let offset = must_produce(client, &topic(0), partition, batch.clone());
        assert_eq!(offset, log.acknowledged.len() as i64);
        log.acknowledged.push(batch);
    }
}

/// Everything acknowledged is there, and nothing else was sent.
fn check(broker: &Broker, topics: usize, logs: &[Log]) {
    if topics == 0 {
        return;
    }
    let mut client = broker.client();
    for number in 1..=topics {
        assert!(read_all(&mut client, &topic(number), 0, 0).is_empty());
    }
    for (partition, log) in (0..).zip(logs) {
        let found = read_all(&mut client, &topic(0), partition, log.start as i64);
        let expected = &log.acknowledged[log.start..];
        assert_eq!(found.len(), expected.len(), "partition {partition}");
        for (found, sent) in found.iter().zip(expected) {
            assert!(found.bytes[KEPT_START..] == sent[KEPT_START..]);
        }
    }
}
