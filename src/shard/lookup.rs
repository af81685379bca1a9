//! Questions about offsets, epochs and producers.

use super::fetch::epoch_error;
use super::request::{
    EpochEndEntry, EpochEndResult, ListOffsetsEntry, ListOffsetsResult, ProducerState,
};
use super::state::Shard;
use crate::base::TopicPartition;
use crate::kafka::ErrorCode;
use crate::partition::{Listed, OffsetAnswer, Piece, TimeScan};

/// The answer to one partition of a ListOffsets, or what must be read to find it.
#[derive(Debug)]
pub enum ListOffsetsPlan {
    /// Known from memory.
    Known(ListOffsetsResult),
    /// In this batch; a cold one stays where it is until [`Shard::on_read_done`].
    Scan(TimeScan),
}

impl Shard {
    /// Looks up an offset by time or by name; with `from_offset` it goes on where the scan
    /// of a batch has found nothing.
    pub fn list_offset(
        &mut self,
        entry: &ListOffsetsEntry,
        from_offset: Option<i64>,
    ) -> ListOffsetsPlan {
        let nothing = |error| {
            let result = ListOffsetsResult {
                error,
                timestamp: -1,
                offset: -1,
                leader_epoch: -1,
            };
            ListOffsetsPlan::Known(result)
        };
        let log = match self.held(entry.tp) {
            Ok(held) => &held.log,
            Err(error) => return nothing(error),
        };
        if let Err(error) = log.check_leader_epoch(entry.current_leader_epoch) {
            return nothing(epoch_error(error));
        }
        let listed = match from_offset {
            Some(offset) => log.list_offset_from(entry.timestamp, offset),
            None => log.list_offset(entry.timestamp),
        };
        match listed {
            Listed::Known(OffsetAnswer {
                offset,
                timestamp,
                leader_epoch,
            }) => {
                let error = ErrorCode::NONE;
                let result = ListOffsetsResult {
                    error,
                    timestamp,
                    offset,
                    leader_epoch,
                };
                ListOffsetsPlan::Known(result)
            }
            Listed::Scan(scan) => {
                if let Piece::Cold(cold) = &scan.piece {
                    self.needs.pin(cold.position.segment);
                }
                ListOffsetsPlan::Scan(scan)
            }
        }
    }

    /// Where leader epochs end (KIP-101).
    pub fn epoch_ends(&self, entries: &[EpochEndEntry]) -> Vec<EpochEndResult> {
        let end = |entry: &EpochEndEntry| {
            let log = &self.held(entry.tp)?.log;
            log.check_leader_epoch(entry.current_leader_epoch)
                .map_err(epoch_error)?;
            Ok(log.end_offset_for(entry.leader_epoch))
        };
        let result = |entry| match end(entry) {
            Ok(end) => EpochEndResult {
                error: ErrorCode::NONE,
                leader_epoch: end.epoch,
                end_offset: end.end_offset,
            },
            Err(error) => EpochEndResult {
                error,
                leader_epoch: -1,
                end_offset: -1,
            },
        };
        entries.iter().map(result).collect()
    }

    /// The idempotent producers that each partition remembers (KIP-664).
    pub fn describe_producers(
        &self,
        partitions: &[TopicPartition],
    ) -> Vec<Result<Vec<ProducerState>, ErrorCode>> {
        let describe = |tp: &TopicPartition| {
            let views = self.held(*tp)?.log.producers();
            Ok(views
                .map(|view| ProducerState {
                    producer_id: view.producer_id,
                    producer_epoch: view.epoch,
                    last_sequence: view.last_sequence,
                    last_timestamp: view.last_timestamp,
                })
                .collect())
        };
        partitions.iter().map(describe).collect()
    }
}
