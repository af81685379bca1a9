//! Which topics there must be, by what the broker has acknowledged. Each name belongs to one
//! admin, who changes one thing at a time; so at most the last change of a name is in doubt.

use std::collections::BTreeMap;

use corelane::base::TopicId;
use corelane::catalog::Catalog;

/// One topic as acknowledged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topic {
    pub id: Option<TopicId>,
    pub partitions: i32,
    pub configs: BTreeMap<String, String>,
}

/// One change that was asked for: what the topic is afterwards.
pub type Change = Option<Topic>;

/// The shortest retention that a topic ever had: a decision may be older than a config.
#[derive(Clone, Copy, Default, Debug)]
pub struct Loosest {
    pub retention_ms: Option<u64>,
    pub retention_bytes: Option<u64>,
}

/// All topics.
#[derive(Default)]
pub struct Topics {
    known: BTreeMap<String, Topic>,
    in_doubt: BTreeMap<String, Change>,
    loosest: BTreeMap<String, Loosest>,
    names: BTreeMap<TopicId, String>,
}

impl Topics {
    /// The topic of this name, if there is one for sure.
    pub fn get(&self, name: &str) -> Option<&Topic> {
        self.known.get(name)
    }

    /// All that are there for sure, or nearly.
    pub fn all(&self) -> Vec<(String, Topic)> {
        let known = self.known.iter();
        known
            .map(|(name, topic)| (name.clone(), topic.clone()))
            .collect()
    }

    /// Asked for, not answered yet.
    pub fn ask(&mut self, name: &str, change: Change) {
        if let Some(topic) = &change {
            let loosest = self.loosest.entry(name.to_owned()).or_default();
            let value = |key: &str| topic.configs.get(key).and_then(|v| v.parse::<u64>().ok());
            let min = |a: Option<u64>, b: Option<u64>| match (a, b) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            loosest.retention_ms = min(loosest.retention_ms, value("retention.ms"));
            loosest.retention_bytes = min(loosest.retention_bytes, value("retention.bytes"));
        }
        self.in_doubt.insert(name.to_owned(), change);
    }

    /// Answered: it holds from now on.
    pub fn confirm(&mut self, name: &str, id: Option<TopicId>) {
        match self.in_doubt.remove(name) {
            Some(Some(mut topic)) => {
                topic.id = id.or(topic.id);
                if let Some(id) = topic.id {
                    self.names.insert(id, name.to_owned());
                }
                self.known.insert(name.to_owned(), topic);
            }
            Some(None) => {
                self.known.remove(name);
            }
            None => {}
        }
    }

    /// Nothing is being asked any more: the catalogue shows what became of what is in doubt.
    pub fn settle(&mut self, catalog: &Catalog) {
        for (name, after) in std::mem::take(&mut self.in_doubt) {
            let found = catalog.topic(&name).map(of_catalog);
            let is_after = match (&found, &after) {
                (Some(found), Some(after)) => same(after, found),
                (found, after) => found.is_none() && after.is_none(),
            };
            if is_after {
                self.in_doubt.insert(name.clone(), found.clone());
                self.confirm(&name, found.and_then(|topic| topic.id));
            }
        }
        self.check(catalog);
    }

    /// A catalogue holds what was acknowledged.
    pub fn check(&self, catalog: &Catalog) {
        for (name, topic) in &self.known {
            if self.in_doubt.contains_key(name) {
                continue;
            }
            let found = catalog.topic(name).map(of_catalog);
            let Some(found) = found else {
                panic!("topic {name} was acknowledged and is gone");
            };
            assert!(
                same(topic, &found),
                "topic {name}: {found:?}, acknowledged {topic:?}"
            );
        }
        let by_clients = catalog
            .topics()
            .filter(|topic| topic.id != TopicId::OFFSETS);
        for topic in by_clients {
            let name = &*topic.name;
            let expected = self.known.contains_key(name) || self.in_doubt.contains_key(name);
            assert!(
                expected,
                "topic {name} is there, though it was deleted or never made"
            );
        }
    }

    /// The shortest retention that a topic ever had.
    pub fn loosest(&self, id: TopicId) -> Loosest {
        let name = self.names.get(&id);
        let loosest = name.and_then(|name| self.loosest.get(name)).copied();
        // Before its creation is answered a topic has no name here, and any of these may be its.
        loosest.unwrap_or(Loosest {
            retention_ms: Some(0),
            retention_bytes: Some(0),
        })
    }
}

fn of_catalog(topic: &corelane::catalog::Topic) -> Topic {
    Topic {
        id: Some(topic.id),
        partitions: topic.partitions,
        configs: topic.configs.clone(),
    }
}

fn same(asked: &Topic, found: &Topic) -> bool {
    let same_id = asked.id.is_none() || asked.id == found.id;
    same_id && asked.partitions == found.partitions && asked.configs == found.configs
}
