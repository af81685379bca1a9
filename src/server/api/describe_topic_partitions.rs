//! DescribeTopicPartitions (75), version 0: Metadata of topics in pages (KIP-966), by name
//! and partition, from the whole catalogue that every shard has. Creates nothing.
//!
//! - No topics ask for all. A page has as many partitions as asked for, at most 2000; the
//!   cursor of the response is where the next begins. It must name one of the topics asked
//!   for, and a partition of at least 0: else INVALID_REQUEST for every topic.
//! - The one replica leads; there are no others that could (eligible leader replicas).

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::operations;
use crate::base::TopicPartition;
use crate::base::limits::DESCRIBED_PARTITIONS_MAX;
use crate::catalog::{self, Catalog, Topic};
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use crate::server::{Broker, Services};

/// Gives one page.
pub async fn handle<'a>(
    services: &'a Services,
    request: &DescribeTopicPartitionsRequest<'a>,
    _header: &RequestHeader<'_>,
) -> DescribeTopicPartitionsResponse<'a> {
    services
        .shard
        .look(|shard| response(&services.broker, shard.catalog(), request))
}

fn response<'a>(
    broker: &'a Broker,
    catalog: &Catalog,
    request: &DescribeTopicPartitionsRequest<'a>,
) -> DescribeTopicPartitionsResponse<'a> {
    let mut page = Page::new(broker, request);
    let first = request.cursor.as_ref().map_or("", |c| &*c.topic_name);
    if request.topics.is_empty() {
        if page.start < 0 {
            return DescribeTopicPartitionsResponse::default();
        }
        let mut topics = catalog.topics_from(first);
        while let Some(topic) = topics.next()
            && page.add(&topic.name, topic)
        {}
        return page.response;
    }
    let names = request.topics.iter().map(|topic| topic.name);
    let names: BTreeSet<&str> = names.filter(|name| *name >= first).collect();
    if page.start < 0 || (request.cursor.is_some() && !names.contains(first)) {
        return refused(request);
    }
    for name in names {
        let more = match catalog.topic(name) {
            Some(topic) => page.add(name, topic),
            None => page.add_unknown(name),
        };
        if !more {
            break;
        }
    }
    page.response
}

/// A page in the making.
struct Page<'a> {
    broker: &'a Broker,
    response: DescribeTopicPartitionsResponse<'a>,
    /// Partitions that still fit.
    room: i32,
    /// Where the first topic begins, if it is the cursor's.
    start: i32,
    start_topic: Option<String>,
}

impl<'a> Page<'a> {
    fn new(broker: &'a Broker, request: &DescribeTopicPartitionsRequest<'_>) -> Self {
        let cursor = request.cursor.as_ref();
        Page {
            broker,
            response: DescribeTopicPartitionsResponse::default(),
            room: request
                .response_partition_limit
                .clamp(1, DESCRIBED_PARTITIONS_MAX),
            start: cursor.map_or(0, |cursor| cursor.partition_index),
            start_topic: cursor.map(|cursor| cursor.topic_name.to_string()),
        }
    }

    /// Adds what fits of a topic; whether the page can take more.
    fn add(&mut self, name: &str, topic: &Topic) -> bool {
        if self.is_full(name) {
            return false;
        }
        let is_first = self.start_topic.as_deref() == Some(name);
        let start = if is_first { self.start } else { 0 };
        let end = start.saturating_add(self.room).min(topic.partitions);
        let partitions: Vec<_> = (start..end)
            .map(|index| partition(self.broker, topic, index))
            .collect();
        self.room -= i32::try_from(partitions.len()).unwrap_or(i32::MAX);
        self.response
            .topics
            .push(DescribeTopicPartitionsResponseTopic {
                name: Some(Cow::Owned(name.to_owned())),
                topic_id: topic.id,
                is_internal: topic.internal,
                partitions,
                topic_authorized_operations: operations::TOPIC,
                ..Default::default()
            });
        if end < topic.partitions {
            self.end_at(name, end);
            return false;
        }
        true
    }

    /// Adds a name that no topic has; whether the page can take more.
    fn add_unknown(&mut self, name: &str) -> bool {
        if self.is_full(name) {
            return false;
        }
        let error_code = match catalog::validate_name(name) {
            Ok(()) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            Err(_) => ErrorCode::INVALID_TOPIC_EXCEPTION,
        };
        self.response
            .topics
            .push(DescribeTopicPartitionsResponseTopic {
                error_code,
                name: Some(Cow::Owned(name.to_owned())),
                is_internal: catalog::is_internal(name),
                topic_authorized_operations: operations::TOPIC,
                ..Default::default()
            });
        true
    }

    /// Whether nothing fits any more; the next page then begins with `name`.
    fn is_full(&mut self, name: &str) -> bool {
        let full = self.room <= 0;
        if full {
            self.end_at(name, 0);
        }
        full
    }

    fn end_at(&mut self, name: &str, partition_index: i32) {
        self.response.next_cursor = Some(Cursor {
            topic_name: Cow::Owned(name.to_owned()),
            partition_index,
        });
    }
}

fn partition<'a>(
    broker: &'a Broker,
    topic: &Topic,
    partition_index: i32,
) -> DescribeTopicPartitionsResponsePartition<'a> {
    let replicas = broker.replicas(TopicPartition {
        topic: topic.id,
        partition: partition_index,
    });
    DescribeTopicPartitionsResponsePartition {
        error_code: ErrorCode::NONE,
        partition_index,
        leader_id: replicas.first().copied().unwrap_or(-1),
        leader_epoch: broker.leader_epoch,
        replica_nodes: Cow::Borrowed(replicas),
        isr_nodes: Cow::Borrowed(replicas),
        eligible_leader_replicas: Some(Cow::Borrowed(&[])),
        last_known_elr: Some(Cow::Borrowed(&[])),
        offline_replicas: Cow::Borrowed(&[]),
    }
}

fn refused<'a>(
    request: &DescribeTopicPartitionsRequest<'a>,
) -> DescribeTopicPartitionsResponse<'a> {
    let topics = request.topics.iter();
    let topics = topics.map(|topic| DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode::INVALID_REQUEST,
        name: Some(Cow::Borrowed(topic.name)),
        ..Default::default()
    });
    DescribeTopicPartitionsResponse {
        topics: topics.collect(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Topology;
    use crate::kafka::messages::describe_topic_partitions::TopicRequest;
    use crate::server::api::testing;

    fn request<'a>(
        names: &[&'a str],
        limit: i32,
        cursor: Option<(&'a str, i32)>,
    ) -> DescribeTopicPartitionsRequest<'a> {
        DescribeTopicPartitionsRequest {
            topics: names.iter().map(|name| TopicRequest { name }).collect(),
            response_partition_limit: limit,
            cursor: cursor.map(|(name, partition_index)| Cursor {
                topic_name: Cow::Borrowed(name),
                partition_index,
            }),
        }
    }

    /// Reads all pages of `limit` partitions: topic, error and partitions of each entry.
    fn pages(names: &[&str], limit: i32) -> Vec<(String, ErrorCode, Vec<i32>)> {
        let broker = testing::broker(Topology::PerCore, 2);
        let catalog = testing::catalog(&[("a", 3), ("b", 2), ("c", 1)]);
        let mut told = Vec::new();
        let mut cursor: Option<(String, i32)> = None;
        loop {
            let at = cursor.as_ref().map(|(name, index)| (&**name, *index));
            let request = request(names, limit, at);
            let response = response(&broker, &catalog, &request);
            let count: usize = response.topics.iter().map(|t| t.partitions.len()).sum();
            assert!(count <= usize::try_from(limit.max(1)).unwrap());
            told.extend(response.topics.iter().map(|topic| {
                let partitions = topic.partitions.iter().map(|p| p.partition_index);
                (
                    topic.name.as_deref().unwrap().to_owned(),
                    topic.error_code,
                    partitions.collect(),
                )
            }));
            match response.next_cursor {
                Some(next) => cursor = Some((next.topic_name.into_owned(), next.partition_index)),
                None => return told,
            }
        }
    }

    #[test]
    fn pages_hold_everything_once() {
        let none = ErrorCode::NONE;
        let entry =
            |name: &str, error, partitions: &[i32]| (name.to_owned(), error, partitions.to_vec());
        let whole = [
            entry("a", none, &[0, 1, 2]),
            entry("b", none, &[0, 1]),
            entry("c", none, &[0]),
        ];
        for limit in [6, 7, 2000, i32::MAX] {
            assert_eq!(pages(&[], limit), whole, "limit {limit}");
            assert_eq!(pages(&["c", "a", "b", "a"], limit), whole, "limit {limit}");
        }
        assert_eq!(pages(&[], 3), whole, "pages that end with a topic");
        let split = [
            entry("a", none, &[0, 1]),
            entry("a", none, &[2]),
            entry("b", none, &[0]),
            entry("b", none, &[1]),
            entry("c", none, &[0]),
        ];
        assert_eq!(pages(&[], 2), split);
        assert_eq!(pages(&[], 0).len(), 6, "one partition at least");
        assert_eq!(pages(&[], i32::MIN).len(), 6);
    }

    #[test]
    fn unknown_names_have_their_errors() {
        let told = pages(&["b", "aa", "no/slash"], 1);
        let errors: Vec<_> = told
            .iter()
            .map(|(name, error, _)| (&**name, *error))
            .collect();
        let expected = [
            ("aa", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            ("b", ErrorCode::NONE),
            ("b", ErrorCode::NONE),
            ("no/slash", ErrorCode::INVALID_TOPIC_EXCEPTION),
        ];
        assert_eq!(errors, expected);
    }

    #[test]
    fn cursors_that_are_refused_or_beyond() {
        let broker = testing::broker(Topology::PerCore, 2);
        let catalog = testing::catalog(&[("a", 3), ("b", 2)]);
        let invalid = ErrorCode::INVALID_REQUEST;
        for cursor in [("a", -1), ("b", 0), ("x", 0), ("", 0)] {
            let request = request(&["a"], 10, Some(cursor));
            let response = response(&broker, &catalog, &request);
            let told: Vec<_> = response.topics.iter().map(|t| t.error_code).collect();
            assert_eq!(told, [invalid], "{cursor:?}");
        }
        let beyond = request(&[], 10, Some(("a", i32::MAX)));
        let response = response(&broker, &catalog, &beyond);
        let told: Vec<_> = response.topics.iter().map(|t| t.partitions.len()).collect();
        assert_eq!(told, [0, 2]);
    }

    #[test]
    fn partitions_are_led_by_their_owner() {
        let broker = testing::broker(Topology::PerCore, 2);
        let catalog = testing::catalog(&[("a", 3)]);
        let request = request(&["a"], 10, None);
        let response = response(&broker, &catalog, &request);
        for p in &response.topics[0].partitions {
            let tp = TopicPartition {
                topic: response.topics[0].topic_id,
                partition: p.partition_index,
            };
            assert_eq!((p.leader_id, p.leader_epoch), (broker.leader(tp), 7));
            assert_eq!(
                (&*p.replica_nodes, &*p.isr_nodes),
                (&[p.leader_id][..], &[p.leader_id][..])
            );
        }
    }
}
