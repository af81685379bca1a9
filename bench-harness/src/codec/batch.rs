//! Record batches, magic 2 (KIP-98): builds the ones that are produced and
//! checks the ones that are fetched.

use anyhow::{Result, bail, ensure};

use super::writer::put_varint;

/// Bytes before the first record.
pub const HEADER_BYTES: usize = 61;
/// Bytes before `batch_length` begins to count.
const LENGTH_PREFIX_BYTES: usize = 12;
/// Where the bytes begin that the CRC covers.
const CRC_COVER_START: usize = 21;
/// Where the record count lies.
pub const RECORD_COUNT_AT: usize = 57;

/// Builds an uncompressed batch of `records` records, each with a value of
/// `record_bytes` bytes that no compression or deduplication below can shrink.
/// Producer id, epoch and sequence are -1: not idempotent.
pub fn build(records: usize, record_bytes: usize, timestamp: i64) -> Vec<u8> {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let mut body = Vec::with_capacity(records * (record_bytes + 16));
    let mut record = Vec::with_capacity(record_bytes + 16);
    for delta in 0..records {
        record.clear();
        record.push(0); // attributes
        put_varint(&mut record, 0); // timestamp delta
        put_varint(&mut record, zigzag(delta as i64));
        put_varint(&mut record, zigzag(-1)); // no key
        put_varint(&mut record, zigzag(record_bytes as i64));
        noise.fill(&mut record, record_bytes);
        put_varint(&mut record, 0); // no headers
        put_varint(&mut body, zigzag(record.len() as i64));
        body.extend_from_slice(&record);
    }
    let mut batch = Vec::with_capacity(HEADER_BYTES + body.len());
    batch.extend_from_slice(&0i64.to_be_bytes()); // base offset
    let length = HEADER_BYTES - LENGTH_PREFIX_BYTES + body.len();
    batch.extend_from_slice(&(length as i32).to_be_bytes());
    batch.extend_from_slice(&(-1i32).to_be_bytes()); // leader epoch
    batch.push(2); // magic
    batch.extend_from_slice(&[0; 4]); // CRC, below
    batch.extend_from_slice(&0i16.to_be_bytes()); // attributes
    batch.extend_from_slice(&(records as i32 - 1).to_be_bytes());
    batch.extend_from_slice(&timestamp.to_be_bytes());
    batch.extend_from_slice(&timestamp.to_be_bytes());
    batch.extend_from_slice(&(-1i64).to_be_bytes()); // producer id
    batch.extend_from_slice(&(-1i16).to_be_bytes()); // producer epoch
    batch.extend_from_slice(&(-1i32).to_be_bytes()); // base sequence
    batch.extend_from_slice(&(records as i32).to_be_bytes());
    batch.extend_from_slice(&body);
    let crc = crc32c::crc32c(&batch[CRC_COVER_START..]);
    batch[17..CRC_COVER_START].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// What a walk over fetched batches found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Walked {
    /// Offset after the last record seen.
    pub next_offset: i64,
    /// Records at or after the offset that was asked for.
    pub records: u64,
    /// Bytes of whole batches.
    pub bytes: u64,
}

/// Walks the whole batches in `bytes`, which a fetch from `offset` returned,
/// and checks the CRC of each and that offsets continue without a gap. A batch
/// cut off at the end is left alone, as Kafka may cut there (KIP-74).
pub fn walk(mut bytes: &[u8], offset: i64) -> Result<Walked> {
    let mut walked = Walked {
        next_offset: offset,
        ..Walked::default()
    };
    while let Some((header, _)) = bytes.split_first_chunk::<HEADER_BYTES>() {
        let length = i32::from_be_bytes(field(header, 8));
        let Ok(length) = usize::try_from(length) else {
            bail!("batch length {length}")
        };
        ensure!(
            length >= HEADER_BYTES - LENGTH_PREFIX_BYTES,
            "batch length {length}"
        );
        let Some((batch, rest)) = bytes.split_at_checked(LENGTH_PREFIX_BYTES + length) else {
            break;
        };
        ensure!(header[16] == 2, "magic {}", header[16]);
        let base = i64::from_be_bytes(field(header, 0));
        let crc = u32::from_be_bytes(field(header, 17));
        ensure!(
            crc32c::crc32c(&batch[CRC_COVER_START..]) == crc,
            "CRC of the batch at {base}"
        );
        let next = base + i64::from(i32::from_be_bytes(field(header, 23))) + 1;
        // The first batch may begin before the offset asked for.
        let continues = base == walked.next_offset || (walked.bytes == 0 && base <= offset);
        ensure!(
            continues && next > walked.next_offset,
            "a batch holds offsets {base} to {next}, {} was due",
            walked.next_offset
        );
        walked.records += (next - walked.next_offset) as u64;
        walked.next_offset = next;
        walked.bytes += batch.len() as u64;
        bytes = rest;
    }
    Ok(walked)
}

fn field<const N: usize>(header: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&header[at..at + N]);
    out
}

/// ZigZag: small numbers of either sign become small unsigned ones.
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// xorshift64*: incompressible bytes from a fixed seed.
struct Noise(u64);

impl Noise {
    fn fill(&mut self, out: &mut Vec<u8>, count: usize) {
        let end = out.len() + count;
        while out.len() < end {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            let word = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes();
            let room = (end - out.len()).min(word.len());
            out.extend_from_slice(&word[..room]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mut batch: Vec<u8>, base: i64) -> Vec<u8> {
        batch[..8].copy_from_slice(&base.to_be_bytes());
        batch
    }

    #[test]
    fn built_batches_pass_the_walk() {
        let mut log = at(build(3, 100, 1), 10);
        log.extend(at(build(1, 1024, 1), 13));
        let whole = log.len() as u64;
        log.extend_from_slice(&at(build(1, 1024, 1), 14)[..500]);
        let walked = walk(&log, 11).unwrap();
        assert_eq!(
            walked,
            Walked {
                next_offset: 14,
                records: 3,
                bytes: whole
            }
        );
    }

    #[test]
    fn gaps_repeats_and_flipped_bits_are_found() {
        let mut gap = at(build(1, 10, 1), 0);
        gap.extend(at(build(1, 10, 1), 2));
        assert!(walk(&gap, 0).is_err());
        let mut repeat = at(build(1, 10, 1), 0);
        repeat.extend(at(build(1, 10, 1), 0));
        assert!(walk(&repeat, 0).is_err());
        assert!(
            walk(&at(build(1, 10, 1), 5), 0).is_err(),
            "begins after the offset asked for"
        );
        assert!(
            walk(&at(build(1, 10, 1), 0), 9).is_err(),
            "ends before the offset asked for"
        );
        let mut flipped = at(build(1, 10, 1), 0);
        *flipped.last_mut().unwrap() ^= 1;
        assert!(walk(&flipped, 0).is_err());
    }

    #[test]
    fn impossible_lengths_are_refused() {
        for length in [-1i32, 0, 48] {
            let mut batch = build(1, 10, 1);
            batch[8..12].copy_from_slice(&length.to_be_bytes());
            assert!(walk(&batch, 0).is_err());
        }
    }

    #[test]
    fn a_batch_says_how_many_records_it_holds() {
        let batch = build(64, 1024, 1);
        assert_eq!(batch[RECORD_COUNT_AT..HEADER_BYTES], 64i32.to_be_bytes());
        assert_eq!(
            batch.len(),
            61 + (64 * (1024 + 9)),
            "every delta below 64 takes one byte"
        );
    }
}
