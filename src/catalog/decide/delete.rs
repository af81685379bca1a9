//! DeleteTopics, by name or by id (KIP-516).

use std::collections::{BTreeMap, BTreeSet};

use super::offsets_topic::refuse_own;
use super::{Draft, unknown_topic};
use crate::base::TopicId;
use crate::catalog::error::{CatalogError, ErrorKind};
use crate::catalog::outcome::{DeleteOutcome, TopicRef};
use crate::catalog::record::CatalogRecord;
use crate::catalog::state::{Catalog, Topic};

impl Draft<'_> {
    pub(super) fn delete_topics(&mut self, topics: &[TopicRef]) -> Vec<DeleteOutcome> {
        // A topic named twice, be it once by name and once by id, is not deleted.
        let mut times: BTreeMap<&TopicRef, usize> = BTreeMap::new();
        let mut ids: BTreeMap<TopicId, usize> = BTreeMap::new();
        for topic in topics {
            *times.entry(topic).or_default() += 1;
            if let Ok(found) = find(self.catalog, topic) {
                *ids.entry(found.id).or_default() += 1;
            }
        }
        let mut answered = BTreeSet::new();
        let mut outcomes = Vec::new();
        for topic in topics.iter().filter(|topic| answered.insert(*topic)) {
            let found = find(self.catalog, topic);
            let is_repeated = times.get(topic).is_some_and(|times| *times > 1)
                || found
                    .as_ref()
                    .is_ok_and(|found| ids.get(&found.id) != Some(&1));
            let result = match found {
                _ if is_repeated => Err(CatalogError::new(
                    ErrorKind::InvalidRequest,
                    "The request names this topic more than once.",
                )),
                Ok(found) if found.id == TopicId::OFFSETS => Err(refuse_own(found, "deleted")),
                Ok(found) => {
                    self.records
                        .push(CatalogRecord::TopicDeleted { topic: found.id });
                    let topic = TopicRef {
                        name: Some(found.name.to_string()),
                        id: found.id,
                    };
                    outcomes.push(DeleteOutcome {
                        topic,
                        result: Ok(()),
                    });
                    continue;
                }
                Err(error) => Err(error),
            };
            outcomes.push(DeleteOutcome {
                topic: topic.clone(),
                result,
            });
        }
        outcomes
    }
}

fn find<'a>(catalog: &'a Catalog, topic: &TopicRef) -> Result<&'a Topic, CatalogError> {
    match (&topic.name, topic.id) {
        (Some(name), TopicId::ZERO) => catalog.topic(name).ok_or_else(unknown_topic),
        (None, TopicId::ZERO) => Err(CatalogError::new(
            ErrorKind::InvalidRequest,
            "Neither a topic name nor a topic id was given.",
        )),
        (None, id) => catalog.topic_by_id(id).ok_or_else(|| {
            CatalogError::new(
                ErrorKind::UnknownTopicId,
                "This server does not host this topic ID.",
            )
        }),
        (Some(_), _) => Err(CatalogError::new(
            ErrorKind::InvalidRequest,
            "A topic name and a topic id were both given; one of them is enough.",
        )),
    }
}
