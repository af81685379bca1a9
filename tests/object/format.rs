//! Objects come back as they were put, nothing of them is copied, and joined ones are what
//! they would be if they had been written at once.

use bytes::Bytes;
use corelane::base::checksum;
use corelane::base::limits::{CRC_COMBINE_BYTES_MIN, MIB};
use corelane::kafka::batch::BatchError;
use corelane::object::ObjectId;
use corelane::object::format::{
    CopyRange, Finding, Footer, JoinPlan, Mark, Run, TailRead, Verification, VerifyStep, WalkError,
    WriteError, join,
};
use corelane::object::format::{ObjectPlan, ObjectWriter};

use crate::records::{batch, batches, chunk, header, id, object, small, tp, whole};

pub fn read(bytes: &[u8]) -> Footer {
    match Footer::read(bytes).unwrap() {
        TailRead::Whole(footer) => footer,
        TailRead::Needs(bytes) => panic!("{bytes} bytes of all of them"),
    }
}

/// All that a verification finds, the bytes given as it asks for them.
pub fn verify(bytes: &[u8]) -> Vec<Finding> {
    let mut verification = Verification::new(bytes.len() as u64);
    let mut findings = Vec::new();
    loop {
        match verification.poll() {
            VerifyStep::Read { position, bytes: n } => {
                verification.on_read(&bytes[position as usize..][..n]);
            }
            VerifyStep::Found(finding) => findings.push(finding),
            VerifyStep::Done => return findings,
        }
    }
}

pub fn is_sound(finding: &Finding) -> bool {
    match finding {
        Finding::Footer(result) => result.is_ok(),
        Finding::Header => false,
        Finding::Chunk(_, result) | Finding::State(_, result) => result.is_ok(),
    }
}

fn put_together(plan: &JoinPlan, sources: &[(ObjectId, &[u8])]) -> Vec<u8> {
    let mut bytes = plan.head.to_vec();
    for CopyRange { object, range, crc } in &plan.copies {
        let (_, source) = sources.iter().find(|(id, _)| id == object).unwrap();
        let part = &source[range.start as usize..range.end as usize];
        assert_eq!(checksum::crc32c(part), *crc);
        bytes.extend_from_slice(part);
    }
    bytes.extend_from_slice(&plan.tail);
    assert_eq!(checksum::crc32c(&bytes), plan.crc);
    bytes
}

#[test]
fn an_object_comes_back_as_it_was_put() {
    let plan = small();
    let bytes = whole(&plan);
    assert_eq!(plan.crc, checksum::crc32c(&bytes));
    let footer = read(&bytes);
    assert_eq!(footer, plan.footer);
    assert_eq!(footer.object_bytes, bytes.len() as u64);
    let first = &footer.chunks[0];
    assert_eq!(
        (first.base_offset, first.end_offset, first.log_start),
        (40, 61, 45)
    );
    assert_eq!(
        (first.records, first.batches, first.max_timestamp),
        (21, 3, 1041)
    );
    let epochs: Vec<_> = first.epochs.iter().map(|e| (e.epoch, e.offset)).collect();
    assert_eq!(epochs, [(3, 40), (4, 60)]);
    let state = first.state.unwrap();
    let (begins, len) = (state.position as usize, state.bytes as usize);
    assert_eq!(&bytes[begins..][..len], b"opaque state");
    for entry in &footer.chunks {
        let chunk = &bytes[entry.position as usize..][..entry.bytes as usize];
        assert_eq!(checksum::crc32c(chunk), entry.crc);
    }
    let findings = verify(&bytes);
    assert_eq!(findings.len(), 1 + 3 + 1);
    assert!(findings.iter().all(is_sound), "{findings:?}");
}

#[test]
fn the_footer_is_read_from_the_end_in_one_go_or_two() {
    let bytes = whole(&small());
    let needed = read(&bytes).footer_bytes as usize + 32;
    for n in 32..bytes.len() {
        let tail = &bytes[bytes.len() - n..];
        match Footer::read(tail).unwrap() {
            TailRead::Whole(footer) => assert!(n >= needed && footer == small().footer),
            TailRead::Needs(more) => assert!(n < needed && more == needed),
        }
    }
}

#[test]
fn record_bytes_are_not_copied() {
    let given: Vec<Bytes> = batches(0, 3, 1, 10_000);
    let plan = object(header(id(1, 0), 0), vec![chunk(tp(1, 0), given.clone())]);
    assert_eq!(plan.pieces.len(), 1 + given.len() + 1);
    for (given, put) in given.iter().zip(&plan.pieces[1..]) {
        assert_eq!(given.as_ptr(), put.as_ptr());
    }
}

#[test]
fn large_batches_lend_their_own_checksum() {
    let large = batch(0, 1, 1, 5, &vec![9; CRC_COMBINE_BYTES_MIN + 1]);
    let two = Bytes::from([&large[..], &batch(1, 1, 1, 5, b"x")].concat());
    for given in [vec![large.clone(), batch(1, 1, 1, 5, b"x")], vec![two]] {
        let plan = object(header(id(1, 0), 0), vec![chunk(tp(1, 0), given)]);
        assert_eq!(plan.crc, checksum::crc32c(&whole(&plan)));
        assert!(verify(&whole(&plan)).iter().all(is_sound));
    }
}

/// Batches of 300 KiB, so that every fourth gets a mark.
fn marked(base: i64, count: i64) -> Vec<Bytes> {
    batches(base, count, 2, 300 * 1024)
}

#[test]
fn marks_lie_a_mebibyte_apart_and_know_their_timestamps() {
    let plan = object(header(id(1, 0), 0), vec![chunk(tp(1, 0), marked(0, 9))]);
    let marks = &plan.footer.chunks[0].marks;
    let one = plan.pieces[1].len() as u32;
    let expected = [(0, 0, 1003), (4 * one, 40, 1007), (8 * one, 80, 1008)];
    let expected = expected.map(|(position, offset, max_timestamp)| Mark {
        position,
        offset,
        max_timestamp,
    });
    assert_eq!(marks[..], expected);
    assert!(verify(&whole(&plan)).iter().all(is_sound));
}

#[test]
fn a_joined_object_is_as_sound_as_one_written_at_once() {
    let older = object(
        header(id(1, 0), 0),
        vec![
            chunk(tp(1, 0), marked(0, 5)),
            chunk(tp(1, 1), batches(0, 3, 2, 10)),
        ],
    );
    let mut last = chunk(tp(1, 0), batches(50, 2, 4, 10));
    last.state = Some(Bytes::from_static(b"at the end"));
    let newer = object(
        header(id(1, 1), 0),
        vec![last, chunk(tp(1, 1), batches(30, 3, 4, 10))],
    );
    let (first, second) = (&older.footer.chunks, &newer.footer.chunks);
    let runs = [0, 1].map(|at| Run {
        parts: vec![(id(1, 0), &first[at]), (id(1, 1), &second[at])],
    });
    let plan = join(header(id(1, 2), 1), &runs).unwrap();
    let (older, newer) = (whole(&older), whole(&newer));
    let bytes = put_together(&plan, &[(id(1, 0), &older), (id(1, 1), &newer)]);
    assert_eq!(read(&bytes), plan.footer);
    assert!(verify(&bytes).iter().all(is_sound), "{:?}", verify(&bytes));

    let mut first = chunk(tp(1, 0), [marked(0, 5), batches(50, 2, 4, 10)].concat());
    first.state = Some(Bytes::from_static(b"at the end"));
    let second = chunk(
        tp(1, 1),
        [batches(0, 3, 2, 10), batches(30, 3, 4, 10)].concat(),
    );
    let at_once = object(header(id(1, 2), 1), vec![first, second]);
    assert_eq!(at_once.footer, plan.footer);
    assert_eq!(whole(&at_once), bytes);
}

#[test]
fn runs_that_do_not_follow_each_other_are_not_joined() {
    let plan = object(
        header(id(1, 0), 0),
        vec![
            chunk(tp(1, 0), batches(0, 1, 2, 0)),
            chunk(tp(1, 0), batches(20, 1, 2, 0)),
            chunk(tp(1, 1), batches(10, 1, 2, 0)),
        ],
    );
    let chunks = &plan.footer.chunks;
    let run = |parts: &[usize]| Run {
        parts: parts.iter().map(|at| (id(1, 0), &chunks[*at])).collect(),
    };
    let joined = |runs: &[Run<'_>]| join(header(id(1, 1), 1), runs).map(|_| ());
    assert_eq!(joined(&[run(&[0, 1])]), Err(WriteError::Order), "a gap");
    assert_eq!(
        joined(&[run(&[0, 2])]),
        Err(WriteError::Order),
        "of two partitions"
    );
    assert_eq!(joined(&[run(&[1]), run(&[0])]), Err(WriteError::Order));
    assert_eq!(joined(&[run(&[])]), Err(WriteError::Empty));
    assert_eq!(joined(&[run(&[0]), run(&[1]), run(&[2])]), Ok(()));
}

#[test]
fn what_are_no_batches_of_one_partition_does_not_get_in() {
    let good = batch(0, 10, 2, 5, b"body");
    let refused = |pieces: Vec<Bytes>| {
        let mut writer = ObjectWriter::new(header(id(1, 0), 0));
        writer.push(chunk(tp(1, 0), pieces)).unwrap_err()
    };
    let position = good.len() as u64;
    let misplaced = |offset| WriteError::Batches(WalkError::Misplaced { position, offset });
    let after = |next: Bytes| refused(vec![good.clone(), next]);
    assert_eq!(after(batch(11, 1, 2, 5, b"")), misplaced(11), "a gap");
    assert_eq!(after(batch(9, 1, 2, 5, b"")), misplaced(9), "an overlap");
    assert_eq!(
        after(batch(10, 1, 1, 5, b"")),
        misplaced(10),
        "an epoch that went back"
    );
    assert_eq!(after(batch(10, 0, 2, 5, b"")), misplaced(10), "no records");
    assert_eq!(refused(vec![]), WriteError::Empty);
    let cut = WalkError::Batch {
        position: position - 1,
        source: BatchError::Truncated,
    };
    assert_eq!(
        refused(vec![good.slice(..good.len() - 1)]),
        WriteError::Batches(cut)
    );

    let mut writer = ObjectWriter::new(header(id(1, 0), 0));
    let of = |partition, base| chunk(tp(1, partition), batches(base, 1, 2, 0));
    writer.push(of(1, 0)).unwrap();
    assert_eq!(writer.push(of(0, 0)), Err(WriteError::Order));
    assert_eq!(writer.push(of(1, 5)), Err(WriteError::Order));
    writer.push(of(1, 10)).unwrap();
    let plan: ObjectPlan = writer.finish().unwrap();
    assert_eq!(plan.footer.chunks.len(), 2, "what was refused is not in it");
    assert!(verify(&whole(&plan)).iter().all(is_sound));
}

#[test]
fn pieces_may_end_anywhere_when_batches_are_walked() {
    let all = whole(&object(
        header(id(1, 0), 0),
        vec![chunk(tp(1, 0), marked(0, 5))],
    ));
    let entry = read(&all).chunks.remove(0);
    let bytes = &all[entry.position as usize..][..entry.bytes as usize];
    for size in [1, 60, 61, 62, 1000, 7 * MIB] {
        let mut walk = corelane::object::format::BatchWalk::again(&entry);
        bytes
            .chunks(size)
            .for_each(|piece| walk.walk(piece).unwrap());
        let mut walked = walk.finish(entry.tp, entry.crc, 0).unwrap();
        walked.position = entry.position;
        assert_eq!(walked, entry, "in pieces of {size}");
    }
}
