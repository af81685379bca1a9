//! Records as bytes; `../FORMAT.md` has the table. All numbers are big-endian.

use bytes::{Buf, BufMut, TryGetError};

use super::extent::{Extent, ExtentMark};
use super::partition::PartitionMap;
use super::record::{ChunkExtent, DecodeError, ManifestRecord, ObjectInfo};
use crate::base::{ShardId, TopicId, TopicPartition};
use crate::object::key::ObjectId;

const VERSION: u8 = 1;
const UPLOADED: u8 = 1;
const MERGED: u8 = 2;
const TRIMMED: u8 = 3;
const DROPPED: u8 = 4;
const REMOVED: u8 = 5;
const OBJECT: u8 = 6;
const PARTITION: u8 = 7;

pub(super) fn encode(record: &ManifestRecord) -> Vec<u8> {
    let mut out = vec![VERSION];
    match record {
        ManifestRecord::Uploaded { object, chunks } => {
            put_chunks(&mut out, UPLOADED, object, chunks);
        }
        ManifestRecord::Merged { object, chunks } => put_chunks(&mut out, MERGED, object, chunks),
        ManifestRecord::Trimmed { tp, log_start } => {
            out.put_u8(TRIMMED);
            put_tp(&mut out, *tp);
            out.put_i64(*log_start);
        }
        ManifestRecord::Dropped { topic } => {
            out.put_u8(DROPPED);
            out.put_slice(&topic.0);
        }
        ManifestRecord::Removed { object } => {
            out.put_u8(REMOVED);
            put_id(&mut out, *object);
        }
        ManifestRecord::Object(object) => {
            out.put_u8(OBJECT);
            put_object(&mut out, object);
        }
        ManifestRecord::Partition {
            tp,
            log_start,
            end,
            extents,
        } => {
            out.put_u8(PARTITION);
            put_tp(&mut out, *tp);
            out.put_i64(*log_start);
            out.put_i64(*end);
            out.put_u32(extents.len() as u32);
            for extent in extents {
                put_id(&mut out, extent.object);
                out.put_u8(extent.level);
                put_extent(&mut out, extent);
            }
        }
    }
    out
}

fn put_chunks(out: &mut Vec<u8>, kind: u8, object: &ObjectInfo, chunks: &[ChunkExtent]) {
    out.put_u8(kind);
    put_object(out, object);
    out.put_u32(chunks.len() as u32);
    for chunk in chunks {
        put_tp(out, chunk.tp);
        out.put_i64(chunk.log_start);
        put_extent(out, &chunk.extent);
    }
}

fn put_tp(out: &mut Vec<u8>, tp: TopicPartition) {
    out.put_slice(&tp.topic.0);
    out.put_i32(tp.partition);
}

fn put_id(out: &mut Vec<u8>, id: ObjectId) {
    out.put_u16(id.shard.0);
    out.put_u32(id.start);
    out.put_u32(id.number);
}

fn put_object(out: &mut Vec<u8>, object: &ObjectInfo) {
    put_id(out, object.id);
    out.put_u8(object.level);
    out.put_u64(object.bytes);
    out.put_u64(object.data_bytes);
    out.put_u32(object.footer_bytes);
    out.put_i64(object.created_ms);
    out.put_u32(object.chunks);
}

fn put_extent(out: &mut Vec<u8>, extent: &Extent) {
    out.put_i64(extent.base);
    out.put_i64(extent.end);
    out.put_u32(extent.position);
    out.put_u32(extent.bytes);
    out.put_i64(extent.max_timestamp);
    out.put_u32(extent.marks.len() as u32);
    for mark in &extent.marks {
        out.put_u32(mark.position);
        out.put_u32(mark.offset_delta);
    }
}

impl From<TryGetError> for DecodeError {
    fn from(_: TryGetError) -> Self {
        DecodeError::Truncated
    }
}

pub(super) fn decode(mut bytes: &[u8]) -> Result<ManifestRecord, DecodeError> {
    let input = &mut bytes;
    let version = input.try_get_u8()?;
    if version != VERSION {
        return Err(DecodeError::UnknownVersion(version));
    }
    let record = match input.try_get_u8()? {
        UPLOADED => {
            let (object, chunks) = take_chunks(input)?;
            ManifestRecord::Uploaded { object, chunks }
        }
        MERGED => {
            let (object, chunks) = take_chunks(input)?;
            ManifestRecord::Merged { object, chunks }
        }
        TRIMMED => {
            let (tp, log_start) = (take_tp(input)?, input.try_get_i64()?);
            if log_start < 0 {
                return Err(DecodeError::Invalid("log start"));
            }
            ManifestRecord::Trimmed { tp, log_start }
        }
        DROPPED => ManifestRecord::Dropped {
            topic: take_topic(input)?,
        },
        REMOVED => ManifestRecord::Removed {
            object: take_id(input)?,
        },
        OBJECT => ManifestRecord::Object(take_object(input)?),
        PARTITION => take_partition(input)?,
        kind => return Err(DecodeError::UnknownKind(kind)),
    };
    match input.len() {
        0 => Ok(record),
        left => Err(DecodeError::Trailing(left)),
    }
}

fn take_chunks(input: &mut &[u8]) -> Result<(ObjectInfo, Vec<ChunkExtent>), DecodeError> {
    let object = take_object(input)?;
    let count = input.try_get_u32()?;
    let mut chunks: Vec<ChunkExtent> = Vec::new();
    for _ in 0..count {
        let (tp, log_start) = (take_tp(input)?, input.try_get_i64()?);
        let extent = take_extent(input, object.id, object.level)?;
        let before = chunks.last().map(|chunk| (chunk.tp, chunk.extent.end));
        if before.is_some_and(|before| before > (tp, extent.base)) {
            return Err(DecodeError::Invalid("order of chunks"));
        }
        if log_start < 0 {
            return Err(DecodeError::Invalid("log start"));
        }
        chunks.push(ChunkExtent {
            tp,
            log_start,
            extent,
        });
    }
    if count > object.chunks {
        return Err(DecodeError::Invalid("count of chunks"));
    }
    Ok((object, chunks))
}

fn take_partition(input: &mut &[u8]) -> Result<ManifestRecord, DecodeError> {
    let tp = take_tp(input)?;
    let mut map = PartitionMap {
        log_start: input.try_get_i64()?,
        end: input.try_get_i64()?,
        ..PartitionMap::default()
    };
    for _ in 0..input.try_get_u32()? {
        let (object, level) = (take_id(input)?, input.try_get_u8()?);
        map.extents.push_back(take_extent(input, object, level)?);
    }
    if !map.is_possible() {
        return Err(DecodeError::Invalid("order of extents"));
    }
    Ok(ManifestRecord::Partition {
        tp,
        log_start: map.log_start,
        end: map.end,
        extents: map.extents.into(),
    })
}

fn take_topic(input: &mut &[u8]) -> Result<TopicId, DecodeError> {
    let mut topic = TopicId::ZERO;
    input.try_copy_to_slice(&mut topic.0)?;
    Ok(topic)
}

fn take_tp(input: &mut &[u8]) -> Result<TopicPartition, DecodeError> {
    Ok(TopicPartition {
        topic: take_topic(input)?,
        partition: input.try_get_i32()?,
    })
}

fn take_id(input: &mut &[u8]) -> Result<ObjectId, DecodeError> {
    Ok(ObjectId {
        shard: ShardId(input.try_get_u16()?),
        start: input.try_get_u32()?,
        number: input.try_get_u32()?,
    })
}

fn take_object(input: &mut &[u8]) -> Result<ObjectInfo, DecodeError> {
    Ok(ObjectInfo {
        id: take_id(input)?,
        level: input.try_get_u8()?,
        bytes: input.try_get_u64()?,
        data_bytes: input.try_get_u64()?,
        footer_bytes: input.try_get_u32()?,
        created_ms: input.try_get_i64()?,
        chunks: input.try_get_u32()?,
    })
}

fn take_extent(input: &mut &[u8], object: ObjectId, level: u8) -> Result<Extent, DecodeError> {
    let (base, end) = (input.try_get_i64()?, input.try_get_i64()?);
    let (position, bytes) = (input.try_get_u32()?, input.try_get_u32()?);
    let max_timestamp = input.try_get_i64()?;
    let mut marks = Vec::new();
    for _ in 0..input.try_get_u32()? {
        marks.push(ExtentMark {
            position: input.try_get_u32()?,
            offset_delta: input.try_get_u32()?,
        });
    }
    let extent = Extent {
        base,
        end,
        max_timestamp,
        object,
        level,
        position,
        bytes,
        marks: marks.into(),
    };
    if extent.is_possible() {
        Ok(extent)
    } else {
        Err(DecodeError::Invalid("extent"))
    }
}
