//! The catalogue as the groups' coordinators see it: topics and how many partitions they have.

use std::sync::Arc;

use crate::base::TopicId;
use crate::catalog::Catalog;
use crate::group::Topics;

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
}
