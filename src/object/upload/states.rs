//! When a chunk brings its partition's state along: often enough that a partition which is
//! put together from the store has little to look through, and seldom enough that
//! states are a small part of what is uploaded.

use std::collections::HashMap;

use crate::base::TopicPartition;
use crate::base::limits::STATE_DATA_FACTOR;

/// Bytes uploaded of each partition since its last state.
#[derive(Default, Debug)]
pub struct StateNeeds {
    since: HashMap<TopicPartition, u64>,
}

impl StateNeeds {
    /// Whether a chunk of `chunk_bytes` is to bring along a state of `state_bytes`; the count
    /// begins anew then. The first chunk in a start does.
    pub fn on_chunk(&mut self, tp: TopicPartition, chunk_bytes: u64, state_bytes: u64) -> bool {
        let since = self.since.entry(tp).or_insert(u64::MAX);
        *since = since.saturating_add(chunk_bytes);
        let is_due = *since >= STATE_DATA_FACTOR * state_bytes;
        if is_due {
            *since = 0;
        }
        is_due
    }

    /// A partition is gone.
    pub fn forget(&mut self, tp: TopicPartition) {
        self.since.remove(&tp);
    }
}
