//! One group: what is on disk of it, and the members as they are now.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::classic::Classic;
use super::consumer::ConsumerGroup;
use super::record::{Change, Committed, GroupMetadata};

/// What a group costs beside its members and offsets, bytes, about.
const GROUP_OVERHEAD: usize = 512;
/// What an offset costs beside its metadata, bytes, about.
const OFFSET_OVERHEAD: usize = 96;
/// What a topic costs beside its name, bytes, about.
const TOPIC_OVERHEAD: usize = 128;

/// More than the record of an offset takes beside its names and metadata.
pub(super) const OFFSET_RECORD_BYTES: usize = 96;

/// A group's offsets, by topic and partition.
pub(super) type Offsets = BTreeMap<Arc<str>, BTreeMap<i32, Committed>>;

/// A group.
#[derive(Debug)]
pub(super) struct Group {
    pub id: Arc<str>,
    /// Its last record, which only [`Group::apply`] changes.
    saved: Option<GroupMetadata>,
    /// Its offsets, which only [`Group::apply`] changes.
    offsets: Offsets,
    offset_bytes: usize,
    /// Its members as they are now. A restart goes back to `saved`.
    pub classic: Classic,
    /// Its members if the coordinator assigns (KIP-848); `classic` has none then.
    pub consumer: Option<Box<ConsumerGroup>>,
}

impl Group {
    pub(super) fn new(id: Arc<str>) -> Group {
        Group {
            id,
            saved: None,
            offsets: BTreeMap::new(),
            offset_bytes: 0,
            classic: Classic::default(),
            consumer: None,
        }
    }

    /// Takes in what a record says; it must be about this group.
    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::Group { metadata, .. } => self.saved = metadata,
            Change::Consumer(change) => {
                let new = || Box::new(ConsumerGroup::new(self.id.clone()));
                let consumer = self.consumer.get_or_insert_with(new);
                consumer.apply(change);
                if consumer.is_nothing() {
                    self.consumer = None;
                }
            }
            Change::Offset {
                topic,
                partition,
                committed,
                ..
            } => match committed {
                Some(committed) => self.put(topic, partition, committed),
                None => self.forget(&topic, partition),
            },
        }
    }

    fn put(&mut self, topic: Arc<str>, partition: i32, committed: Committed) {
        let added = OFFSET_OVERHEAD + committed.metadata.len();
        let topic_bytes = TOPIC_OVERHEAD + topic.len();
        let partitions = self.offsets.entry(topic).or_insert_with(|| {
            self.offset_bytes += topic_bytes;
            BTreeMap::new()
        });
        self.offset_bytes += added;
        if let Some(old) = partitions.insert(partition, committed) {
            self.offset_bytes -= OFFSET_OVERHEAD + old.metadata.len();
        }
    }

    fn forget(&mut self, topic: &Arc<str>, partition: i32) {
        let Some(partitions) = self.offsets.get_mut(topic) else {
            return;
        };
        if let Some(old) = partitions.remove(&partition) {
            self.offset_bytes -= OFFSET_OVERHEAD + old.metadata.len();
        }
        if partitions.is_empty() {
            self.offset_bytes -= TOPIC_OVERHEAD + topic.len();
            self.offsets.remove(topic);
        }
    }

    /// Its offsets.
    pub(super) fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    /// The offset of a partition.
    pub(super) fn offset(&self, topic: &str, partition: i32) -> Option<&Committed> {
        self.offsets.get(topic)?.get(&partition)
    }

    /// Its last record.
    pub(super) fn saved(&self) -> Option<&GroupMetadata> {
        self.saved.as_ref()
    }

    /// Whether nothing would be lost if it were forgotten.
    pub(super) fn is_nothing(&self) -> bool {
        self.saved.is_none()
            && self.offsets.is_empty()
            && self.classic.is_vacant()
            && self
                .consumer
                .as_ref()
                .is_none_or(|consumer| consumer.is_nothing())
    }

    /// Whether members are here for whom the coordinator assigns.
    pub(super) fn has_consumers(&self) -> bool {
        self.consumer
            .as_ref()
            .is_some_and(|consumer| !consumer.is_empty())
    }

    /// Bytes of memory that it takes, about.
    pub(super) fn bytes(&self) -> usize {
        let consumer = self
            .consumer
            .as_ref()
            .map_or(0, |consumer| consumer.bytes());
        GROUP_OVERHEAD + 2 * self.id.len() + self.offset_bytes + self.classic.bytes() + consumer
    }

    /// Bytes of the records that forget all its offsets, at most.
    pub(super) fn offset_bytes(&self, id: &str) -> usize {
        let record = |topic: &str, partitions: usize| {
            partitions * (topic.len() + id.len() + OFFSET_RECORD_BYTES)
        };
        self.offsets
            .iter()
            .map(|(topic, partitions)| record(topic, partitions.len()))
            .sum()
    }

    /// What would make this group again, as changes.
    pub(super) fn changes(&self) -> impl Iterator<Item = Change> {
        let metadata = self.saved.iter().map(|saved| Change::Group {
            group: self.id.clone(),
            metadata: Some(saved.clone()),
        });
        let offsets = self.offsets.iter().flat_map(|(topic, partitions)| {
            partitions
                .iter()
                .map(|(&partition, committed)| Change::Offset {
                    group: self.id.clone(),
                    topic: topic.clone(),
                    partition,
                    committed: Some(committed.clone()),
                })
        });
        let consumer = self.consumer.iter().flat_map(|consumer| consumer.changes());
        metadata
            .chain(offsets)
            .chain(consumer.map(Change::Consumer))
    }
}
