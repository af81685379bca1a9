//! The index against a plain list, with what makes it begin new chunks.

use proptest::prelude::*;

use super::super::index::{Index, IndexEntry};
use super::*;
use crate::base::limits::INDEX_CHUNK_ENTRIES;

fn entry(base_offset: i64, count: i64, max_timestamp: i64, sequence: u64, len: u32) -> IndexEntry {
    let segment = SegmentId { wal: 2, sequence };
    let offset = (base_offset % 1_000_000) as u32;
    IndexEntry {
        base_offset,
        last_offset: base_offset + count - 1,
        max_timestamp,
        position: LogPosition { segment, offset },
        len,
    }
}

fn check(index: &Index, model: &[IndexEntry]) {
    assert!(index.iter().eq(model.iter().copied()));
    assert_eq!(index.first_offset(), model.first().map(|e| e.base_offset));
    assert_eq!(index.end(), model.last().map(|e| e.last_offset + 1));
    let bytes: u64 = model.iter().map(|e| u64::from(e.len)).sum();
    assert_eq!(index.batch_bytes(), bytes);
    let stretches = || index.stretches();
    assert_eq!(stretches().map(|s| s.bytes).sum::<u64>(), bytes);
    assert_eq!(
        stretches().map(|s| s.batches).sum::<u64>(),
        model.len() as u64
    );
    let max = model.iter().map(|e| e.max_timestamp).max();
    let first_of_max = model.iter().find(|e| Some(e.max_timestamp) == max);
    let first_of_max = first_of_max.filter(|e| e.max_timestamp >= 0);
    assert_eq!(index.first_of_max(), first_of_max.copied());
}

fn check_at(index: &Index, model: &[IndexEntry], offset: i64, timestamp: i64) {
    let from = || model.iter().filter(|e| e.last_offset >= offset).copied();
    assert!(index.starting_at(offset).eq(from()), "from {offset}");
    let expected = from().find(|e| e.max_timestamp >= timestamp);
    assert_eq!(index.first_at_least(timestamp, offset), expected);
}

prop_compose! {
    fn entries()(specs in prop::collection::vec(
        (
            prop_oneof![8 => 1..5_i64, 1 => Just(i64::from(i32::MAX))],
            prop_oneof![
                6 => 1_700_000_000_000..1_700_000_001_000_i64,
                2 => Just(-1),
                1 => any::<i64>(),
            ],
            prop_oneof![30 => Just(0_u64), 1 => Just(1)],
            61..2000_u32,
        ),
        1..700,
    )) -> Vec<IndexEntry> {
        let (mut next, mut sequence) = (5, 1);
        specs.into_iter().map(|(count, timestamp, roll, len)| {
            sequence += roll;
            let entry = entry(next, count, timestamp, sequence, len);
            next = entry.last_offset + 1;
            entry
        }).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn behaves_as_a_list(
        mut model in entries(),
        drops in prop::collection::vec((0.0..1.0_f64, -2..3_i64), 0..6),
        asked in prop::collection::vec(
            (0.0..1.0_f64, -2..3_i64, prop_oneof![any::<i64>(), 1_700_000_000_000..1_700_000_001_000_i64]),
            1..20,
        ),
    ) {
        let mut index = Index::default();
        model.iter().for_each(|entry| index.push(*entry));
        check(&index, &model);
        let offset_at = |model: &[IndexEntry], at: f64, nudge: i64| {
            let at = (at * model.len() as f64) as usize;
            model.get(at).map_or(5, |entry| entry.base_offset) + nudge
        };
        for (at, nudge) in drops {
            let to = offset_at(&model, at, nudge);
            let mut dropped = (0, 0);
            index.drop_below(to, |s| {
                dropped.0 += s.batches;
                dropped.1 += s.bytes;
            });
            let gone: Vec<_> = model.iter().filter(|e| e.last_offset < to).collect();
            let bytes = gone.iter().map(|e| u64::from(e.len)).sum();
            prop_assert_eq!(dropped, (gone.len() as u64, bytes));
            model.retain(|e| e.last_offset >= to);
            check(&index, &model);
        }
        for (at, nudge, timestamp) in asked {
            check_at(&index, &model, offset_at(&model, at, nudge), timestamp);
        }
        check_at(&index, &model, i64::MIN, i64::MIN);
        check_at(&index, &model, i64::MAX, i64::MIN);
    }
}

#[test]
fn many_batches_cost_sixteen_bytes_each() {
    let mut index = Index::default();
    for i in 0..100_000 {
        index.push(entry(
            i * 3,
            3,
            1_700_000_000_000 + i,
            1 + i as u64 / 20_000,
            1000,
        ));
    }
    let per_batch = index.memory_bytes() as f64 / 100_000.0;
    assert!(per_batch < 17.0, "{per_batch} bytes");
    index.drop_below(i64::MAX, |_| {});
    assert!(index.memory_bytes() < 2048, "{}", index.memory_bytes());
    assert!(index.is_empty());
}

#[test]
fn dropping_chunk_by_chunk_keeps_the_rest() {
    let n = INDEX_CHUNK_ENTRIES as i64 * 3;
    let model: Vec<IndexEntry> = (0..n).map(|i| entry(i, 1, i, 1, 100)).collect();
    let mut index = Index::default();
    model.iter().for_each(|entry| index.push(*entry));
    for to in (0..=n).step_by(INDEX_CHUNK_ENTRIES / 2) {
        index.drop_below(to, |_| {});
        check(&index, &model[to as usize..]);
    }
}

#[test]
#[should_panic(expected = "gap")]
fn a_gap_is_a_bug() {
    let mut index = Index::default();
    index.push(entry(0, 1, 0, 1, 100));
    index.push(entry(2, 1, 0, 1, 100));
}

#[test]
fn timestamps_that_lie_far_apart() {
    let far = 1 << 31;
    for timestamps in [
        [far, 0],
        [far + 5, 4],
        [-1, far],
        [i64::MAX, -1],
        [i64::MIN, i64::MAX],
    ] {
        let model = [
            entry(0, 1, timestamps[0], 1, 100),
            entry(1, 1, timestamps[1], 1, 100),
        ];
        let mut index = Index::default();
        model.iter().for_each(|entry| index.push(*entry));
        check(&index, &model);
    }
}
