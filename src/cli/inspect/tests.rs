//! Inspections of small WALs, written here byte by byte.

use std::fs;
use std::path::Path;

use super::*;
use crate::base::limits::WAL_ALIGN;
use crate::base::{Lsn, SegmentId, TopicId, TopicPartition, checksum};
use crate::kafka::batch::{BatchHeader, HEADER_BYTES};
use crate::wal::{BLOCK_HEADER_BYTES, BlockHeader, RecordKind};

const INCARNATIONS: [u64; 2] = [0x1111_2222_3333_4444, 0x5555_6666_7777_8888];
const FILE_BYTES: usize = 4 * WAL_ALIGN;

fn topic() -> TopicPartition {
    TopicPartition {
        topic: TopicId([7; 16]),
        partition: 2,
    }
}

/// A batch of one (meaningless) record's bytes.
fn batch_bytes() -> Vec<u8> {
    let body = b"records";
    let mut header = BatchHeader {
        base_offset: 40,
        batch_length: (HEADER_BYTES + body.len() - 12) as i32,
        leader_epoch: 3,
        crc: 0,
        attributes: 0b1100,
        last_offset_delta: 9,
        base_timestamp: 1,
        max_timestamp: 2,
        producer_id: 5,
        producer_epoch: 6,
        base_sequence: 70,
        record_count: 10,
    };
    let unsummed = [&header.encode()[..], body].concat();
    header.crc = checksum::crc32c(&unsummed[21..]);
    [&header.encode()[..], body].concat()
}

/// A record as it is in a block, and how much of it the block's CRC covers.
fn record(kind: RecordKind, payload: &[u8]) -> (Vec<u8>, usize) {
    let mut bytes = vec![kind.code(), 0, 0, 0];
    bytes.extend((payload.len() as u32).to_le_bytes());
    bytes.extend(topic().topic.0);
    bytes.extend(topic().partition.to_le_bytes());
    let covered = if kind == RecordKind::Batch {
        HEADER_BYTES
    } else {
        payload.len()
    };
    let covered = bytes.len() + covered;
    bytes.extend(payload);
    (bytes, covered)
}

/// A block, padded.
fn block(incarnation: u64, lsn: u64, durable: u64, records: &[(Vec<u8>, usize)]) -> Vec<u8> {
    let mut crc = checksum::crc32c(&incarnation.to_le_bytes());
    let mut body = Vec::new();
    for (bytes, covered) in records {
        crc = checksum::crc32c_append(crc, &bytes[..*covered]);
        body.extend_from_slice(bytes);
    }
    let header = BlockHeader {
        bytes_used: (BLOCK_HEADER_BYTES + body.len()) as u32,
        record_count: records.len() as u32,
        lsn: Lsn(lsn),
        durable: Lsn(durable),
        incarnation,
        records_crc: crc,
    };
    let mut block = [&header.encode()[..], &body].concat();
    block.resize(block.len().next_multiple_of(WAL_ALIGN), 0);
    block
}

fn segment_bytes(sequence: u64, blocks: &[Vec<u8>]) -> Vec<u8> {
    let incarnation = INCARNATIONS[sequence as usize - 1];
    let id = SegmentId { wal: 3, sequence };
    let header = SegmentHeader {
        id,
        incarnation,
        file_bytes: FILE_BYTES as u32,
    };
    let mut bytes = header.encode().to_vec();
    bytes.extend(blocks.concat());
    bytes.resize(FILE_BYTES, 0);
    bytes
}

/// WAL 3 in a data directory: blocks 1 and 2 sealed, block 3 open, a free file.
fn write_wal(data_dir: &Path) -> std::path::PathBuf {
    let dir = data_dir.join("wal/shard-003");
    fs::create_dir_all(&dir).unwrap();
    let life = |sequence: u64| Life {
        sequence,
        incarnation: INCARNATIONS[sequence as usize - 1],
    };
    let (first_lsn, end_lsn) = (Lsn(1), Lsn(3));
    let content = [
        EntryContent::Sealed {
            life: life(1),
            first_lsn,
            end_lsn,
        },
        EntryContent::Open(life(2)),
        EntryContent::Free,
    ];
    let entry = |(slot, content)| Entry {
        slot,
        file_bytes: FILE_BYTES as u32,
        content,
    };
    let entries = (0..).zip(content).map(entry).collect();
    let manifest = Manifest {
        wal: 3,
        next_sequence: 3,
        open_lsn: Lsn(3),
        durable: Lsn(2),
        entries,
    };
    fs::write(dir.join("manifest"), manifest.encode()).unwrap();
    let [one, two] = INCARNATIONS;
    let batch = record(RecordKind::Batch, &batch_bytes());
    let start = record(RecordKind::LogStart, &38i64.to_le_bytes());
    let state = record(RecordKind::PartitionState, b"state");
    let sealed = [block(one, 1, 0, &[batch, start]), block(one, 2, 1, &[])];
    fs::write(dir.join("000000.wal"), segment_bytes(1, &sealed)).unwrap();
    let open = [block(two, 3, 2, &[state])];
    fs::write(dir.join("000001.wal"), segment_bytes(2, &open)).unwrap();
    fs::write(dir.join("000002.wal"), vec![0; FILE_BYTES]).unwrap();
    dir
}

fn inspect(path: &Path) -> (String, bool) {
    let mut out = Vec::new();
    let is_sound = wal(path, false, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), is_sound)
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_sound_wal_is_told_in_full() {
    let data = tempfile::tempdir().unwrap();
    let dir = write_wal(data.path());
    let tp = topic();
    let expected = format!(
        "{}: WAL 3, 3 file(s), next sequence 3, open from block 3, durable to block 2
000000.wal: 16384 bytes, sealed, sequence 1, blocks 1 to 2
  at      4096: block 1, 176 bytes, 2 record(s), durable to 0
    at      4168: {tp}, 68 bytes, batch, offsets 40 to 49, 10 record(s), epoch 3, zstd, \
         producer 5 epoch 6 sequence 70, LogAppendTime
    at      4264: {tp}, 8 bytes, log start offset 38
  at      8192: block 2, 44 bytes, 0 record(s), durable to 1
  at     12288: 4096 bytes never written
  2 block(s), 2 record(s), block 1 to 2
000001.wal: 16384 bytes, open, sequence 2
  at      4096: block 3, 77 bytes, 1 record(s), durable to 2
    at      4168: {tp}, 5 bytes, partition state
  at      8192: 8192 bytes never written
  1 block(s), 1 record(s), block 3 to 3
000002.wal: 16384 bytes, free
sound: 3 record(s) in 2 segment(s), the next block is 4

",
        dir.display()
    );
    // By the WAL's own directory, by the one of all WALs, and by the data directory.
    for path in [&dir, &data.path().join("wal"), data.path()] as [&Path; 3] {
        assert_eq!(
            inspect(path),
            (expected.clone(), true),
            "{}",
            path.display()
        );
    }
    let mut out = Vec::new();
    assert!(wal(&dir, true, &mut out).unwrap());
    let summary = String::from_utf8(out).unwrap();
    let is_detail = |line: &&str| !line.contains(" at ");
    let shortened: Vec<_> = expected.lines().filter(is_detail).collect();
    assert_eq!(summary.lines().collect::<Vec<_>>(), shortened);
}

#[test]
fn damage_to_durable_blocks_is_found_and_placed() {
    let table = [
        (
            4096 + 20,
            "  at      4096: DAMAGED: the block header is damaged",
            "at byte 4096",
        ),
        (
            4096 + 50,
            "  at      4096: DAMAGED, block 1: ",
            "at byte 4096",
        ),
        (
            4096 + 72 + 65,
            "  at      4096: DAMAGED, block 1: a record batch",
            "at byte 4096",
        ),
        (
            8192 + 8,
            "  at      8192: DAMAGED: the block header is damaged",
            "at byte 8192",
        ),
    ];
    for (at, line, verdict) in table {
        let data = tempfile::tempdir().unwrap();
        let dir = write_wal(data.path());
        flip(&dir.join("000000.wal"), at);
        let (text, is_sound) = inspect(&dir);
        assert!(!is_sound && text.contains(line), "{at}: {text}");
        let judged = text
            .lines()
            .find(|line| line.starts_with("DAMAGED: "))
            .unwrap();
        assert!(
            judged.contains(verdict) && judged.contains("acknowledged"),
            "{judged}"
        );
        let (text, is_sound) = inspect(&dir.join("000000.wal"));
        assert!(!is_sound && text.contains("DAMAGED"), "{text}");
    }
}

#[test]
fn the_torn_tail_of_a_crash_is_no_damage() {
    let data = tempfile::tempdir().unwrap();
    let dir = write_wal(data.path());
    flip(&dir.join("000001.wal"), 4096 + 60);
    let (text, is_sound) = inspect(&dir);
    assert!(is_sound, "{text}");
    assert!(
        text.contains("a crash ended the log before block 3, 000001.wal at byte 4096"),
        "{text}"
    );
    assert!(
        text.ends_with("sound: 2 record(s) in 1 segment(s), the next block is 3\n\n"),
        "{text}"
    );
}

#[test]
fn a_segment_is_told_by_itself() {
    let data = tempfile::tempdir().unwrap();
    let dir = write_wal(data.path());
    let path = dir.join("000001.wal");
    let (text, is_sound) = inspect(&path);
    let head = format!("{}: 16384 bytes, WAL 3, sequence 2\n", path.display());
    assert!(is_sound && text.starts_with(&head), "{text}");
    // Without its header, as the manifest beside it says.
    flip(&path, 30);
    let (text, is_sound) = inspect(&path);
    assert!(
        !is_sound && text.contains("DAMAGED: the segment header"),
        "{text}"
    );
    assert!(text.contains("block 3, 77 bytes"), "{text}");
    // Elsewhere, under any name, by its header.
    let elsewhere = data.path().join("found");
    fs::copy(dir.join("000000.wal"), &elsewhere).unwrap();
    assert!(inspect(&elsewhere).1);
}

#[test]
fn what_the_manifest_cannot_tell_the_files_do() {
    let data = tempfile::tempdir().unwrap();
    let dir = write_wal(data.path());
    flip(&dir.join("manifest"), 20);
    let (text, is_sound) = inspect(&dir);
    assert!(!is_sound, "{text}");
    for line in [
        "does not match its CRC; its files by themselves",
        "block 1, 176",
        "block 3, 77",
    ] {
        assert!(text.contains(line), "{line} is missing in {text}");
    }
    fs::remove_file(dir.join("manifest")).unwrap();
    let (text, is_sound) = inspect(&dir);
    assert!(!is_sound && text.contains("manifest is missing"), "{text}");
}

#[test]
fn a_segment_that_was_shortened_is_sound() {
    let data = tempfile::tempdir().unwrap();
    let dir = write_wal(data.path());
    let manifest_path = dir.join("manifest");
    let mut manifest = Manifest::decode(&fs::read(&manifest_path).unwrap()).unwrap();
    let kept = FILE_BYTES as u32 - WAL_ALIGN as u32;
    manifest.entries[0].file_bytes = kept;
    fs::write(&manifest_path, manifest.encode()).unwrap();
    // Not yet.
    let (text, is_sound) = inspect(&dir);
    assert!(is_sound, "{text}");
    let line = "12288 bytes, sealed, sequence 1, blocks 1 to 2\n  4096 bytes more, which the next start cuts off\n";
    assert!(text.contains(line), "{text}");
    // Done.
    let path = dir.join("000000.wal");
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len(u64::from(kept)).unwrap();
    let (text, is_sound) = inspect(&dir);
    assert!(is_sound && !text.contains("more, which"), "{text}");
    let (text, is_sound) = inspect(&path);
    let head = format!(
        "{}: 12288 bytes, 16384 when it was begun, WAL 3, sequence 1\n",
        path.display()
    );
    assert!(is_sound && text.starts_with(&head), "{text}");
    // Too much.
    file.set_len(u64::from(kept) - 1).unwrap();
    let (text, is_sound) = inspect(&dir);
    assert!(
        !is_sound && text.contains("DAMAGED: the file has 12287 bytes"),
        "{text}"
    );
    assert!(text.contains("is 12287 bytes long, not 12288"), "{text}");
}

#[test]
fn missing_and_unlisted_files_are_named() {
    let data = tempfile::tempdir().unwrap();
    let dir = write_wal(data.path());
    fs::rename(dir.join("000000.wal"), dir.join("000009.wal")).unwrap();
    let (text, is_sound) = inspect(&dir);
    assert!(
        !is_sound && text.contains("DAMAGED: 000000.wal is missing"),
        "{text}"
    );
    assert!(text.contains("000009.wal: not in the manifest"), "{text}");
}

#[test]
fn where_there_is_no_wal_it_says_so() {
    let data = tempfile::tempdir().unwrap();
    let error = wal(data.path(), false, &mut Vec::new()).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("there is no write-ahead log here"),
        "{error}"
    );
    assert!(wal(&data.path().join("absent"), false, &mut Vec::new()).is_err());
    let file = data.path().join("000000.wal");
    fs::write(&file, "short").unwrap();
    assert!(wal(&file, false, &mut Vec::new()).is_err());
}
