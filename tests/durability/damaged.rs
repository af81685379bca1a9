//! Starts on data directories that someone or something has damaged. Where acknowledged
//! records may be lost the broker does not start: it says what is wrong with which file and
//! ends with a failure. What is merely strange it leaves alone.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use corelane::wal::{BLOCK_HEADER_BYTES, BlockHeader};

use crate::common::batches::{KEPT_START, batch_of};
use crate::common::broker::{Broker, Options};
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{create_topic, must_produce, read_all};
use crate::common::random::Random;
use crate::small_fs::SmallFileSystem;

matrix! {
    own shards, "it damages files of WALs that it knows": a_missing_or_resized_file_of_the_wal_is_named,
        a_bit_flipped_in_a_durable_block_is_named_with_file_and_offset,
        a_wal_that_is_gone_is_not_begun_anew, a_damaged_file_of_the_data_directory_is_named,
        a_wal_that_nobody_counted_is_not_passed_over, foreign_files_do_no_harm,
        a_damaged_segment_header_costs_nothing_but_a_warning, a_read_only_data_directory_is_refused,
        a_torn_last_block_is_cut_off_quietly;
}

const TOPIC: &str = "kept";
const PARTITIONS: i32 = 4;
const BATCHES: i64 = 6;
/// How the broker ends that does not want to start.
const REFUSED: i32 = 1;
const PAGE: usize = 4096;

fn small(setup: Setup) -> Options {
    setup.with_per_shard(32, 16)
}

fn batch_at(partition: i32, offset: i64) -> Bytes {
    let value = Random::new((offset as u64) << 8 | partition as u64).bytes(3000);
    batch_of(1_700_000_000_000, &[&value])
}

/// A data directory with some records, and how it was before it was damaged.
struct Template {
    dir: tempfile::TempDir,
    options: Options,
}

impl Template {
    /// Written by a broker that stopped cleanly: all of it is known to be durable.
    fn new(setup: Setup) -> Template {
        Template::with(small(setup), Broker::stop)
    }

    fn with(options: Options, end: impl FnOnce(&mut Broker)) -> Template {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut broker = Broker::stopped_in(dir.path(), options.clone());
        broker.start_again();
        let mut client = broker.client();
        create_topic(&mut client, TOPIC, PARTITIONS, &[]);
        for offset in 0..BATCHES {
            for partition in 0..PARTITIONS {
                let batch = batch_at(partition, offset);
                assert_eq!(must_produce(&mut client, TOPIC, partition, batch), offset);
            }
        }
        end(&mut broker);
        Template { dir, options }
    }

    /// A broker that does not run yet, on a copy.
    fn copy(&self) -> Copy {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        copy_all(&self.dir.path().join("data"), &dir.path().join("data"));
        let broker = Broker::stopped_in(dir.path(), self.options.clone());
        Copy { broker, _dir: dir }
    }

    /// Damages a copy, and has the broker refuse it with all these words.
    fn refused(&self, damage: impl FnOnce(&Path), words: &[&str]) {
        let mut copy = self.copy();
        damage(copy.broker.data_dir());
        let message = copy.refused();
        for word in words {
            assert!(message.contains(word), "{word:?} is missing in: {message}");
        }
    }

    /// Changes a copy, and has the broker start with everything.
    fn accepted(&self, change: impl FnOnce(&Path), announced: &str) {
        let mut copy = self.copy();
        change(copy.broker.data_dir());
        if !announced.is_empty() {
            copy.broker.announce(announced);
        }
        copy.broker.start_again();
        check_records(&copy.broker, BATCHES);
        if !announced.is_empty() {
            assert!(copy.broker.has_logged(announced));
        }
        copy.broker.stop();
    }
}

struct Copy {
    broker: Broker,
    _dir: tempfile::TempDir,
}

impl Copy {
    /// What the broker says to a start that it refuses, twice the same: nothing is repaired
    /// or forgotten by the first.
    fn refused(&mut self) -> String {
        let message = self.refused_once();
        assert_eq!(self.refused_once(), message);
        message
    }

    fn refused_once(&mut self) -> String {
        let (status, log) = self.broker.start_in_vain();
        assert_eq!(status.code(), Some(REFUSED), "{status}\n{log}");
        assert!(!log.contains("panicked"), "{log}");
        let errors = log.lines().filter(|line| line.starts_with("error: "));
        let errors: Vec<&str> = errors.collect();
        assert_eq!(errors.len(), 1, "one line says it: {log}");
        let line = errors[0].to_owned();
        assert!(log.ends_with(&line), "nothing comes after it: {log}");
        line
    }
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_all(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn check_records(broker: &Broker, batches: i64) {
    let mut client = broker.client();
    for partition in 0..PARTITIONS {
        let found = read_all(&mut client, TOPIC, partition, 0);
        assert_eq!(found.len() as i64, batches, "partition {partition}");
        for (found, offset) in found.iter().zip(0..) {
            let sent = batch_at(partition, offset);
            assert_eq!(found.bytes[KEPT_START..], sent[KEPT_START..]);
        }
    }
}

/// A block on disk.
struct Block {
    file: PathBuf,
    at: usize,
    header: BlockHeader,
}

impl Block {
    /// The name as the broker tells it.
    fn name(&self) -> String {
        self.file.file_name().unwrap().to_str().unwrap().to_owned()
    }

    fn change(&self, at: usize, change: impl FnOnce(&mut u8)) {
        let mut bytes = fs::read(&self.file).unwrap();
        change(&mut bytes[self.at + at]);
        fs::write(&self.file, bytes).unwrap();
    }
}

/// The segment files of a WAL, in the order of their names.
fn segment_files(data: &Path, wal: u16) -> Vec<PathBuf> {
    let dir = data.join(format!("wal/shard-{wal:03}"));
    let paths = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|e| e == "wal");
    let mut files: Vec<PathBuf> = paths.filter(is_segment).collect();
    files.sort();
    files
}

/// The blocks of a WAL, in the order of their LSNs. Each file has had one life.
fn blocks(data: &Path, wal: u16) -> Vec<Block> {
    let mut blocks = Vec::new();
    for file in segment_files(data, wal) {
        let bytes = fs::read(&file).unwrap();
        let incarnation = u64::from_le_bytes(*bytes[24..].first_chunk().unwrap());
        for at in (PAGE..bytes.len()).step_by(PAGE) {
            if let Ok(header) = BlockHeader::decode(&bytes[at..], incarnation) {
                let file = file.clone();
                blocks.push(Block { file, at, header });
            }
        }
    }
    blocks.sort_by_key(|block| block.header.lsn);
    blocks
}

fn meta(data: &Path) -> PathBuf {
    data.join("corelane.toml")
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from:?} is not in {text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

fn a_bit_flipped_in_a_durable_block_is_named_with_file_and_offset(setup: Setup) {
    let template = Template::new(setup);
    let mut random = Random::new(7);
    for wal in 0..2 {
        let all = blocks(&template.dir.path().join("data"), wal);
        assert!(all.len() > 3, "{} blocks", all.len());
        for at in [0, all.len() / 2, all.len() - 1] {
            let used = all[at].header.bytes_used as usize;
            let places = [4, 20, BLOCK_HEADER_BYTES - 1, BLOCK_HEADER_BYTES, used - 1];
            for place in places.into_iter().filter(|place| *place < used) {
                let bit = random.below(8);
                let block = &all[at];
                let offset = format!("damaged at byte {}", block.at);
                let command = format!("`corelane inspect wal {}", env!("CARGO_TARGET_TMPDIR"));
                template.refused(
                    |data| blocks(data, wal)[at].change(place, |byte| *byte ^= 1 << bit),
                    &[&block.name(), &offset, &command],
                );
            }
        }
    }
}

fn a_missing_or_resized_file_of_the_wal_is_named(setup: Setup) {
    let template = Template::new(setup);
    let data = template.dir.path().join("data");
    let holder = blocks(&data, 1)[0].name();
    let holder_in = |data: &Path| data.join("wal/shard-001").join(&holder);
    let manifest = |data: &Path| data.join("wal/shard-001/manifest");
    let words = ["wal/shard-001/manifest"];
    template.refused(
        |data| fs::remove_file(holder_in(data)).unwrap(),
        &[&holder, "is missing"],
    );
    template.refused(
        |data| {
            let file = fs::File::options().write(true).open(holder_in(data));
            file.unwrap().set_len(8192).unwrap();
        },
        &[&holder, "is 8192 bytes long"],
    );
    template.refused(|data| fs::remove_file(manifest(data)).unwrap(), &words);
    template.refused(|data| fs::write(manifest(data), "").unwrap(), &words);
    template.refused(|data| fs::write(manifest(data), [7; 9000]).unwrap(), &words);
    // Far more than a manifest can be, and than is there to be read into.
    template.refused(
        |data| {
            let file = fs::File::create(manifest(data)).unwrap();
            file.set_len(1 << 40).unwrap();
        },
        &words,
    );
    for bytes in [3, 43, 100] {
        template.refused(
            |data| {
                let file = fs::File::options().write(true).open(manifest(data));
                file.unwrap().set_len(bytes).unwrap();
            },
            &words,
        );
    }
    for byte in [8, 12, 16, 50] {
        template.refused(
            |data| {
                let mut bytes = fs::read(manifest(data)).unwrap();
                bytes[byte] ^= 1;
                fs::write(manifest(data), bytes).unwrap();
            },
            &words,
        );
    }
    template.refused(
        |data| {
            fs::copy(data.join("wal/shard-000/manifest"), manifest(data)).unwrap();
        },
        &["wal/shard-001/manifest", "WAL 0"],
    );
    template.refused(
        |data| {
            fs::remove_file(manifest(data)).unwrap();
            fs::create_dir(manifest(data)).unwrap();
        },
        &words,
    );
}

fn a_wal_that_is_gone_is_not_begun_anew(setup: Setup) {
    let template = Template::new(setup);
    let wal = |data: &Path| data.join("wal/shard-001");
    let words = ["wal/shard-001", "missing"];
    template.refused(|data| fs::remove_dir_all(wal(data)).unwrap(), &words);
    template.refused(
        |data| {
            fs::remove_dir_all(wal(data)).unwrap();
            fs::create_dir(wal(data)).unwrap();
        },
        &words,
    );
    template.refused(
        |data| fs::remove_dir_all(data.join("wal")).unwrap(),
        &["wal/shard-000"],
    );
    template.refused(
        |data| {
            fs::remove_dir_all(data.join("wal")).unwrap();
            fs::write(data.join("wal"), "in the way").unwrap();
        },
        &["wal"],
    );
}

fn a_damaged_file_of_the_data_directory_is_named(setup: Setup) {
    let template = Template::new(setup);
    let words = ["corelane.toml"];
    for text in ["", " ", "\n\n", "format = 1\n", "\0\0\0\0", "format = "] {
        template.refused(|data| fs::write(meta(data), text).unwrap(), &words);
    }
    template.refused(|data| fs::write(meta(data), [0xff; 512]).unwrap(), &words);
    let table = [
        ("format = 1", "format = 2"),
        ("incarnation = 1", "incarnation = 4294967295"),
        ("incarnation = 1", "incarnation = 0"),
        ("incarnation = 1", "incarnation = 3"),
        ("incarnation = 1", "incarnation = -1"),
        ("wals = 2", "wals = 0"),
        ("wals = 2", "wals = 1"),
        ("wals = 2", "wals = 65535"),
        ("wals = 2", "wals = 2\nowner = 3"),
        ("cluster_id = \"", "cluster_id = \"x"),
    ];
    for (from, to) in table {
        template.refused(|data| edit(&meta(data), from, to), &words);
    }
    for cut in [1, 20, 60, 80] {
        template.refused(
            |data| {
                let file = fs::File::options().write(true).open(meta(data)).unwrap();
                file.set_len(cut).unwrap();
            },
            &words,
        );
    }
    template.refused(
        |data| {
            fs::remove_file(meta(data)).unwrap();
            fs::create_dir(meta(data)).unwrap();
        },
        &words,
    );
    // Without it nothing says how many WALs there were, and which start this is.
    template.refused(|data| fs::remove_file(meta(data)).unwrap(), &words);
}

fn a_wal_that_nobody_counted_is_not_passed_over(setup: Setup) {
    let template = Template::new(setup);
    template.refused(
        |data| copy_all(&data.join("wal/shard-001"), &data.join("wal/shard-007")),
        &["wal/shard-007"],
    );
}

fn foreign_files_do_no_harm(setup: Setup) {
    let template = Template::new(setup);
    let foreign = [
        "README",
        ".snapshot",
        "corelane.tmp",
        "wal/notes",
        "wal/shard-2",
        "wal/shard-000/core",
        "wal/shard-000/manifest.tmp",
        "wal/shard-000/17.wal",
        "wal/shard-001/000001.wal.bak",
    ];
    template.accepted(
        |data| {
            for name in foreign {
                fs::write(data.join(name), "not ours").unwrap();
            }
            for name in ["lost+found", "wal/lost+found", "wal/shard-000/lost+found"] {
                fs::create_dir(data.join(name)).unwrap();
            }
            // Empty, as a start that was killed early leaves it.
            fs::create_dir(data.join("wal/shard-009")).unwrap();
        },
        "",
    );
    // A segment file that no manifest knows, as a crash leaves it, whatever is in it.
    for bytes in [0, 100, 5000, 4 << 20] {
        template.accepted(
            |data| fs::write(data.join("wal/shard-000/000999.wal"), vec![9; bytes]).unwrap(),
            "",
        );
    }
}

fn a_damaged_segment_header_costs_nothing_but_a_warning(setup: Setup) {
    let template = Template::new(setup);
    template.accepted(
        |data| {
            let block = &blocks(data, 0)[0];
            let mut bytes = fs::read(&block.file).unwrap();
            bytes[17] ^= 0x10;
            fs::write(&block.file, bytes).unwrap();
        },
        "header is damaged",
    );
}

fn a_read_only_data_directory_is_refused(setup: Setup) {
    let template = Template::new(setup);
    let Some(file_system) = SmallFileSystem::mount(64) else {
        return;
    };
    copy_all(
        &template.dir.path().join("data"),
        &file_system.path().join("data"),
    );
    let broker = Broker::stopped_in(file_system.path(), small(setup));
    if !file_system.make_read_only() {
        return;
    }
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut copy = Copy { broker, _dir: dir };
    let message = copy.refused();
    assert!(message.contains("cannot be written"), "{message}");
    assert!(message.contains("Read-only file system"), "{message}");
}

/// The last write before a crash may be there in part: nobody was promised it.
fn a_torn_last_block_is_cut_off_quietly(setup: Setup) {
    let options = Options {
        cores: 1,
        ..small(setup)
    };
    let template = Template::with(options, Broker::kill);
    let all = blocks(&template.dir.path().join("data"), 0);
    let (at, last) = all.iter().enumerate().next_back().unwrap();
    assert_eq!(last.header.record_count, 1, "one batch to each block");
    let used = last.header.bytes_used as usize;
    assert!(used > 3000);
    for place in [5, BLOCK_HEADER_BYTES + 1, used / 2, used - 1] {
        let mut copy = template.copy();
        let data = copy.broker.data_dir().to_owned();
        blocks(&data, 0)[at].change(place, |byte| *byte ^= 0xff);
        for _ in 0..2 {
            copy.broker.start_again();
            let mut client = copy.broker.client();
            let counts = [0, 1, 2, 3].map(|p| read_all(&mut client, TOPIC, p, 0).len() as i64);
            assert_eq!(
                counts,
                [BATCHES, BATCHES, BATCHES, BATCHES - 1],
                "at {place}"
            );
            copy.broker.kill();
        }
        assert!(copy.broker.has_logged("they are cut off"));
        copy.broker.start_again();
        // What was cut off can be sent again.
        let batch = batch_at(3, BATCHES - 1);
        assert_eq!(
            must_produce(&mut copy.broker.client(), TOPIC, 3, batch),
            BATCHES - 1
        );
        check_records(&copy.broker, BATCHES);
        copy.broker.stop();
    }
}
