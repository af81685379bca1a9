//! Reads from the store: which bytes, one request for everybody, and what is believed of them.

use bytes::Bytes;
use corelane::base::limits::{COLD_READER_IDLE_MS, STORE_GET_BYTES_MAX};
use corelane::object::format::ObjectPlan;
use corelane::object::manifest::{Block, Manifest, PartitionMap};
use corelane::object::read::{
    BlockCache, BlockError, READ_AHEAD_BLOCKS_MAX, StoreReaders, Want, join_blocks, plan_read,
    take_batches,
};

use crate::records::{batch, batches, chunk, header, id, object, tp, whole};

/// Objects of batches of 400 KiB, so that every third begins a block: 30 offsets each.
fn stored(counts: &[i64]) -> (Manifest, Vec<ObjectPlan>) {
    let mut manifest = Manifest::default();
    let mut plans = Vec::new();
    let mut base = 0;
    for (number, count) in counts.iter().enumerate() {
        let records = batches(base, *count, 1, 400 * 1024);
        base += 10 * count;
        let chunks = vec![
            chunk(tp(0, 0), batches(0, 1, 1, 0)),
            chunk(tp(1, 0), records),
        ];
        let plan = object(header(id(1, number as u32), 0), chunks);
        let is_read = |of| (of == tp(1, 0)).then_some(0);
        let record = manifest.decide_uploaded(&plan.footer, &is_read).unwrap();
        manifest.replay(&record).unwrap();
        plans.push(plan);
    }
    (manifest, plans)
}

fn bytes_of(plans: &[ObjectPlan], block: &Block) -> Bytes {
    let plan = plans
        .iter()
        .find(|plan| plan.footer.header.id == block.object)
        .unwrap();
    let begins = block.position as usize;
    Bytes::from(whole(plan)).slice(begins..begins + block.bytes as usize)
}

fn map(manifest: &Manifest) -> &PartitionMap {
    manifest.partition(tp(1, 0)).unwrap()
}

#[test]
fn a_small_read_is_one_request_from_anywhere() {
    let (manifest, plans) = stored(&[7, 4]);
    for offset in 0..110 {
        let plan = plan_read(map(&manifest), offset, 100);
        assert_eq!(plan.blocks.len(), 1);
        let gets = join_blocks(&plan.blocks);
        assert_eq!(gets.len(), 1);
        let block = plan.blocks[0];
        let bytes = bytes_of(&plans, &block);
        assert_eq!(gets[0].range.end - gets[0].range.start, bytes.len() as u64);
        let taken = take_batches(&block, &bytes, offset, 100, true).unwrap();
        let expected = offset / 10 * 10;
        assert_eq!(taken.next_offset, expected + 10);
        assert_eq!(
            taken.bytes[..8],
            expected.to_be_bytes(),
            "the batch that has the offset"
        );
    }
    for offset in [-1, 110, i64::MAX] {
        assert_eq!(plan_read(map(&manifest), offset, 100).blocks, []);
    }
}

#[test]
fn a_large_read_takes_blocks_in_order_over_objects() {
    let (manifest, plans) = stored(&[7, 4]);
    let plan = plan_read(map(&manifest), 35, u64::MAX);
    let ranges: Vec<_> = plan.blocks.iter().map(|b| (b.base, b.end)).collect();
    assert_eq!(ranges, [(30, 60), (60, 70), (70, 100), (100, 110)]);
    let gets = join_blocks(&plan.blocks);
    let blocks: Vec<_> = gets.iter().map(|get| get.blocks.clone()).collect();
    assert_eq!(blocks, [0..2, 2..4], "one for each object");
    for get in &gets {
        let bytes: u64 = plan.blocks[get.blocks.clone()]
            .iter()
            .map(|b| u64::from(b.bytes))
            .sum();
        assert_eq!(get.range.end - get.range.start, bytes);
    }
    let mut offset = 35;
    for block in &plan.blocks {
        let taken = take_batches(block, &bytes_of(&plans, block), offset, usize::MAX, false);
        offset = taken.unwrap().next_offset;
    }
    assert_eq!(offset, 110);
    // No more than asked for, a block aside.
    let some = plan_read(map(&manifest), 0, 2 * 1024 * 1024);
    assert_eq!(some.blocks.len(), 1, "another would be too much");
    let some = plan_read(map(&manifest), 0, 2500 * 1024);
    assert_eq!(some.blocks.len(), 2);
}

#[test]
fn requests_are_of_bounded_size() {
    let (manifest, _) = stored(&[40]);
    let plan = plan_read(map(&manifest), 0, u64::MAX);
    let gets = join_blocks(&plan.blocks);
    assert!(gets.len() > 1);
    let max = u64::from(STORE_GET_BYTES_MAX);
    assert!(
        gets.iter()
            .all(|get| get.range.end - get.range.start <= max)
    );
    let joined: usize = gets.iter().map(|get| get.blocks.len()).sum();
    assert_eq!(joined, plan.blocks.len());
}

/// A block of three batches of ten offsets each, and its bytes.
fn block() -> (Block, Bytes) {
    let bytes = Bytes::from(batches(20, 3, 1, 7).concat());
    let block = Block {
        object: id(1, 1),
        position: 64,
        bytes: bytes.len() as u32,
        base: 20,
        end: 50,
    };
    (block, bytes)
}

#[test]
fn batches_are_taken_uncopied_within_what_was_asked_for() {
    let (block, bytes) = block();
    let one = bytes.len() / 3;
    let take = |offset, bytes_max, at_least_one| {
        let taken = take_batches(&block, &bytes, offset, bytes_max, at_least_one).unwrap();
        let begins = taken.bytes.as_ptr() as usize - bytes.as_ptr() as usize;
        (begins / one, taken.bytes.len() / one, taken.next_offset)
    };
    assert_eq!(take(20, usize::MAX, false), (0, 3, 50));
    assert_eq!(take(29, 2 * one, false), (0, 2, 40));
    assert_eq!(take(30, 2 * one - 1, false), (1, 1, 40));
    assert_eq!(take(45, 1, true), (2, 1, 50));
    let none = take_batches(&block, &bytes, 45, 1, false).unwrap();
    assert_eq!((none.bytes.len(), none.next_offset), (0, 45));
}

#[test]
fn other_bytes_than_were_put_are_never_given_out() {
    let (block, bytes) = block();
    let one = bytes.len() / 3;
    let taken = |bytes: Vec<u8>| take_batches(&block, &Bytes::from(bytes), 20, usize::MAX, true);
    // The leader epoch is what no checksum of a batch covers; the manifest's caller knows it.
    let is_covered = |at: usize| !(12..16).contains(&(at % one));
    for at in (0..bytes.len()).filter(|at| is_covered(*at)) {
        for bit in 0..8 {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1 << bit;
            assert!(taken(damaged).is_err(), "byte {at}, bit {bit}");
        }
    }
    let length = |found| BlockError::Length {
        expected: block.bytes,
        found,
    };
    for len in 0..bytes.len() {
        assert_eq!(taken(bytes[..len].to_vec()), Err(length(len)));
    }
    // Whole batches, and not these.
    let wrong = |position, offset| Err(BlockError::Batch { position, offset });
    assert_eq!(taken(batches(30, 3, 1, 7).concat()), wrong(0, 20));
    let swapped = [&bytes[..one], &bytes[2 * one..], &bytes[one..2 * one]].concat();
    assert_eq!(taken(swapped), wrong(one, 30));
    let body = vec![0; 3 * one - 61];
    let short = batch(20, 29, 1, 5, &body).to_vec();
    assert_eq!(taken(short), wrong(3 * one, 49));
    let mut crc = bytes.to_vec();
    crc[2 * one + 65] ^= 1;
    let position = 2 * one;
    assert_eq!(
        taken(crc),
        Err(BlockError::Crc {
            position,
            offset: 40
        })
    );
}

fn numbered(n: u32, bytes: u32) -> Block {
    Block {
        object: id(1, n),
        position: 64,
        bytes,
        base: 0,
        end: 1,
    }
}

fn zeroes(block: Block) -> Option<Bytes> {
    Some(Bytes::from(vec![0; block.bytes as usize]))
}

#[test]
fn many_readers_of_one_block_cost_one_request() {
    let mut cache = BlockCache::new(1000);
    let block = numbered(1, 100);
    assert_eq!(cache.want(block, Some(1)), Want::Read);
    assert_eq!(cache.want(block, Some(2)), Want::Wait);
    assert_eq!(cache.want(block, None), Want::Wait);
    assert_eq!(cache.want(block, Some(3)), Want::Wait);
    cache.on_gone(block, 2);
    assert_eq!(cache.on_read(block, zeroes(block)), [1, 3]);
    assert_eq!(
        cache.want(block, Some(4)),
        Want::Have(zeroes(block).unwrap())
    );

    let other = numbered(2, 100);
    assert_eq!(cache.want(other, Some(1)), Want::Read);
    assert_eq!(cache.want(other, Some(2)), Want::Wait);
    assert_eq!(
        cache.on_read(other, None),
        [1, 2],
        "all are told of a failure"
    );
    assert_eq!(
        cache.want(other, Some(1)),
        Want::Read,
        "which is not remembered"
    );
    assert_eq!(cache.bytes(), 200);
}

#[test]
fn the_cache_keeps_to_its_budget_and_what_was_used_last() {
    let mut cache = BlockCache::new(250);
    let [a, b, c] = [1, 2, 3].map(|n| numbered(n, 100));
    for block in [a, b] {
        assert_eq!(cache.want(block, Some(1)), Want::Read);
        cache.on_read(block, zeroes(block));
    }
    assert!(matches!(cache.want(a, Some(1)), Want::Have(_)));
    assert_eq!(cache.want(c, Some(1)), Want::Read);
    assert!(cache.bytes() <= 250);
    cache.on_read(c, zeroes(c));
    assert_eq!(cache.want(b, None), Want::Read, "the longest unused went");
    assert!(
        matches!(cache.want(c, Some(1)), Want::Have(_)),
        "a made room for b"
    );
    // What nobody waits for only takes room that no read under way has.
    assert_eq!(cache.want(numbered(4, 100), Some(1)), Want::Read);
    assert_eq!(cache.want(numbered(5, 100), None), Want::NotNow);
    assert_eq!(cache.want(numbered(5, 100), Some(9)), Want::Read);

    let mut small = BlockCache::new(50);
    assert_eq!(
        small.want(a, Some(1)),
        Want::Read,
        "who waits is never refused"
    );
    assert_eq!(small.on_read(a, zeroes(a)), [1]);
    assert_eq!(small.bytes(), 0, "but it is not kept");
}

#[test]
fn who_comes_back_gets_more_read_ahead_each_time() {
    let (manifest, _) = stored(&[60]);
    let map = map(&manifest);
    let mut readers = StoreReaders::default();
    let mut offset = 0;
    let mut ahead = Vec::new();
    for n in 0..7 {
        let next = plan_read(map, offset, 1).blocks[0].end;
        let blocks = readers.on_read(n * 100, tp(1, 0), map, offset, next);
        assert!(blocks.first().is_none_or(|block| block.base == next));
        ahead.push(blocks.len());
        offset = next;
    }
    let most = ahead.iter().copied().max().unwrap();
    assert_eq!(ahead[..3], [0, 1, 2]);
    assert!(
        ahead.is_sorted() && (4..=READ_AHEAD_BLOCKS_MAX).contains(&most),
        "{ahead:?}"
    );
    let elsewhere = readers.on_read(700, tp(1, 0), map, 300, 330);
    assert_eq!(elsewhere, [], "it was not expected there");
    let late = 600 + COLD_READER_IDLE_MS + 1;
    assert_eq!(
        readers.on_read(late, tp(1, 0), map, offset, offset + 30),
        []
    );
    assert_eq!(
        readers.on_read(late, tp(1, 0), map, 570, 600),
        [],
        "there is nothing behind"
    );
    readers.expire(late + COLD_READER_IDLE_MS + 1);
    assert!(readers.is_empty());
}
