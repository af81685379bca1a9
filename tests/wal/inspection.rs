//! What an inspection tells of a file made by hand, page by page.

use corelane::base::limits::WAL_READ_BYTES;
use corelane::base::{Lsn, checksum};
use corelane::wal::inspect::{EmptyContent, Finding, InspectStep, Inspection};
use corelane::wal::{BlockError, BlockHeader, RECORD_HEADER_BYTES, RecordKind};

use crate::images::PAGE;

const LIFE: u64 = 0x11fe;

/// What lies in the file behind its header.
#[derive(Clone, Copy)]
enum Part {
    Zeroes,
    Garbage,
    /// A block of this life that claims these bytes; a body of as many is not written.
    Header(usize),
    /// A block of this life with one record, a checkpoint of so many bytes.
    Block(usize),
    /// The same with a byte of the record changed.
    Broken(usize),
    /// An empty block of another life.
    Stale,
    /// An empty block with a wrong header CRC.
    Damaged,
}

fn header(used: usize, records: &[u8], incarnation: u64) -> BlockHeader {
    let crc = checksum::crc32c(&incarnation.to_le_bytes());
    BlockHeader {
        bytes_used: used as u32,
        record_count: u32::from(!records.is_empty()),
        lsn: Lsn(9),
        durable: Lsn(8),
        incarnation,
        records_crc: checksum::crc32c_append(crc, records),
    }
}

/// A checkpoint as a record, all of it under the CRC: kind, padding, length, topic, partition.
fn record(bytes: usize) -> Vec<u8> {
    let mut record = vec![0; RECORD_HEADER_BYTES + bytes];
    record[0] = RecordKind::PartitionState.code();
    record[4..8].copy_from_slice(&(bytes as u32).to_le_bytes());
    record
}

fn pages(part: Part) -> Vec<u8> {
    let mut bytes = match part {
        Part::Zeroes => vec![0; PAGE],
        Part::Garbage => vec![7; PAGE],
        Part::Header(used) => header(used, &[], LIFE).encode().to_vec(),
        Part::Stale => header(44, &[], LIFE + 1).encode().to_vec(),
        Part::Damaged => {
            let mut bytes = header(44, &[], LIFE).encode().to_vec();
            bytes[20] ^= 1;
            bytes
        }
        Part::Block(bytes) | Part::Broken(bytes) => {
            let record = record(bytes);
            let header = header(44 + record.len(), &record, LIFE);
            [&header.encode()[..], &record].concat()
        }
    };
    if matches!(part, Part::Broken(_)) {
        bytes[100] ^= 1;
    }
    bytes.resize(bytes.len().next_multiple_of(PAGE), 0);
    bytes
}

/// The findings in a file, each as it is told: where, and what.
fn inspect(parts: &[Part]) -> Vec<(usize, String)> {
    let mut file = vec![0; PAGE];
    for &part in parts {
        file.extend(pages(part));
    }
    // What does not fill a page is left out.
    let mut inspection = Inspection::new(3, file.len() as u32 + 100, LIFE);
    let mut told = Vec::new();
    loop {
        match inspection.poll() {
            InspectStep::Done => return told,
            InspectStep::Read(plan) => {
                assert_eq!(inspection.poll(), InspectStep::Read(plan), "while it waits");
                let start = plan.offset as usize;
                assert_eq!(plan.slot, 3);
                inspection.on_read(&file[start..start + plan.bytes]);
            }
            InspectStep::Found(Finding::Empty {
                offset,
                bytes,
                content,
            }) => {
                let what = match content {
                    EmptyContent::Zeroes => "zeroes",
                    EmptyContent::Leftovers => "leftovers",
                };
                told.push((
                    offset as usize / PAGE,
                    format!("{what} {}", bytes as usize / PAGE),
                ));
            }
            InspectStep::Found(Finding::Damaged {
                offset,
                header,
                error,
            }) => {
                let intact = header.map_or("no header", |_| "header");
                told.push((offset as usize / PAGE, format!("{error:?}, {intact}")));
            }
            InspectStep::Found(Finding::Block {
                offset, records, ..
            }) => {
                let bytes: Vec<u32> = records.iter().map(|record| record.bytes).collect();
                told.push((offset as usize / PAGE, format!("block {bytes:?}")));
            }
        }
    }
}

#[test]
fn every_stretch_of_a_file_is_told_once_and_in_order() {
    type Case<'a> = (&'a [Part], Vec<(usize, String)>);
    use Part::{Block, Broken, Damaged, Garbage, Header, Stale, Zeroes};
    let no_crc = BlockError::Records;
    let table: [Case<'_>; 9] = [
        (&[], vec![]),
        (
            &[Zeroes, Zeroes, Garbage, Stale, Zeroes],
            vec![
                (1, "zeroes 2".into()),
                (3, "leftovers 2".into()),
                (5, "zeroes 1".into()),
            ],
        ),
        (
            &[Zeroes, Header(44), Garbage],
            vec![
                (1, "zeroes 1".into()),
                (2, "block []".into()),
                (3, "leftovers 1".into()),
            ],
        ),
        (
            &[Zeroes, Damaged, Header(44)],
            vec![
                (1, "zeroes 1".into()),
                (2, "Header, no header".into()),
                (3, "block []".into()),
            ],
        ),
        (&[Damaged], vec![(1, "Header, no header".into())]),
        // One that claims more than the file has.
        (&[Header(PAGE + 1)], vec![(1, "Impossible, header".into())]),
        (
            &[Garbage, Header(PAGE + 1)],
            vec![(1, "leftovers 1".into()), (2, "Impossible, header".into())],
        ),
        // Larger than one read.
        (
            &[Zeroes, Block(2 * WAL_READ_BYTES), Header(44)],
            vec![
                (1, "zeroes 1".into()),
                (2, format!("block [{}]", 2 * WAL_READ_BYTES)),
                (2 + 513, "block []".into()),
            ],
        ),
        (
            &[Broken(5000), Header(44)],
            vec![(1, format!("{no_crc:?}, header")), (3, "block []".into())],
        ),
    ];
    for (i, (parts, expected)) in table.into_iter().enumerate() {
        assert_eq!(inspect(parts), expected, "case {i}");
    }
}
