//! The WAL of one shard: records in, blocks and work on files out.

use thiserror::Error;

use super::batcher::{Batcher, DurableBlock, Place};
use super::block::{self, BLOCK_HEADER_BYTES};
use super::plan::BlockPlan;
use super::record::{RECORD_HEADER_BYTES, Record};
use super::recovery::Recovered;
use super::segment::SEGMENT_HEADER_BYTES;
use super::segments::{Active, ReclaimError, Segments, Spare};
use super::{LiveSegment, SegmentWork, WalConfig, WalConfigError, WalStats};
use crate::base::mark::mark;
use crate::base::{Lsn, SegmentId, limits};

/// Who appends, which decides who is refused first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Priority {
    /// What clients produce.
    Data,
    /// The broker's own records: log starts, checkpoints, the catalogue. They may use the reserve
    /// of the disk budget, because they are what frees space.
    Internal,
}

/// Why a record is not appended. Nothing has changed then.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum AppendError {
    /// The disk budget, or the disk itself, leaves no room until segments are reclaimed.
    #[error("the WAL's disk budget is used up")]
    Full,
    /// Room is on its way: try again once a write or a piece of segment work has ended.
    #[error("the WAL is waiting for its disk")]
    Busy,
    /// No segment of this WAL can ever hold the record.
    #[error("a record of {0} bytes fits in no WAL segment")]
    TooLarge(usize),
}

/// Where the next record goes.
enum Fit {
    /// Into the open block.
    Open,
    /// Into a new block of the active segment.
    Active,
    /// Into the next segment.
    Next(Spare),
}

/// The WAL of one shard. See the module for the rules.
#[derive(Debug)]
pub struct Wal {
    batcher: Batcher,
    segments: Segments,
    /// The highest LSN that a durable block says is durable.
    attested: Lsn,
    /// The last block that holds a record.
    last_data: Lsn,
    /// The broker's own records found no room.
    starved: bool,
}

impl Wal {
    /// Opens the shard's own WAL after recovery. The files of `recovered.sync` must have been
    /// flushed before.
    ///
    /// # Errors
    /// See [`WalConfigError`].
    pub fn open(config: WalConfig, recovered: &Recovered) -> Result<Wal, WalConfigError> {
        config.check()?;
        Ok(Wal {
            batcher: Batcher::new(recovered.next_lsn),
            segments: Segments::open(config, false, recovered),
            attested: Lsn(0),
            last_data: Lsn(0),
            starved: false,
        })
    }

    /// The WAL's number.
    pub fn wal(&self) -> u16 {
        self.segments.config.wal
    }

    /// Whether a record with a payload of this size may be appended now. Ask before changing any
    /// state that the append would make true: if this says yes, the next [`append`](Self::append)
    /// of such a record does not fail.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub fn can_append(
        &mut self,
        payload_bytes: usize,
        priority: Priority,
    ) -> Result<(), AppendError> {
        self.admit(payload_bytes, priority).map(drop)
    }

    fn admit(&mut self, payload_bytes: usize, priority: Priority) -> Result<Fit, AppendError> {
        let bytes = RECORD_HEADER_BYTES.saturating_add(payload_bytes);
        if bytes > self.record_bytes_max() {
            mark!("wal.append.too-large");
            return Err(AppendError::TooLarge(payload_bytes));
        }
        let (pending_max, reserve) = match priority {
            Priority::Data => (
                limits::WAL_PENDING_BYTES_MAX,
                limits::WAL_RESERVE_SEGMENTS as i64,
            ),
            Priority::Internal => (2 * limits::WAL_PENDING_BYTES_MAX, 0),
        };
        let fit = self.fit(bytes);
        let rolls = !matches!(fit, Some(Fit::Open | Fit::Active));
        if self.segments.headroom(priority) - i64::from(rolls) < reserve {
            if priority == Priority::Internal {
                mark!("wal.append.full-for-internal");
                self.starved = true;
            }
            mark!("wal.append.full");
            return Err(AppendError::Full);
        }
        let fit = fit.filter(|_| self.batcher.pending_bytes() < pending_max);
        fit.ok_or_else(|| {
            mark!("wal.append.busy");
            AppendError::Busy
        })
    }

    /// Queues a record. Returns the LSN of the block that will carry it: the record is durable
    /// when that LSN is.
    ///
    /// # Errors
    /// See [`AppendError`]; nothing has changed then.
    pub fn append(&mut self, record: Record, priority: Priority) -> Result<Lsn, AppendError> {
        match self.admit(record.payload_bytes(), priority)? {
            Fit::Open => {}
            Fit::Active => {
                self.seal();
                self.open_block();
            }
            Fit::Next(spare) => {
                self.seal();
                self.segments.roll(spare, self.batcher.next_lsn());
                self.open_block();
            }
        }
        let lsn = self.batcher.push(record).ok_or(AppendError::Busy)?;
        self.last_data = lsn;
        if self.batcher.open_bytes() >= limits::WAL_BLOCK_BYTES_TARGET {
            self.seal();
        }
        Ok(lsn)
    }

    /// Most bytes of a record's payload in a segment of this WAL.
    pub fn payload_bytes_max(&self) -> usize {
        self.record_bytes_max() - RECORD_HEADER_BYTES
    }

    /// Most bytes of a record, its header included, in a segment of this WAL.
    fn record_bytes_max(&self) -> usize {
        let block = self.segments.config.segment_bytes as usize - SEGMENT_HEADER_BYTES;
        block.min(limits::WAL_BLOCK_BYTES_MAX) - BLOCK_HEADER_BYTES
    }

    /// `None` while the next segment is needed and not ready.
    fn fit(&self, record_bytes: usize) -> Option<Fit> {
        let next = || self.segments.next_ready().map(Fit::Next);
        let Some(active) = self.segments.active() else {
            return next();
        };
        let file_bytes = active.file_bytes as usize;
        let (start, open) = (active.next_offset as usize, self.batcher.open_bytes());
        let grown = open + record_bytes;
        if open > 0
            && grown <= limits::WAL_BLOCK_BYTES_TARGET
            && start + block::align_up(grown) <= file_bytes
        {
            return Some(Fit::Open);
        }
        let alone = block::align_up(BLOCK_HEADER_BYTES + record_bytes);
        if start + block::align_up(open) + alone <= file_bytes {
            Some(Fit::Active)
        } else {
            next()
        }
    }

    fn open_block(&mut self) {
        if let Some(&Active {
            id,
            slot,
            incarnation,
            next_offset,
            ..
        }) = self.segments.active()
        {
            self.batcher.open(Place {
                segment: id,
                slot,
                incarnation,
                offset: next_offset,
            });
        }
    }

    fn seal(&mut self) {
        let bytes = self.batcher.seal();
        self.segments.advance(bytes);
    }

    /// The next block to write, if one should be written now: call it after appends and after
    /// completions until it gives `None`.
    pub fn poll_write(&mut self) -> Option<BlockPlan> {
        if !self.batcher.has_write_free() {
            return None;
        }
        if !self.batcher.has_sealed() {
            if !self.batcher.open_is_worth_a_write() {
                return None;
            }
            self.seal();
        }
        self.batcher.next_plan()
    }

    /// Whether anything was appended that [`poll_write`](Self::poll_write) has not handed out,
    /// be it because enough writes are in flight.
    pub fn has_blocks_to_write(&self) -> bool {
        self.batcher.has_sealed() || self.batcher.open_bytes() > 0
    }

    /// The write of a block has ended well, durably. In any order. A write that failed is never
    /// reported: the process ends.
    ///
    /// # Panics
    /// When no such write is in flight.
    pub fn on_written(&mut self, lsn: Lsn) {
        self.batcher.on_written(lsn);
    }

    /// The next block that has become durable, in LSN order.
    pub fn poll_durable(&mut self) -> Option<DurableBlock> {
        let block = self.batcher.poll_durable()?;
        self.attested = self.attested.max(block.attests);
        Some(block)
    }

    /// Everything up to this LSN is durable.
    pub fn durable(&self) -> Lsn {
        self.batcher.durable()
    }

    /// Puts on disk that everything is durable, in an empty block, if no block there says so yet
    /// (or in a manifest, where a block has no room). Without it, damage to the last blocks of a
    /// WAL looks like the tail of a crash. Worth calling when nothing was appended for a while;
    /// returns whether there is a block to write.
    pub fn attest_durable(&mut self) -> bool {
        let all_durable = self.batcher.pending_bytes() == 0;
        let wanted = all_durable && self.attested < self.last_data;
        let Some(active) = self.segments.active().filter(|_| wanted) else {
            return false;
        };
        if active.next_offset == active.file_bytes {
            mark!("wal.attest.in-manifest");
            self.attested = self.last_data;
            self.segments.want_manifest();
            return false;
        }
        mark!("wal.attest.in-block");
        self.open_block();
        self.seal();
        true
    }

    /// The next piece of work on segment files, if there is any; several may be under way.
    pub fn poll_segment(&mut self) -> Option<SegmentWork> {
        self.segments
            .poll(self.batcher.next_lsn(), self.batcher.durable())
    }

    /// [`SegmentWork::Prepare`] is done.
    pub fn on_prepared(&mut self, slot: u32) {
        self.segments.on_prepared(slot);
    }

    /// [`SegmentWork::Prepare`] found no room on the disk. The budget counts as used up until
    /// [`retry`](Self::retry).
    pub fn on_prepare_failed(&mut self, slot: u32) {
        self.segments.on_prepare_failed(slot);
    }

    /// [`SegmentWork::WriteHeader`] is done.
    pub fn on_header_written(&mut self, slot: u32) {
        self.segments.on_header_written(slot);
    }

    /// [`SegmentWork::WriteManifest`] is done.
    pub fn on_manifest_written(&mut self) {
        self.segments.on_manifest_written();
    }

    /// [`SegmentWork::WriteManifest`] found no room on the disk, and the old manifest is still in
    /// place. It is written again after [`retry`](Self::retry).
    pub fn on_manifest_failed(&mut self) {
        self.segments.on_manifest_failed();
    }

    /// [`SegmentWork::Shorten`] is done.
    pub fn on_shortened(&mut self, slot: u32) {
        self.segments.on_shortened(slot);
    }

    /// [`SegmentWork::Shorten`] found no room; it is tried again after [`retry`](Self::retry).
    pub fn on_shorten_failed(&mut self, slot: u32) {
        self.segments.on_shorten_failed(slot);
    }

    /// [`SegmentWork::Delete`] is done.
    pub fn on_deleted(&mut self, slot: u32) {
        self.segments.on_deleted(slot);
    }

    /// Tries again what found no room on the disk. If the broker's own records found none, they
    /// may pass the budget by another segment: without them nothing would ever be given up
    /// again. The driver decides when.
    pub fn retry(&mut self) {
        self.segments.overdraw(std::mem::take(&mut self.starved));
        self.segments.retry();
    }

    /// Writes a manifest that carries the durable LSN: the last act of a clean stop, after which
    /// any damage at all is told from the tail of a crash.
    pub fn close(&mut self) {
        self.segments.want_manifest();
    }

    /// Whether everything appended is durable and the manifest is as it should be.
    pub fn is_closed(&self) -> bool {
        self.batcher.pending_bytes() == 0 && self.segments.is_manifest_current()
    }

    /// Gives up a segment in which nothing is live. Its file is used again, or deleted, once a
    /// manifest without it is durable and nobody has it pinned.
    ///
    /// # Errors
    /// See [`ReclaimError`].
    pub fn reclaim(&mut self, segment: SegmentId) -> Result<(), ReclaimError> {
        self.segments.reclaim(segment, self.batcher.durable())
    }

    /// Keeps the file of a segment as it is until [`unpin`](Self::unpin), for a reader. Returns
    /// the slot to read, or `None` when the segment has been reclaimed.
    pub fn pin(&mut self, segment: SegmentId) -> Option<u32> {
        self.segments.pin(segment)
    }

    /// Ends one [`pin`](Self::pin), by the slot that it returned.
    ///
    /// # Panics
    /// When the slot is not pinned.
    pub fn unpin(&mut self, slot: u32) {
        self.segments.unpin(slot);
    }

    /// The segments that hold blocks, in LSN order.
    pub fn live_segments(&self) -> impl Iterator<Item = LiveSegment> + '_ {
        self.segments.live()
    }

    /// The state in figures.
    pub fn stats(&self) -> WalStats {
        WalStats {
            pending_bytes: self.batcher.pending_bytes(),
            writes_in_flight: self.batcher.writes_in_flight(),
            ..self.segments.stats()
        }
    }
}
