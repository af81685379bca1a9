//! What a group needs to know that others decide: topics, and what is set for the group itself.

use std::sync::Arc;

use super::config::ConsumerOverrides;
use crate::base::TopicId;

/// The topics there are, as the shard knows them now.
pub trait Topics {
    /// Changes whenever any other answer may have changed. A group looks at its topics again
    /// only when this is another number than last time, so that heartbeats cost nothing.
    fn version(&self) -> u64;
    /// Id and number of partitions of a topic.
    fn named(&self, name: &str) -> Option<(TopicId, i32)>;
    /// The name of a topic.
    fn name_of(&self, id: TopicId) -> Option<Arc<str>>;
    /// Calls back with the name of each topic.
    fn for_each(&self, call: &mut dyn FnMut(&Arc<str>));
    /// How many partitions there are, all topics together.
    fn partitions(&self) -> usize;
    /// What is set for a group in place of the settings of all.
    fn overrides_of(&self, group: &str) -> ConsumerOverrides;
}

/// A number that differs, as good as surely, when one of the topics came, went, got partitions
/// or was created anew (KIP-1101: the metadata hash of the group's record; Kafka's own hash has
/// more in it and another function, so a Kafka that read our record would rebalance once).
pub(super) fn hash<'a>(names: impl Iterator<Item = &'a Arc<str>>, topics: &dyn Topics) -> i64 {
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    for name in names {
        if let Some((id, partitions)) = topics.named(name) {
            hash.add(name.as_bytes());
            hash.add(&id.0);
            hash.add(&partitions.to_be_bytes());
        }
    }
    hash.0 as i64
}

/// FNV-1a, 64 bits: what is kept on disk must not change with the standard library's hasher.
struct Fnv(u64);

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
