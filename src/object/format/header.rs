//! The first 64 bytes of an object: which one it is. The footer has them again,
//! so that one read from the end tells everything.

use bytes::{Buf, BufMut};

use super::{FORMAT_VERSION, OBJECT_HEADER_BYTES, OBJECT_MAGIC, ObjectError};
use crate::base::{ShardId, checksum};
use crate::object::key::{ClusterId, ObjectId};

const FIELDS_BYTES: usize = OBJECT_HEADER_BYTES - 4;

/// What an object says about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ObjectHeader {
    /// Its name.
    pub id: ObjectId,
    /// The cluster whose it is.
    pub cluster: ClusterId,
    /// 0 as uploaded, one more with each merge.
    pub level: u8,
    /// When it was begun, wall clock, milliseconds.
    pub created_ms: i64,
}

impl ObjectHeader {
    /// Its 64 bytes.
    pub fn encode(&self) -> [u8; OBJECT_HEADER_BYTES] {
        let mut bytes = [0; OBJECT_HEADER_BYTES];
        let (mut fields, mut sum) = bytes.split_at_mut(FIELDS_BYTES);
        let mut out = &mut *fields;
        out.put_slice(&OBJECT_MAGIC);
        out.put_u32_le(FORMAT_VERSION);
        out.put_u16_le(self.id.shard.0);
        out.put_u8(self.level);
        out.put_u8(0);
        out.put_u32_le(self.id.start);
        out.put_u32_le(self.id.number);
        out.put_slice(&self.cluster.0);
        out.put_i64_le(self.created_ms);
        sum.put_u32_le(checksum::crc32c(&*std::mem::take(&mut fields)));
        bytes
    }

    /// Decodes the header at the start of `bytes`.
    ///
    /// # Errors
    /// See [`ObjectError`].
    pub fn decode(bytes: &[u8]) -> Result<ObjectHeader, ObjectError> {
        let bytes: &[u8; OBJECT_HEADER_BYTES] = bytes.first_chunk().ok_or(ObjectError::Shape)?;
        let (fields, mut sum) = bytes.split_at(FIELDS_BYTES);
        let mut input = fields
            .strip_prefix(&OBJECT_MAGIC)
            .ok_or(ObjectError::Shape)?;
        if sum.get_u32_le() != checksum::crc32c(fields) {
            return Err(ObjectError::Crc("header"));
        }
        let version = input.get_u32_le();
        if version != FORMAT_VERSION {
            return Err(ObjectError::Version(version));
        }
        let shard = ShardId(input.get_u16_le());
        let level = input.get_u8();
        input.advance(1);
        let (start, number) = (input.get_u32_le(), input.get_u32_le());
        let mut cluster = ClusterId([0; 16]);
        input.copy_to_slice(&mut cluster.0);
        let id = ObjectId {
            shard,
            start,
            number,
        };
        Ok(ObjectHeader {
            id,
            cluster,
            level,
            created_ms: input.get_i64_le(),
        })
    }
}
