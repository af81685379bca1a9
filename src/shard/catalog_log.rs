//! The catalogue as a log: shard 0 decides, appends the records to the catalogue's
//! own partition, and once they are durable every shard replays them.

use bytes::Bytes;

use super::append::Blocked;
use super::state::{CATALOG_LOG, Shard};
use crate::base::limits::WAL_ALIGN;
use crate::base::mark::mark;
use crate::base::{Lsn, Now, TopicId, TopicPartition};
use crate::catalog::{CatalogRecord, CatalogReply, CatalogRequest, Change, Decision, DecodeError};
use crate::kafka::record::BatchBuilder;
use crate::partition::{Origin, Verdict};
use crate::wal::Priority;

/// Bytes of catalogue records in one batch.
const BATCH_BYTES: usize = 256 * 1024;

/// What a request to the catalogue leads to.
#[derive(Debug)]
pub struct CatalogChange {
    /// The answer, to be given once the batches are durable and every shard has
    /// replayed the records.
    pub reply: CatalogReply,
    /// The records, encoded; none when nothing changes.
    pub records: Vec<Bytes>,
    /// Topics that are to be compacted from now on, which the broker does not do.
    pub newly_compacted: Vec<String>,
    /// The same records as batches for [`Shard::append_catalog`].
    pub batches: Vec<Bytes>,
}

impl Shard {
    /// Decides a request. Shard 0 only, and never before the records of the last change
    /// were replayed here.
    pub fn decide_catalog(
        &self,
        now: Now,
        fresh_ids: &mut dyn FnMut() -> TopicId,
        request: &CatalogRequest,
    ) -> CatalogChange {
        let decision = self.catalog.decide(now, fresh_ids, request);
        let newly_compacted = decision.newly_compacted(&self.catalog);
        let Decision { records, reply } = decision;
        let records: Vec<Bytes> = records.iter().map(|r| r.encode().into()).collect();
        CatalogChange {
            reply,
            newly_compacted,
            batches: batches(now, &records),
            records,
        }
    }

    /// The whole catalogue as batches, to be appended at the end of its log. Once they are
    /// durable, [`Shard::trim_catalog`] may drop what came before the first.
    pub fn snapshot_catalog(&self, now: Now) -> Vec<Bytes> {
        let records = self.catalog.snapshot();
        let records: Vec<Bytes> = records.iter().map(|r| r.encode().into()).collect();
        batches(now, &records)
    }

    /// Bytes of WAL that writing the catalogue again takes, about: its batches and a log start,
    /// each in a block of its own.
    pub(super) fn rewriting_bytes(&self) -> usize {
        let records = self.catalog.snapshot();
        let bytes: usize = records.iter().map(|r| r.encode().len()).sum();
        bytes.next_multiple_of(WAL_ALIGN) + WAL_ALIGN
    }

    /// Appends one batch to the catalogue's partition: its offset and when it is durable.
    pub fn append_catalog(&mut self, now: Now, batch: &Bytes) -> Result<(i64, Lsn), Blocked> {
        self.wal.can_append(batch.len(), Priority::Internal)?;
        let checked = self.partitions.get_mut(&CATALOG_LOG).map(|held| {
            let verdict = held.log.check(now, batch.clone(), Origin::Internal);
            (held, verdict)
        });
        let Some((held, Ok(Verdict::New(candidate)))) = checked else {
            panic!("only shard 0 has the catalogue's log, and its batches are well formed");
        };
        let placed = held.log.commit(candidate);
        let offset = placed.base_offset;
        Ok((offset, self.log(CATALOG_LOG, placed, Priority::Internal)))
    }

    /// The offset that the catalogue's next record will have.
    pub fn catalog_end(&self) -> i64 {
        self.partitions
            .get(&CATALOG_LOG)
            .map_or(0, |held| held.log.log_end())
    }

    /// Drops the catalogue's log before `offset`.
    pub fn trim_catalog(&mut self, offset: i64) {
        // Without room it is tried again after the next snapshot.
        let _ = self.log_start(CATALOG_LOG, offset);
    }

    /// Replays records that are durable.
    pub fn apply_catalog(&mut self, records: &[Bytes]) -> Result<(), DecodeError> {
        for record in records {
            let record = CatalogRecord::decode(record)?;
            if let CatalogRecord::TopicDeleted { topic } = &record
                && let Some(name) = self.catalog.topic_by_id(*topic).map(|t| t.name.clone())
            {
                self.on_topic_deleted(&name);
            }
            let change = self.catalog.replay(&record);
            self.on_catalog_change(change);
        }
        Ok(())
    }

    fn on_catalog_change(&mut self, change: Change) {
        if !matches!(change, Change::None | Change::ConfigChanged { .. }) {
            self.topics_version += 1;
        }
        match change {
            Change::None => {}
            Change::TopicCreated {
                topic,
                partitions,
                log,
            } => {
                for partition in 0..partitions {
                    self.create_partition(TopicPartition { topic, partition }, log);
                }
            }
            Change::PartitionsAdded { topic, added, log } => {
                for partition in added {
                    self.create_partition(TopicPartition { topic, partition }, log);
                }
            }
            Change::ConfigChanged { topic, log } => self.set_log_config(topic, log),
            Change::TopicDeleted { topic, partitions } => {
                for partition in 0..partitions {
                    self.drop_partition(TopicPartition { topic, partition });
                }
            }
        }
    }

    fn set_log_config(&mut self, topic: TopicId, log: crate::base::LogConfig) {
        let partitions = self.catalog.topic_by_id(topic).map_or(0, |t| t.partitions);
        for partition in 0..partitions {
            if let Some(held) = self
                .partitions
                .get_mut(&TopicPartition { topic, partition })
            {
                held.log.set_config(log);
            }
        }
    }

    fn drop_partition(&mut self, tp: TopicPartition) {
        let Some(held) = self.partitions.remove(&tp) else {
            return;
        };
        self.readers.forget(tp);
        self.producers.on_change(held.log.producer_count(), 0);
        for &waiter in held.log.waiters() {
            mark!("shard.catalog.deleted-while-watched");
            self.waiters.wake(waiter);
        }
        for held in held.log.segments() {
            self.release(held.segment, held.batches);
        }
    }
}

/// Records as batches of about [`BATCH_BYTES`].
fn batches(now: Now, records: &[Bytes]) -> Vec<Bytes> {
    let mut batches = Vec::new();
    let mut builder = BatchBuilder::new(now.wall_ms);
    let mut bytes = 0;
    for record in records {
        if bytes > 0 && bytes + record.len() > BATCH_BYTES {
            let full = std::mem::replace(&mut builder, BatchBuilder::new(now.wall_ms));
            batches.push(full.build());
            bytes = 0;
        }
        builder = builder.record(now.wall_ms, None, Some(record));
        bytes += record.len();
    }
    if bytes > 0 {
        batches.push(builder.build());
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::batch::HEADER_BYTES;
    use crate::kafka::record::RecordIter;

    #[test]
    fn records_are_cut_into_batches_of_a_bounded_size() {
        let now = Now {
            wall_ms: 5,
            mono_ms: 0,
        };
        // Sizes of the records, and how many of them each batch has.
        let table: [(&[usize], &[usize]); 6] = [
            (&[], &[]),
            (&[10], &[1]),
            (&[BATCH_BYTES / 2, BATCH_BYTES / 2], &[2]),
            (&[BATCH_BYTES / 2, BATCH_BYTES / 2 + 1], &[1, 1]),
            (&[BATCH_BYTES + 1, 1, 1], &[1, 2]),
            (&[1, BATCH_BYTES, 1, BATCH_BYTES - 1, 1], &[1, 1, 2, 1]),
        ];
        for (sizes, expected) in table {
            let records = sizes.iter().zip(0..);
            let records: Vec<Bytes> = records.map(|(&len, i)| vec![i; len].into()).collect();
            let batches = batches(now, &records);
            let values = |batch: &Bytes| -> Vec<Bytes> {
                let section = &batch[HEADER_BYTES..];
                let values = RecordIter::new(section).map(|record| record.unwrap().value.unwrap());
                values.map(Bytes::copy_from_slice).collect()
            };
            let found: Vec<Vec<Bytes>> = batches.iter().map(values).collect();
            let counts: Vec<usize> = found.iter().map(Vec::len).collect();
            assert_eq!(counts, expected, "{sizes:?}");
            assert!(found.concat() == records, "{sizes:?}");
        }
    }
}
