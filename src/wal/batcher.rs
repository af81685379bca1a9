//! Group commit without a clock. Records gather in the open block; how soon it
//! is sealed and handed out depends on what is in flight alone: at once when
//! nothing is, and the fuller the more is. Completions come in any order, and
//! durability follows the unbroken prefix.

use std::collections::VecDeque;
use std::ops::Range;

use super::block::{self, BLOCK_HEADER_BYTES};
use super::plan::BlockPlan;
use super::record::{BatchOffsets, RECORD_HEADER_BYTES, Record, RecordKind};
use crate::base::{LogPosition, Lsn, SegmentId, TopicPartition, limits};

/// A block that is durable, with every block before it.
#[derive(Debug)]
pub struct DurableBlock {
    /// The block's number.
    pub lsn: Lsn,
    /// The life of the segment it is in.
    pub segment: SegmentId,
    /// Where it begins in that segment's file.
    pub offset: u32,
    /// The LSN that the block itself says is durable.
    pub attests: Lsn,
    /// Its records, in the order of their appends.
    pub records: Vec<DurableRecord>,
}

impl DurableBlock {
    /// Where a record's payload lies in the buffer that the block was written from.
    pub fn range(&self, record: &DurableRecord) -> Range<usize> {
        let start = (record.position.offset - self.offset) as usize;
        start..start + record.bytes as usize
    }
}

/// One record of a durable block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DurableRecord {
    /// What it is.
    pub kind: RecordKind,
    /// Whose it is.
    pub tp: TopicPartition,
    /// Where its payload begins: at the first byte of the batch, if it is one.
    pub position: LogPosition,
    /// Bytes of the payload.
    pub bytes: u32,
    /// A batch's offsets.
    pub offsets: Option<BatchOffsets>,
}

/// Where a block goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub segment: SegmentId,
    pub slot: u32,
    pub incarnation: u64,
    pub offset: u32,
}

/// A block before it is handed out.
#[derive(Debug)]
struct Pending {
    lsn: Lsn,
    place: Place,
    bytes_used: usize,
    records: Vec<Record>,
}

#[derive(Debug)]
struct InFlight {
    block: DurableBlock,
    bytes_used: usize,
    written: bool,
}

/// The blocks of one WAL from their first record until they are durable.
#[derive(Debug)]
pub(super) struct Batcher {
    next_lsn: Lsn,
    open: Option<Pending>,
    sealed: VecDeque<Pending>,
    /// Handed out and not yet durable, with dense LSNs from `durable + 1` on.
    in_flight: VecDeque<InFlight>,
    writes_in_flight: usize,
    durable: Lsn,
    done: VecDeque<DurableBlock>,
    /// Bytes in use of everything above but `done`.
    pending_bytes: usize,
}

impl Batcher {
    /// A batcher whose first block will be `next_lsn`; everything before it is durable.
    pub fn new(next_lsn: Lsn) -> Batcher {
        Batcher {
            next_lsn,
            open: None,
            sealed: VecDeque::new(),
            in_flight: VecDeque::new(),
            writes_in_flight: 0,
            durable: Lsn(next_lsn.0 - 1),
            done: VecDeque::new(),
            pending_bytes: 0,
        }
    }

    /// The LSN of the next block that is opened.
    pub fn next_lsn(&self) -> Lsn {
        self.next_lsn
    }

    /// The last LSN that is durable with all before it.
    pub fn durable(&self) -> Lsn {
        self.durable
    }

    /// Bytes appended that are not durable yet.
    pub fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// Writes handed out and not reported back.
    pub fn writes_in_flight(&self) -> usize {
        self.writes_in_flight
    }

    /// Bytes in use of the open block, its header included; 0 when none is open.
    pub fn open_bytes(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.bytes_used)
    }

    /// Opens a block at `place` and returns its LSN. None may be open.
    pub fn open(&mut self, place: Place) -> Lsn {
        assert!(
            self.open.is_none(),
            "a block is sealed before the next is opened"
        );
        let lsn = self.next_lsn;
        self.next_lsn = lsn.next();
        self.pending_bytes += BLOCK_HEADER_BYTES;
        let bytes_used = BLOCK_HEADER_BYTES;
        self.open = Some(Pending {
            lsn,
            place,
            bytes_used,
            records: Vec::new(),
        });
        lsn
    }

    /// Adds a record to the open block and returns that block's LSN; `None` when none is open.
    pub fn push(&mut self, record: Record) -> Option<Lsn> {
        let open = self.open.as_mut()?;
        let bytes = RECORD_HEADER_BYTES + record.payload_bytes();
        open.bytes_used += bytes;
        self.pending_bytes += bytes;
        open.records.push(record);
        Some(open.lsn)
    }

    /// Closes the open block, if there is one, and returns the bytes it takes up in its file.
    pub fn seal(&mut self) -> usize {
        let Some(block) = self.open.take() else {
            return 0;
        };
        let bytes = block::align_up(block.bytes_used);
        self.sealed.push_back(block);
        bytes
    }

    /// Whether a sealed block may be handed out now.
    pub fn has_sealed(&self) -> bool {
        !self.sealed.is_empty()
    }

    /// Whether one more write may be in flight.
    pub fn has_write_free(&self) -> bool {
        self.writes_in_flight < limits::WAL_WRITES_IN_FLIGHT_MAX
    }

    /// Whether the open block holds enough to be worth a write beside those in flight.
    pub fn open_is_worth_a_write(&self) -> bool {
        let bytes = self.open_bytes();
        bytes > 0 && bytes >= limits::WAL_GROUP_BYTES_PER_WRITE * self.writes_in_flight
    }

    /// Hands out the oldest sealed block, for which a write is free.
    pub fn next_plan(&mut self) -> Option<BlockPlan> {
        let Pending {
            lsn,
            place,
            bytes_used,
            records,
        } = self.sealed.pop_front()?;
        let block = DurableBlock {
            lsn,
            segment: place.segment,
            offset: place.offset,
            attests: self.durable,
            records: described(place, &records),
        };
        self.in_flight.push_back(InFlight {
            block,
            bytes_used,
            written: false,
        });
        self.writes_in_flight += 1;
        Some(BlockPlan {
            lsn,
            segment: place.segment,
            slot: place.slot,
            offset: place.offset,
            bytes: block::align_up(bytes_used),
            bytes_used,
            durable: self.durable,
            incarnation: place.incarnation,
            records,
        })
    }

    /// The write of a block has ended well. Returns whether the durable prefix grew.
    pub fn on_written(&mut self, lsn: Lsn) -> bool {
        let index = lsn
            .0
            .checked_sub(self.durable.0 + 1)
            .and_then(|i| usize::try_from(i).ok());
        let flight = index
            .and_then(|i| self.in_flight.get_mut(i))
            .filter(|f| !f.written);
        let Some(flight) = flight else {
            panic!("{lsn:?} is not in flight")
        };
        flight.written = true;
        self.writes_in_flight -= 1;
        let before = self.durable;
        while self.in_flight.front().is_some_and(|flight| flight.written)
            && let Some(flight) = self.in_flight.pop_front()
        {
            self.durable = flight.block.lsn;
            self.pending_bytes -= flight.bytes_used;
            self.done.push_back(flight.block);
        }
        self.assert_invariants();
        self.durable > before
    }

    /// The next durable block, in LSN order.
    pub fn poll_durable(&mut self) -> Option<DurableBlock> {
        self.done.pop_front()
    }

    fn assert_invariants(&self) {
        let undurable = self.in_flight.len() + self.sealed.len() + usize::from(self.open.is_some());
        assert_eq!(
            self.next_lsn.0,
            self.durable.0 + 1 + undurable as u64,
            "LSNs are dense"
        );
        assert!(self.writes_in_flight <= self.in_flight.len());
        assert_eq!(
            undurable == 0,
            self.pending_bytes == 0,
            "every pending byte is in a block"
        );
    }
}

/// What is left to know of the records once they are handed out.
fn described(place: Place, records: &[Record]) -> Vec<DurableRecord> {
    let mut at = place.offset as usize + BLOCK_HEADER_BYTES;
    let describe = |record: &Record| {
        let payload_at = at + RECORD_HEADER_BYTES;
        at = payload_at + record.payload_bytes();
        DurableRecord {
            kind: record.kind(),
            tp: record.tp(),
            position: LogPosition {
                segment: place.segment,
                offset: payload_at as u32,
            },
            bytes: record.payload_bytes() as u32,
            offsets: record.offsets(),
        }
    };
    records.iter().map(describe).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::base::TopicId;
    use crate::base::limits::{KIB, MIB};
    use crate::wal::{Priority, Recovered, SegmentWork, Wal, WalConfig};

    fn wal() -> Wal {
        let segment_bytes = 16 * MIB as u32;
        let disk_bytes_max = 4 * u64::from(segment_bytes);
        let config = WalConfig {
            wal: 0,
            segment_bytes,
            disk_bytes_max,
            run_seed: 1,
        };
        let mut wal = Wal::open(config, &Recovered::fresh(0)).unwrap();
        while let Some(work) = wal.poll_segment() {
            match work {
                SegmentWork::Prepare { slot, .. } => wal.on_prepared(slot),
                SegmentWork::WriteHeader { slot, .. } => wal.on_header_written(slot),
                SegmentWork::WriteManifest { .. } => wal.on_manifest_written(),
                SegmentWork::Shorten { slot, .. } => wal.on_shortened(slot),
                SegmentWork::Delete { slot } => wal.on_deleted(slot),
            }
        }
        wal
    }

    fn append(wal: &mut Wal, bytes: usize) -> Lsn {
        let tp = TopicPartition {
            topic: TopicId([1; 16]),
            partition: 0,
        };
        let record = Record::partition_state(tp, Bytes::from(vec![1; bytes]));
        wal.append(record, Priority::Internal).unwrap()
    }

    #[test]
    fn the_more_is_in_flight_the_fuller_a_block_must_be() {
        let mut wal = wal();
        let headers = BLOCK_HEADER_BYTES + RECORD_HEADER_BYTES;
        let mut plans = Vec::new();
        for in_flight in 0..limits::WAL_WRITES_IN_FLIGHT_MAX {
            let threshold = limits::WAL_GROUP_BYTES_PER_WRITE * in_flight;
            if in_flight > 0 {
                append(&mut wal, threshold - headers - 1);
                assert!(
                    wal.poll_write().is_none(),
                    "a byte too few with {in_flight} in flight"
                );
                // 28 bytes of header alone, which are more than the one missing.
                append(&mut wal, 0);
            } else {
                append(&mut wal, 1);
            }
            plans.push(wal.poll_write().expect("worth a write"));
            assert!(wal.poll_write().is_none(), "nothing is pending");
        }
        // Full blocks wait for a free write only.
        let full = append(&mut wal, MIB);
        assert!(wal.poll_write().is_none());
        wal.on_written(plans[3].lsn);
        assert_eq!(wal.poll_write().map(|plan| plan.lsn), Some(full));
    }

    #[test]
    fn what_arrives_while_a_write_is_in_flight_goes_out_in_the_next() {
        let mut wal = wal();
        append(&mut wal, 10);
        let first = wal.poll_write().expect("nothing is in flight");
        for _ in 0..100 {
            assert_eq!(append(&mut wal, 10), first.lsn.next());
            assert!(wal.poll_write().is_none());
        }
        wal.on_written(first.lsn);
        let second = wal.poll_write().expect("nothing is in flight any more");
        assert_eq!((second.lsn, second.record_count()), (first.lsn.next(), 100));
    }

    #[test]
    fn blocks_are_sealed_at_their_target_and_a_larger_record_has_its_own() {
        let mut wal = wal();
        let mut lsns = Vec::new();
        for kib in [600, 400, 100, 2500, 1, 1024, 1] {
            lsns.push(append(&mut wal, kib * KIB).0);
        }
        assert_eq!(lsns, [1, 1, 2, 3, 4, 5, 6]);
        let plans: Vec<_> = std::iter::from_fn(|| wal.poll_write()).collect();
        let found: Vec<_> = plans
            .iter()
            .map(|plan| (plan.lsn.0, plan.record_count()))
            .collect();
        assert_eq!(
            found,
            [(1, 2), (2, 1), (3, 1), (4, 1), (5, 1)],
            "the last is not worth it"
        );
        let mut next = 4096;
        for plan in &plans {
            assert!(plan.bytes.is_multiple_of(4096) && plan.offset == next);
            next += plan.bytes as u32;
        }
    }

    #[test]
    fn durability_follows_the_unbroken_prefix() {
        let mut wal = wal();
        for _ in 0..5 {
            append(&mut wal, 2 * MIB);
        }
        let plans: Vec<_> = std::iter::from_fn(|| wal.poll_write()).collect();
        assert_eq!(plans.len(), 5);
        assert!(plans.iter().all(|plan| plan.durable() == Lsn(0)));
        for (written, durable) in [(3, 0), (1, 1), (5, 1), (2, 3), (4, 5)] {
            wal.on_written(Lsn(written));
            assert_eq!(wal.durable(), Lsn(durable));
        }
        let lsns: Vec<_> = std::iter::from_fn(|| wal.poll_durable())
            .map(|b| b.lsn.0)
            .collect();
        assert_eq!(lsns, [1, 2, 3, 4, 5]);
    }

    #[test]
    #[should_panic(expected = "Lsn(1) is not in flight")]
    fn a_write_is_not_reported_twice() {
        let mut wal = wal();
        append(&mut wal, 10);
        let plan = wal.poll_write().expect("nothing is in flight");
        wal.on_written(plan.lsn);
        wal.on_written(plan.lsn);
    }

    #[test]
    fn a_block_is_copied_over_whatever_the_buffer_held() {
        let mut wal = wal();
        append(&mut wal, 5000);
        let plan = wal.poll_write().expect("nothing is in flight");
        let mut clean = vec![0; plan.bytes];
        let mut dirty = vec![0xff; plan.bytes];
        plan.copy_to(&mut clean);
        plan.copy_to(&mut dirty);
        assert_eq!(clean, dirty);
    }
}
