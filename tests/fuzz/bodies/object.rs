//! Objects, footers and manifests from anywhere.
//!
//! The first byte chooses. A good object with bytes changed must be found out or be as it was;
//! a footer whose checksums are right and whose fields are arbitrary must be refused, or be
//! exactly what its encoding is; so must a record of a manifest.

use bytes::Bytes;
use corelane::base::{ShardId, TopicId, TopicPartition, checksum};
use corelane::kafka::batch::{BatchHeader, CRC_COVER_START, HEADER_BYTES};
use corelane::object::format::{
    Finding, Footer, NewChunk, ObjectHeader, ObjectWriter, TailRead, Verification, VerifyStep,
};
use corelane::object::manifest::ManifestRecord;
use corelane::object::{ClusterId, ObjectId};

/// Checks one input.
pub fn check(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    match choice % 3 {
        0 => changed_bytes(rest),
        1 => arbitrary_fields(rest),
        _ => record(rest),
    }
}

/// Each three bytes of the input change one byte of an object.
fn changed_bytes(data: &[u8]) {
    let good = good_object();
    let mut bytes = good.clone();
    for change in data.chunks_exact(3) {
        let at = (usize::from(change[0]) << 8 | usize::from(change[1])) % bytes.len();
        bytes[at] ^= change[2];
    }
    let mut verification = Verification::new(bytes.len() as u64);
    let mut is_sound = true;
    loop {
        match verification.poll() {
            VerifyStep::Read { position, bytes: n } => {
                verification.on_read(&bytes[position as usize..][..n]);
            }
            VerifyStep::Found(Finding::Footer(footer)) => is_sound &= footer.is_ok(),
            VerifyStep::Found(Finding::Header) => is_sound = false,
            VerifyStep::Found(Finding::Chunk(_, part) | Finding::State(_, part)) => {
                is_sound &= part.is_ok();
            }
            VerifyStep::Done => break,
        }
    }
    assert_eq!(is_sound, bytes == good);
}

/// The input is what a footer has behind its header, with the checksums made right. It is laid
/// over a good one, so that much of it is plausible.
fn arbitrary_fields(data: &[u8]) {
    let mut bytes = good_object();
    let Ok(TailRead::Whole(good)) = Footer::read(&bytes) else {
        panic!("the object is good");
    };
    let (begins, end) = (good.position() as usize + 64, bytes.len() - 32);
    for change in data.chunks_exact(2) {
        let at = begins + usize::from(change[0]) % (end - begins);
        bytes[at] = change[1];
    }
    let sum = checksum::crc32c(&bytes[begins - 64..end]).to_le_bytes();
    bytes[end + 24..end + 28].copy_from_slice(&sum);
    let sum = checksum::crc32c(&bytes[end..end + 28]).to_le_bytes();
    bytes[end + 28..].copy_from_slice(&sum);
    if let Ok(TailRead::Whole(footer)) = Footer::read(&bytes) {
        assert_eq!(footer.encode(), bytes[begins - 64..]);
    }
}

fn record(data: &[u8]) {
    if let Ok(record) = ManifestRecord::decode(data) {
        assert_eq!(record.encode(), data, "a record has one encoding");
    }
    let likely = [&[1], data].concat();
    if let Ok(record) = ManifestRecord::decode(&likely) {
        assert_eq!(record.encode(), likely);
    }
}

fn good_object() -> Vec<u8> {
    let id = ObjectId {
        shard: ShardId(1),
        start: 2,
        number: 3,
    };
    let mut writer = ObjectWriter::new(ObjectHeader {
        id,
        cluster: ClusterId([4; 16]),
        level: 0,
        created_ms: 5,
    });
    for partition in 0..3 {
        let tp = TopicPartition {
            topic: TopicId([6; 16]),
            partition,
        };
        let chunk = NewChunk {
            tp,
            log_start: 0,
            batches: vec![batch(7, 1), batch(8, 2)],
            state: (partition == 1).then(|| Bytes::from_static(b"state")),
        };
        writer.push(chunk).expect("the chunk is good");
    }
    writer.finish().expect("it is small").pieces.concat()
}

fn batch(base_offset: i64, leader_epoch: i32) -> Bytes {
    let body = b"body";
    let mut header = BatchHeader {
        base_offset,
        batch_length: (HEADER_BYTES - 12 + body.len()) as i32,
        leader_epoch,
        crc: 0,
        attributes: 0,
        last_offset_delta: 0,
        base_timestamp: 9,
        max_timestamp: 10,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        record_count: 1,
    };
    let covered = [&header.encode()[CRC_COVER_START..], body].concat();
    header.crc = checksum::crc32c(&covered);
    Bytes::from([&header.encode()[..], body].concat())
}
