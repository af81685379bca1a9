//! What happens when blocks reach the disk: high watermarks move, the tail gets the
//! written buffers, long polls wake, log starts and checkpoints take effect.

use bytes::Bytes;

use super::state::Shard;
use super::tail::TailBlock;
use crate::base::mark::mark;
use crate::base::{LogPosition, Lsn, Now, SegmentId, TopicPartition};
use crate::kafka::batch::BatchHeader;
use crate::partition::{Durable, Placed};
use crate::wal::{BlockPlan, DurableBlock, DurableRecord, RecordKind, decode_log_start};

impl Shard {
    /// Whether anything was appended that no block write has taken yet.
    pub fn has_blocks_to_write(&self) -> bool {
        self.wal.has_blocks_to_write()
    }

    /// The next block to write, if one should be written now.
    pub fn poll_write(&mut self) -> Option<BlockPlan> {
        self.wal.poll_write()
    }

    /// The write of block `lsn` has ended, durably; `written` is the buffer it was written
    /// from. Returns the LSN up to which everything is durable now.
    pub fn on_written(&mut self, now: Now, lsn: Lsn, written: Bytes) -> Lsn {
        self.written.insert(lsn, written);
        self.wal.on_written(lsn);
        while let Some(block) = self.wal.poll_durable() {
            // An empty block only says what is durable; the buffer is kept for the others.
            if let Some(bytes) = self.written.remove(&block.lsn) {
                self.on_block_durable(&block, &bytes);
            }
        }
        let batches = self.needs.batches_in_all();
        self.tail.limit(self.index_memory.tail_bytes_max(batches));
        self.evict_tail(now);
        self.wal.durable()
    }

    /// Writes down that everything is durable when nothing was appended for a while; whether
    /// there is a block to write for it.
    pub fn attest_durable(&mut self) -> bool {
        self.wal.attest_durable()
    }

    fn on_block_durable(&mut self, block: &DurableBlock, bytes: &Bytes) {
        let mut ends: Vec<(TopicPartition, i64)> = Vec::new();
        for record in &block.records {
            let payload = bytes.slice(block.range(record));
            match record.kind {
                RecordKind::Batch => {
                    if let Some(end) = self.on_batch_durable(block.segment, record, payload) {
                        match ends.last_mut() {
                            Some(last) if last.0 == record.tp => last.1 = end,
                            _ => ends.push((record.tp, end)),
                        }
                    }
                }
                RecordKind::LogStart => {
                    if let Some(offset) = decode_log_start(&payload) {
                        self.on_log_start_durable(record.tp, offset, block.segment);
                    }
                }
                RecordKind::PartitionState => {
                    self.on_checkpoint_durable(record.tp, block.segment);
                }
            }
        }
        if !ends.is_empty() {
            self.tail.push(TailBlock {
                bytes: bytes.len(),
                start: LogPosition {
                    segment: block.segment,
                    offset: block.offset,
                },
                ends,
            });
        }
    }

    /// The offset after the batch; `None` when its topic was deleted meanwhile.
    fn on_batch_durable(
        &mut self,
        segment: SegmentId,
        record: &DurableRecord,
        payload: Bytes,
    ) -> Option<i64> {
        let Some(held) = self.partitions.get_mut(&record.tp) else {
            mark!("shard.durable.batch-of-deleted-topic");
            return None;
        };
        let header = BatchHeader::decode(&payload).ok()?;
        held.state_since.get_or_insert(segment);
        self.needs.add(segment, 1);
        let Durable {
            high_watermark,
            bytes,
            waiters,
        } = held
            .log
            .on_durable(Placed::new(&header, record.position, Some(payload)));
        for &waiter in waiters {
            self.waiters.on_bytes(waiter, bytes as usize);
        }
        Some(high_watermark)
    }

    /// Lets go of the oldest blocks in memory while there are too many.
    fn evict_tail(&mut self, now: Now) {
        while let Some(block) = self.tail.poll_evict(now.mono_ms) {
            for (tp, end) in block.ends {
                if let Some(held) = self.partitions.get_mut(&tp) {
                    held.log.evict_tail_before(end);
                }
            }
        }
    }
}
