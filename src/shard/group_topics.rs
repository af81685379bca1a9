//! The catalogue as the groups' coordinators see it: topics and how many partitions they have, and
//! what is set for groups.

use std::sync::Arc;

use crate::base::TopicId;
use crate::catalog::Catalog;
use crate::catalog::configs::GroupTimeouts;
use crate::group::{ConsumerOverrides, Topics};

/// The topics there are now.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupTopics<'a> {
    catalog: &'a Catalog,
    version: u64,
}

impl<'a> GroupTopics<'a> {
    /// `version` is another number after every change of topics.
    pub(super) fn new(catalog: &'a Catalog, version: u64) -> GroupTopics<'a> {
        GroupTopics { catalog, version }
    }
}

impl Topics for GroupTopics<'_> {
    fn version(&self) -> u64 {
        self.version
    }

    fn named(&self, name: &str) -> Option<(TopicId, i32)> {
        let topic = self.catalog.topic(name)?;
        Some((topic.id, topic.partitions))
    }

    fn name_of(&self, id: TopicId) -> Option<Arc<str>> {
        Some(self.catalog.topic_by_id(id)?.name.clone())
    }

    fn for_each(&self, call: &mut dyn FnMut(&Arc<str>)) {
        self.catalog.topics().for_each(|topic| call(&topic.name));
    }

    fn partitions(&self) -> usize {
        self.catalog.partition_count()
    }

    fn overrides_of(&self, group: &str) -> ConsumerOverrides {
        let set = GroupTimeouts::of(self.catalog.group_configs(group));
        let unsigned = |ms| u64::try_from(ms).ok();
        ConsumerOverrides {
            session_timeout_ms: set.session_timeout_ms.and_then(unsigned),
            heartbeat_interval_ms: set.heartbeat_interval_ms,
        }
    }
}
