//! The catalogue through its requests: what is refused, what is recorded, and
//! that records alone make the state.

mod alter;
mod configs;
mod create;
mod groups;
mod model;
mod offsets_topic;
mod remove;

use super::*;
use crate::base::{Now, TopicId};

const NOW: Now = Now {
    wall_ms: 1_700_000_000_000,
    mono_ms: 5,
};

/// A catalogue under test, with ids that count up.
struct Bench {
    catalog: Catalog,
    ids: u8,
}

impl Bench {
    fn new() -> Self {
        Bench::with(BrokerDefaults::default())
    }

    fn with(defaults: BrokerDefaults) -> Self {
        Bench {
            catalog: Catalog::new(defaults),
            ids: 0,
        }
    }

    /// A catalogue that has these topics, of one partition each.
    fn having(names: &[&str]) -> Self {
        let mut bench = Bench::new();
        let topics = names.iter().map(|name| topic(name)).collect();
        let outcomes = bench.create(topics);
        assert!(
            outcomes.iter().all(|outcome| outcome.result.is_ok()),
            "{outcomes:?}"
        );
        bench
    }

    fn decide(&mut self, request: &CatalogRequest) -> Decision {
        let ids = &mut self.ids;
        let mut fresh = || {
            *ids += 1;
            TopicId::from_random([*ids; 16])
        };
        self.catalog.decide(NOW, &mut fresh, request)
    }

    /// Decides and replays.
    fn run(&mut self, request: &CatalogRequest) -> (CatalogReply, Vec<Change>) {
        let Decision { records, reply } = self.decide(request);
        (
            reply,
            records
                .iter()
                .map(|record| self.catalog.replay(record))
                .collect(),
        )
    }

    fn create(&mut self, topics: Vec<NewTopic>) -> Vec<TopicOutcome<CreatedTopic>> {
        let request = CatalogRequest::CreateTopics {
            topics,
            validate_only: false,
        };
        match self.run(&request).0 {
            CatalogReply::Created(outcomes) => outcomes,
            other => panic!("{other:?}"),
        }
    }

    /// Creates one topic and gives the error's code, or 0.
    fn create_code(&mut self, topic: NewTopic) -> i16 {
        let outcomes = self.create(vec![topic]);
        assert_eq!(outcomes.len(), 1);
        code(&outcomes[0].result)
    }
}

fn topic(name: &str) -> NewTopic {
    let name = name.to_owned();
    NewTopic {
        name,
        partitions: 1,
        replication_factor: 1,
        ..NewTopic::default()
    }
}

fn pairs(configs: &[(&str, &str)]) -> Vec<(String, Option<String>)> {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), Some((*value).to_owned()));
    configs.iter().map(pair).collect()
}

fn code<T>(result: &Result<T, CatalogError>) -> i16 {
    result.as_ref().err().map_or(0, CatalogError::code)
}

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const INVALID_TOPIC: i16 = 17;
const TOPIC_ALREADY_EXISTS: i16 = 36;
const INVALID_PARTITIONS: i16 = 37;
const INVALID_REPLICATION_FACTOR: i16 = 38;
const INVALID_REPLICA_ASSIGNMENT: i16 = 39;
const INVALID_CONFIG: i16 = 40;
const INVALID_REQUEST: i16 = 42;
const POLICY_VIOLATION: i16 = 44;
const UNKNOWN_TOPIC_ID: i16 = 100;
