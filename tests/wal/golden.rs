//! The format, version 1, byte for byte. When one of these fails, what is on
//! people's disks can no longer be read: a new format version is needed, and
//! this one stays readable.

use bytes::Bytes;
use corelane::base::{LogPosition, Lsn, SegmentId};
use corelane::wal::{Entry, EntryContent, Life, Manifest, Priority, Record, RecordKind};

use crate::disk::Disk;
use crate::records::{batch, tp};
use crate::rig::{Rig, WAL, config, recover};

const SEGMENT_BYTES: u32 = 16 * 1024;

fn hex(bytes: &[u8]) -> String {
    bytes
        .chunks(32)
        .map(|line| {
            line.iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
                + "\n"
        })
        .collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// One block with a record of each kind, and an empty one.
fn written() -> Disk {
    let mut rig = Rig::ready(config(SEGMENT_BYTES, 4));
    let state = Bytes::from_static(b"opaque state");
    let offset = Bytes::copy_from_slice(&0x0102_0304i64.to_le_bytes());
    let records = [
        batch(tp(1), 41, b"not really records".to_vec()),
        (Record::log_start(tp(2), 0x0102_0304), offset),
        (Record::partition_state(tp(3), state.clone()), state),
    ];
    for record in records {
        rig.append(record, Priority::Data).unwrap();
    }
    rig.drain();
    assert!(rig.wal.attest_durable());
    rig.drain();
    rig.wal.close();
    rig.drain();
    rig.disk
}

fn used(page: &[u8]) -> &[u8] {
    let end = page
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |i| i + 1);
    &page[..end]
}

#[test]
fn version_1_is_written_as_ever() {
    let disk = written();
    let page = |i: usize| hex(used(&disk.files[&0][i * 4096..(i + 1) * 4096]));
    assert_eq!(page(0), HEADER, "segment header");
    assert_eq!(page(1), BLOCK, "block");
    assert_eq!(page(2), EMPTY_BLOCK, "empty block");
    assert_eq!(page(3), "");
    assert_eq!(hex(disk.manifest.as_ref().unwrap()), MANIFEST, "manifest");
}

#[test]
fn version_1_is_read_as_ever() {
    let mut file = vec![0; SEGMENT_BYTES as usize];
    for (at, text) in [(0, HEADER), (4096, BLOCK), (8192, EMPTY_BLOCK)] {
        let bytes = unhex(text);
        file[at..at + bytes.len()].copy_from_slice(&bytes);
    }
    let spare = vec![0; SEGMENT_BYTES as usize];
    let files = [(0, file), (1, spare.clone()), (2, spare)].into();
    let disk = Disk::holding(files, unhex(MANIFEST));
    let (records, recovered) = recover(&disk).unwrap();
    let segment = SegmentId {
        wal: WAL,
        sequence: 1,
    };
    let at = |offset| LogPosition { segment, offset };
    let found: Vec<_> = records
        .iter()
        .map(|r| (r.lsn, r.kind, r.tp, r.position, r.payload.len()))
        .collect();
    let expected = [
        (
            Lsn(1),
            RecordKind::Batch,
            tp(1),
            at(4096 + 44 + 28),
            61 + 18,
        ),
        (
            Lsn(1),
            RecordKind::LogStart,
            tp(2),
            at(4096 + 44 + 28 + 79 + 28),
            8,
        ),
        (
            Lsn(1),
            RecordKind::PartitionState,
            tp(3),
            at(4096 + 44 + 28 + 79 + 28 + 8 + 28),
            12,
        ),
    ];
    assert_eq!(found, expected);
    assert_eq!(
        records[0].payload,
        batch(tp(1), 41, b"not really records".to_vec()).1
    );
    assert_eq!(records[2].payload, &b"opaque state"[..]);
    assert_eq!((recovered.next_lsn, recovered.next_sequence), (Lsn(3), 4));
    assert!(recovered.cut.is_none() && recovered.damaged_headers.is_empty());
}

#[test]
fn a_manifest_is_read_back_as_it_was_written() {
    let life = |sequence| Life {
        sequence,
        incarnation: sequence * 1000,
    };
    let entry = |slot, content| Entry {
        slot,
        file_bytes: 8192 << slot,
        content,
    };
    let sealed = |sequence, first, end| EntryContent::Sealed {
        life: life(sequence),
        first_lsn: Lsn(first),
        end_lsn: Lsn(end),
    };
    let manifest = Manifest {
        wal: 1023,
        next_sequence: 10,
        open_lsn: Lsn(50),
        durable: Lsn(60),
        entries: vec![
            entry(0, EntryContent::Free),
            entry(2, sealed(5, 20, 50)),
            entry(3, EntryContent::Open(life(9))),
            entry(7, sealed(2, 3, 4)),
        ],
    };
    assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest));
}

const HEADER: &str = "\
434c57414c53454701000000030000000100000000000000c7e941bf9d61894e
00400000aa90acf5
";
const BLOCK: &str = "\
434c5742e3000000030000003faa4a9801000000000000000000000000000000
c7e941bf9d61894e58d155b8010000004f000000010101010101010101010101
01010101070000000000000000000029000000430000000302cfe73fbc000000
0000040000018bcfe568000000018bcfe56804ffffffffffffffffffffffffff
ff000000056e6f74207265616c6c79207265636f726473020000000800000002
0202020202020202020202020202020e0000000403020100000000030000000c
00000003030303030303030303030303030303150000006f7061717565207374
617465
";
const EMPTY_BLOCK: &str = "\
434c57422c000000000000003eef204a02000000000000000100000000000000
c7e941bf9d61894e37f0534c
";
const MANIFEST: &str = "\
434c57414c4d414e010000000300000004000000000000000100000000000000
0200000000000000030000000000000000400000010000000100000000000000
c7e941bf9d61894e000000000000000000000000000000000100000000400000
0100000002000000000000005b5596bc7b70e3c0000000000000000000000000
00000000020000000040000001000000030000000000000066eb8f95fcdcf1ac
000000000000000000000000000000007c0c5ef7
";
