//! The manifest: which segment files a WAL consists of, and as which life of
//! each. It is the truth that recovery starts from: a file is read as the life
//! that the manifest names and as no other.
//!
//! A life is in a durable manifest before its first block is handed out, and
//! out of it before its file gets another life. What is sealed is whole and
//! durable, from its first LSN to its end; the first start after a crash seals
//! what it recovered, which voids everything beyond the cut for good.

use std::collections::BTreeSet;

use bytes::{Buf, BufMut};
use thiserror::Error;

use super::segment::{self, FORMAT_VERSION};
use crate::base::{Lsn, checksum, limits};

/// First eight bytes of a manifest.
pub const MANIFEST_MAGIC: [u8; 8] = *b"CLWALMAN";

const HEADER_BYTES: usize = 44;
const ENTRY_BYTES: usize = 44;
const CRC_BYTES: usize = 4;

/// Largest manifest in bytes: read no more of a file than this and one byte.
pub const MANIFEST_BYTES_MAX: usize =
    HEADER_BYTES + ENTRY_BYTES * limits::WAL_SEGMENTS_MAX + CRC_BYTES;

/// What a manifest says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manifest {
    /// The WAL's number.
    pub wal: u16,
    /// Above every sequence ever given out.
    pub next_sequence: u64,
    /// LSN of the first block that is, or will be, in the open segment of the lowest sequence.
    pub open_lsn: Lsn,
    /// Everything up to this LSN was durable when the manifest was written.
    pub durable: Lsn,
    /// The files, in the order of their slots.
    pub entries: Vec<Entry>,
}

/// One segment file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its slot, which gives its name.
    pub slot: u32,
    /// Its size.
    pub file_bytes: u32,
    /// What is in it.
    pub content: EntryContent,
}

/// What is in a segment file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryContent {
    /// Nothing: zero-filled, or left over from lives that have ended.
    Free,
    /// Perhaps blocks, perhaps none yet, perhaps blocks that never became durable.
    Open(Life),
    /// The blocks of all these LSNs, each of them durable.
    Sealed {
        /// The life that holds them.
        life: Life,
        /// The first of them.
        first_lsn: Lsn,
        /// One past the last.
        end_lsn: Lsn,
    },
}

/// One life of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Life {
    /// Order of creation in the WAL, from 1, never reused.
    pub sequence: u64,
    /// Seeds every CRC of this life.
    pub incarnation: u64,
}

/// Why bytes are not a manifest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ManifestError {
    /// No magic, cut short, or too long.
    #[error("not a manifest, or cut short")]
    Shape,
    /// The CRC is wrong.
    #[error("the manifest does not match its CRC")]
    Crc,
    /// Written by another version of the program.
    #[error("manifest format version {0}, this program reads {FORMAT_VERSION}")]
    Version(u32),
    /// Intact, but its entries contradict each other.
    #[error("the manifest contradicts itself at entry {0}")]
    Contradiction(usize),
}

impl Manifest {
    /// What a WAL begins with.
    pub fn empty(wal: u16) -> Manifest {
        Manifest {
            wal,
            next_sequence: 1,
            open_lsn: Lsn(1),
            durable: Lsn(0),
            entries: Vec::new(),
        }
    }

    /// The manifest's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES + ENTRY_BYTES * self.entries.len() + 4);
        out.put_slice(&MANIFEST_MAGIC);
        out.put_u32_le(FORMAT_VERSION);
        out.put_u32_le(u32::from(self.wal));
        out.put_u64_le(self.next_sequence);
        out.put_u64_le(self.open_lsn.0);
        out.put_u64_le(self.durable.0);
        out.put_u32_le(self.entries.len() as u32);
        for entry in &self.entries {
            let (code, life, first, end) = match entry.content {
                EntryContent::Free => (
                    0,
                    Life {
                        sequence: 0,
                        incarnation: 0,
                    },
                    0,
                    0,
                ),
                EntryContent::Open(life) => (1, life, 0, 0),
                EntryContent::Sealed {
                    life,
                    first_lsn,
                    end_lsn,
                } => (2, life, first_lsn.0, end_lsn.0),
            };
            out.put_u32_le(entry.slot);
            out.put_u32_le(entry.file_bytes);
            out.put_u32_le(code);
            out.put_u64_le(life.sequence);
            out.put_u64_le(life.incarnation);
            out.put_u64_le(first);
            out.put_u64_le(end);
        }
        out.put_u32_le(checksum::crc32c(&out));
        out
    }

    /// Decodes a whole manifest file and checks that it does not contradict itself.
    ///
    /// # Errors
    /// See [`ManifestError`].
    pub fn decode(bytes: &[u8]) -> Result<Manifest, ManifestError> {
        let body = bytes
            .len()
            .checked_sub(CRC_BYTES)
            .and_then(|end| bytes.split_at_checked(end));
        let (body, mut crc) = body.ok_or(ManifestError::Shape)?;
        let mut input = body;
        if input.split_off(..8) != Some(&MANIFEST_MAGIC) || input.len() < HEADER_BYTES - 8 {
            return Err(ManifestError::Shape);
        }
        if crc.get_u32_le() != checksum::crc32c(body) {
            return Err(ManifestError::Crc);
        }
        let version = input.get_u32_le();
        if version != FORMAT_VERSION {
            return Err(ManifestError::Version(version));
        }
        let wal = u16::try_from(input.get_u32_le()).map_err(|_| ManifestError::Shape)?;
        let next_sequence = input.get_u64_le();
        let open_lsn = Lsn(input.get_u64_le());
        let durable = Lsn(input.get_u64_le());
        let count = input.get_u32_le() as usize;
        if count > limits::WAL_SEGMENTS_MAX || input.len() != count * ENTRY_BYTES {
            return Err(ManifestError::Shape);
        }
        let entries = input.chunks_exact(ENTRY_BYTES).enumerate();
        let entries = entries
            .map(|(i, entry)| decode_entry(entry).ok_or(ManifestError::Contradiction(i)))
            .collect::<Result<_, _>>()?;
        let manifest = Manifest {
            wal,
            next_sequence,
            open_lsn,
            durable,
            entries,
        };
        manifest.check()?;
        Ok(manifest)
    }

    /// Slots rise; sequences are given out and differ; sealed ranges lie before everything open,
    /// and follow each other as their sequences do.
    fn check(&self) -> Result<(), ManifestError> {
        let mut sealed = Vec::new();
        let mut sequences = BTreeSet::new();
        let mut first_open = u64::MAX;
        let mut slot_min = Some(0);
        for (i, entry) in self.entries.iter().enumerate() {
            let life = match entry.content {
                EntryContent::Free => None,
                EntryContent::Open(life) => {
                    first_open = first_open.min(life.sequence);
                    Some(life)
                }
                EntryContent::Sealed {
                    life,
                    first_lsn,
                    end_lsn,
                } => {
                    sealed.push((life.sequence, first_lsn, end_lsn, i));
                    Some(life)
                }
            };
            let sequence_is_good = life.is_none_or(|life| {
                (1..self.next_sequence).contains(&life.sequence) && sequences.insert(life.sequence)
            });
            if !sequence_is_good || slot_min.is_none_or(|min| entry.slot < min) {
                return Err(ManifestError::Contradiction(i));
            }
            slot_min = entry.slot.checked_add(1);
        }
        sealed.sort_unstable();
        let mut end = Lsn(1);
        for (sequence, first_lsn, end_lsn, i) in sealed {
            if first_lsn < end || end_lsn <= first_lsn || sequence > first_open {
                return Err(ManifestError::Contradiction(i));
            }
            end = end_lsn;
        }
        // Far below the end of u64, so that no sum of ours can overflow.
        let possible = self.open_lsn >= end
            && self.open_lsn.0.max(self.next_sequence) < u64::MAX / 2
            && self.next_sequence > 0;
        if possible {
            Ok(())
        } else {
            Err(ManifestError::Contradiction(self.entries.len()))
        }
    }
}

fn decode_entry(mut input: &[u8]) -> Option<Entry> {
    let slot = input.try_get_u32_le().ok()?;
    let file_bytes = input.try_get_u32_le().ok()?;
    let code = input.try_get_u32_le().ok()?;
    let sequence = input.try_get_u64_le().ok()?;
    let incarnation = input.try_get_u64_le().ok()?;
    let first_lsn = Lsn(input.try_get_u64_le().ok()?);
    let end_lsn = Lsn(input.try_get_u64_le().ok()?);
    let life = Life {
        sequence,
        incarnation,
    };
    let content = match code {
        0 => EntryContent::Free,
        1 => EntryContent::Open(life),
        2 => EntryContent::Sealed {
            life,
            first_lsn,
            end_lsn,
        },
        _ => return None,
    };
    segment::is_segment_size(u64::from(file_bytes)).then_some(Entry {
        slot,
        file_bytes,
        content,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(slot: u32, content: EntryContent) -> Entry {
        Entry {
            slot,
            file_bytes: 8192,
            content,
        }
    }

    fn open(sequence: u64) -> EntryContent {
        EntryContent::Open(Life {
            sequence,
            incarnation: 1,
        })
    }

    fn sealed(sequence: u64, first: u64, end: u64) -> EntryContent {
        let life = Life {
            sequence,
            incarnation: 1,
        };
        EntryContent::Sealed {
            life,
            first_lsn: Lsn(first),
            end_lsn: Lsn(end),
        }
    }

    fn manifest(contents: &[EntryContent]) -> Manifest {
        let entries = contents
            .iter()
            .zip(0..)
            .map(|(&content, slot)| entry(slot, content));
        let entries = entries.collect();
        Manifest {
            wal: 1,
            next_sequence: 10,
            open_lsn: Lsn(100),
            durable: Lsn(0),
            entries,
        }
    }

    #[test]
    fn contradictions_are_named() {
        use EntryContent::Free;
        let cases = [
            (vec![], None),
            (
                vec![
                    Free,
                    open(9),
                    sealed(1, 1, 100),
                    open(8),
                    sealed(7, 100, 100 - 1),
                ],
                Some(4),
            ),
            (
                vec![Free, open(9), sealed(1, 1, 50), open(8), sealed(7, 50, 100)],
                None,
            ),
            (vec![sealed(1, 1, 50), sealed(2, 60, 100)], None),
            (vec![sealed(1, 1, 51), sealed(2, 50, 100)], Some(1)),
            (vec![sealed(2, 1, 50), sealed(1, 50, 100)], Some(0)),
            (vec![sealed(1, 0, 50)], Some(0)),
            (vec![sealed(1, 5, 5)], Some(0)),
            (vec![sealed(1, 5, 101)], Some(1)),
            (vec![open(1), sealed(2, 1, 5)], Some(1)),
            (vec![open(3), open(3)], Some(1)),
            (vec![open(0)], Some(0)),
            (vec![open(10)], Some(0)),
        ];
        for (contents, expected) in cases {
            let decoded = Manifest::decode(&manifest(&contents).encode());
            let error = expected.map(ManifestError::Contradiction);
            assert_eq!(decoded.err(), error, "{contents:?}");
        }
        let mut same_slot = manifest(&[Free, Free]);
        same_slot.entries[1].slot = 0;
        let mut odd_size = manifest(&[Free]);
        odd_size.entries[0].file_bytes = 4097;
        let far = Manifest {
            open_lsn: Lsn(u64::MAX - 1),
            ..manifest(&[])
        };
        for (manifest, at) in [(same_slot, 1), (odd_size, 0), (far, 0)] {
            let error = Err(ManifestError::Contradiction(at));
            assert_eq!(Manifest::decode(&manifest.encode()), error, "{manifest:?}");
        }
    }

    #[test]
    fn damage_is_named() {
        let bytes = manifest(&[open(1), EntryContent::Free]).encode();
        for len in 0..bytes.len() {
            assert!(Manifest::decode(&bytes[..len]).is_err(), "{len} bytes");
        }
        let resummed = |change: fn(&mut Vec<u8>)| {
            let mut body = bytes[..bytes.len() - 4].to_vec();
            change(&mut body);
            let crc = checksum::crc32c(&body);
            body.extend_from_slice(&crc.to_le_bytes());
            Manifest::decode(&body).unwrap_err()
        };
        assert_eq!(resummed(|body| body[8] = 9), ManifestError::Version(9));
        assert_eq!(
            resummed(|body| body[14] = 1),
            ManifestError::Shape,
            "a WAL above u16"
        );
        assert_eq!(
            resummed(|body| body[40] = 3),
            ManifestError::Shape,
            "a count too high"
        );
        assert_eq!(
            resummed(|body| body[43] = 0xff),
            ManifestError::Shape,
            "far too high"
        );
        assert_eq!(
            resummed(|body| body.push(0)),
            ManifestError::Shape,
            "a byte too many"
        );
        assert_eq!(resummed(|body| body[0] = 0), ManifestError::Shape);
        assert_eq!(
            resummed(|body| body[52] = 3),
            ManifestError::Contradiction(0),
            "content 3"
        );
        assert_eq!(Manifest::decode(&[0; 48]), Err(ManifestError::Shape));
    }
}
