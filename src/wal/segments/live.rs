//! The segments that hold blocks: taking them, giving them up, reading them.

use super::Segments;
use super::slot::{Active, ReclaimError, Spare, State};
use crate::base::mark::mark;
use crate::base::{Lsn, SegmentId};
use crate::wal::segment::SEGMENT_HEADER_BYTES;
use crate::wal::{LiveSegment, Priority, WalStats};

impl Segments {
    /// The segment that takes the blocks.
    pub fn active(&self) -> Option<&Active> {
        self.active.as_ref()
    }

    /// The active segment's next block begins `bytes` further on.
    pub fn advance(&mut self, bytes: usize) {
        if let Some(active) = &mut self.active {
            active.next_offset += bytes as u32;
            assert!(
                active.next_offset <= active.file_bytes,
                "blocks stay inside their segment"
            );
        }
    }

    /// The next life in order of sequence, and only that one, if it is ready: blocks fill lives in
    /// their order.
    pub fn next_ready(&self) -> Option<Spare> {
        let after = self.active.map_or(0, |active| active.id.sequence + 1);
        let unused = self.lives.range(after..).find_map(|(_, slot)| {
            let file = self.slots.get(slot)?;
            let is_full = matches!(file.state, State::Sealed { .. });
            (!is_full).then_some((*slot, file))
        });
        let (slot, file) = unused?;
        let State::Ready { life } = file.state else {
            return None;
        };
        Some(Spare {
            slot,
            life,
            file_bytes: file.bytes,
        })
    }

    /// Seals the active segment before `next_lsn` and makes `spare` active, which
    /// [`next_ready`](Self::next_ready) has given.
    pub fn roll(&mut self, spare: Spare, next_lsn: Lsn) {
        let Spare {
            slot,
            life,
            file_bytes,
        } = spare;
        if let Some(full) = self.active.take()
            && let Some(State::Active { life, first_lsn }) = self.state(full.slot)
        {
            assert!(first_lsn < next_lsn, "no segment is sealed without a block");
            let bytes_used = full.next_offset;
            self.set(
                full.slot,
                State::Sealed {
                    life,
                    first_lsn,
                    end_lsn: next_lsn,
                    bytes_used,
                },
            );
        }
        self.active = Some(Active {
            id: SegmentId {
                wal: self.config.wal,
                sequence: life.sequence,
            },
            slot,
            incarnation: life.incarnation,
            file_bytes,
            next_offset: SEGMENT_HEADER_BYTES as u32,
        });
        self.set(
            slot,
            State::Active {
                life,
                first_lsn: next_lsn,
            },
        );
    }

    /// Gives up a segment that holds nothing live.
    pub fn reclaim(&mut self, id: SegmentId, durable: Lsn) -> Result<(), ReclaimError> {
        let slot = self.live_slot(id).ok_or(ReclaimError::Unknown)?;
        match self.state(slot) {
            Some(State::Sealed { end_lsn, .. }) if end_lsn.0 <= durable.0 + 1 => {
                self.lives.remove(&id.sequence);
                self.manifest_wanted = true;
                self.set(
                    slot,
                    State::Reclaimed {
                        generation: self.next_generation,
                    },
                );
                Ok(())
            }
            _ => {
                mark!("wal.segments.reclaim-too-early");
                Err(ReclaimError::InUse)
            }
        }
    }

    /// The slot of a segment that has blocks.
    fn live_slot(&self, id: SegmentId) -> Option<u32> {
        let slot = *self
            .lives
            .get(&id.sequence)
            .filter(|_| id.wal == self.config.wal)?;
        let live = matches!(
            self.state(slot)?,
            State::Active { .. } | State::Sealed { .. }
        );
        live.then_some(slot)
    }

    /// See [`Wal::pin`](super::Wal::pin).
    pub fn pin(&mut self, id: SegmentId) -> Option<u32> {
        let slot = self.live_slot(id)?;
        self.slots.get_mut(&slot)?.pins += 1;
        Some(slot)
    }

    /// See [`Wal::unpin`](super::Wal::unpin).
    pub fn unpin(&mut self, slot: u32) {
        let pins = self
            .slots
            .get_mut(&slot)
            .map(|file| &mut file.pins)
            .filter(|pins| **pins > 0);
        let Some(pins) = pins else {
            panic!("slot {slot} is not pinned")
        };
        *pins -= 1;
        if *pins == 0 {
            self.settle(slot);
        }
    }

    /// The segments that hold blocks, in LSN order.
    pub fn live(&self) -> impl Iterator<Item = LiveSegment> + '_ {
        let wal = self.config.wal;
        self.lives.iter().filter_map(move |(&sequence, &slot)| {
            let id = SegmentId { wal, sequence };
            match self.state(slot)? {
                State::Sealed {
                    first_lsn,
                    end_lsn,
                    bytes_used,
                    ..
                } => Some(LiveSegment {
                    id,
                    slot,
                    first_lsn,
                    end_lsn: Some(end_lsn),
                    bytes_used,
                }),
                State::Active { first_lsn, .. } => {
                    let bytes_used = self.active?.next_offset;
                    Some(LiveSegment {
                        id,
                        slot,
                        first_lsn,
                        end_lsn: None,
                        bytes_used,
                    })
                }
                _ => None,
            }
        })
    }

    /// Segments that records of this priority may still roll into.
    pub fn headroom(&self, priority: Priority) -> i64 {
        self.room.headroom(priority, self.fill_stalled)
    }

    /// What concerns files in the figures of the WAL.
    pub fn stats(&self) -> WalStats {
        let data_headroom_segments = self.headroom(Priority::Data);
        WalStats {
            data_headroom_segments,
            ..self.room.stats()
        }
    }
}
