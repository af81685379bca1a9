//! A manifest as bytes for the store; `../FORMAT.md` has the diagram.

use bytes::{Buf, BufMut, TryGetError};
use thiserror::Error;

use super::record::{DecodeError, ManifestRecord};
use super::state::{Contradiction, Manifest};
use crate::base::{ShardId, checksum};
use crate::object::format::FORMAT_VERSION;
use crate::object::key::{ClusterId, SnapshotId};

const MAGIC: [u8; 8] = *b"CLOBJMAN";
const COUNT_AT: usize = 44;
const CRC_BYTES: usize = 4;

/// What a snapshot holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// Its name.
    pub id: SnapshotId,
    /// The cluster whose it is.
    pub cluster: ClusterId,
    /// The last start that began from the store alone, 0 for none; see [`Rebuild`](super::Rebuild).
    pub floor: u32,
    /// What makes the manifest.
    pub records: Vec<ManifestRecord>,
}

/// Why bytes are not a snapshot.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum SnapshotError {
    /// No magic, or cut short.
    #[error("not a snapshot of a manifest, or cut short")]
    Shape,
    /// The CRC is wrong.
    #[error("the snapshot does not match its CRC")]
    Crc,
    /// Written by another version of the program.
    #[error("snapshot format version {0}, this program reads {FORMAT_VERSION}")]
    Version(u32),
    /// A record that is none.
    #[error("record {0}: {1}")]
    Record(usize, DecodeError),
}

impl From<TryGetError> for SnapshotError {
    fn from(_: TryGetError) -> Self {
        SnapshotError::Shape
    }
}

impl Snapshot {
    /// The bytes of a snapshot of `manifest`, as it is now.
    pub fn encode(id: SnapshotId, cluster: ClusterId, floor: u32, manifest: &Manifest) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_slice(&MAGIC);
        out.put_u32_le(FORMAT_VERSION);
        out.put_u16_le(id.shard.0);
        out.put_u16_le(0);
        out.put_u32_le(id.start);
        out.put_u32_le(id.count);
        out.put_slice(&cluster.0);
        out.put_u32_le(floor);
        out.put_u32_le(0);
        let mut count = 0;
        for record in manifest.snapshot() {
            let record = record.encode();
            out.put_u32_le(record.len() as u32);
            out.put_slice(&record);
            count += 1;
        }
        if let Some(mut place) = out.get_mut(COUNT_AT..COUNT_AT + 4) {
            place.put_u32_le(count);
        }
        out.put_u32_le(checksum::crc32c(&out));
        out
    }

    /// Decodes a whole snapshot.
    ///
    /// # Errors
    /// See [`SnapshotError`].
    pub fn decode(bytes: &[u8]) -> Result<Snapshot, SnapshotError> {
        let split = bytes.len().checked_sub(CRC_BYTES);
        let (body, mut sum) = split
            .and_then(|at| bytes.split_at_checked(at))
            .ok_or(SnapshotError::Shape)?;
        let mut input = body.strip_prefix(&MAGIC).ok_or(SnapshotError::Shape)?;
        if sum.try_get_u32_le()? != checksum::crc32c(body) {
            return Err(SnapshotError::Crc);
        }
        let version = input.try_get_u32_le()?;
        if version != FORMAT_VERSION {
            return Err(SnapshotError::Version(version));
        }
        let shard = ShardId(input.try_get_u16_le()?);
        let zero = input.try_get_u16_le()?;
        let id = SnapshotId {
            shard,
            start: input.try_get_u32_le()?,
            count: input.try_get_u32_le()?,
        };
        let mut cluster = ClusterId([0; 16]);
        input.try_copy_to_slice(&mut cluster.0)?;
        let floor = input.try_get_u32_le()?;
        let count = input.try_get_u32_le()?;
        let mut records = Vec::new();
        while !input.is_empty() {
            let bytes = input.try_get_u32_le()? as usize;
            let record = input.split_off(..bytes).ok_or(SnapshotError::Shape)?;
            let record = ManifestRecord::decode(record);
            records.push(record.map_err(|error| SnapshotError::Record(records.len(), error))?);
        }
        if records.len() != count as usize || zero != 0 {
            return Err(SnapshotError::Shape);
        }
        Ok(Snapshot {
            id,
            cluster,
            floor,
            records,
        })
    }

    /// The manifest.
    ///
    /// # Errors
    /// That the records make none, whoever wrote them.
    pub fn manifest(&self) -> Result<Manifest, Contradiction> {
        let mut manifest = Manifest::default();
        self.records
            .iter()
            .try_for_each(|record| manifest.replay(record))?;
        Ok(manifest)
    }
}
