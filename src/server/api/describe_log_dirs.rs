//! DescribeLogDirs (35), versions 1-4: how much room each partition takes (KIP-113). A
//! node tells of the partitions it leads, so that a client that asks every node hears of
//! each partition once: in topology `per-core` those of this shard, in topology `single`
//! all. There is one log directory, the data directory.
//!
//! - A partition's size is that of its record batches; in the WAL it shares segments with
//!   others. Partitions that are unknown or led by another node are left out, as in Kafka.
//! - 4: size and free space of the volume (KIP-827).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::asking::{Asking, partition_of};
use crate::base::TopicPartition;
use crate::catalog::Catalog;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::describe_log_dirs::{
    DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeLogDirsResult, DescribeLogDirsTopic,
};
use crate::runtime::disk;
use crate::server::{Broker, Services};
use crate::shard::{ShardReply, ShardRequest};

/// Sums up the log directory.
pub async fn handle(
    services: &Services,
    request: &DescribeLogDirsRequest<'_>,
    header: &RequestHeader<'_>,
) -> DescribeLogDirsResponse<'static> {
    let broker = &services.broker;
    let node = broker.node_of(services.shard.id());
    let topics = services
        .shard
        .look(|shard| led(broker, shard.catalog(), request, node));
    let mut asking = Asking::new();
    for partition in topics.values().flatten() {
        asking.push(Ok(*partition));
    }
    let unwrap = |reply| match reply {
        ShardReply::LogSizes(sizes) => Some(sizes),
        _ => None,
    };
    let sizes = asking.owners(services, |tp| *tp, ShardRequest::LogSizes, unwrap);
    let sizes = sizes.await.into_iter().map(Result::unwrap_or_default);
    let topics = described(topics, sizes);
    let data_dir = &broker.settings.data_dir;
    let (total_bytes, usable_bytes) = match disk::volume_bytes(data_dir) {
        Ok((total, usable)) if header.version >= 4 => (bytes(total), bytes(usable)),
        _ => (-1, -1),
    };
    let path = std::path::absolute(data_dir);
    let path = path.as_deref().unwrap_or(data_dir);
    DescribeLogDirsResponse {
        results: vec![DescribeLogDirsResult {
            log_dir: Cow::Owned(path.display().to_string()),
            topics,
            total_bytes,
            usable_bytes,
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// The partitions asked about that `node` leads, each once, under the names of their topics.
fn led(
    broker: &Broker,
    catalog: &Catalog,
    request: &DescribeLogDirsRequest<'_>,
    node: i32,
) -> BTreeMap<String, BTreeSet<TopicPartition>> {
    let mut topics: BTreeMap<String, BTreeSet<TopicPartition>> = BTreeMap::new();
    let mut add = |name: &str, partitions: &mut dyn Iterator<Item = TopicPartition>| {
        let led: BTreeSet<_> = partitions.filter(|tp| broker.leader(*tp) == node).collect();
        if !led.is_empty() {
            topics.entry(name.to_owned()).or_default().extend(led);
        }
    };
    match &request.topics {
        None => {
            for topic in catalog.topics() {
                let tp = |partition| TopicPartition {
                    topic: topic.id,
                    partition,
                };
                add(&topic.name, &mut (0..topic.partitions).map(tp));
            }
        }
        Some(asked) => {
            for asked in asked {
                let topic = catalog.topic(asked.topic);
                let known = asked
                    .partitions
                    .iter()
                    .map(|index| partition_of(topic, *index));
                add(asked.topic, &mut known.flatten());
            }
        }
    }
    topics
}

fn described(
    topics: BTreeMap<String, BTreeSet<TopicPartition>>,
    mut sizes: impl Iterator<Item = u64>,
) -> Vec<DescribeLogDirsTopic<'static>> {
    let topics = topics.into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter().zip(&mut sizes);
        let partitions = partitions.map(|(tp, size)| DescribeLogDirsPartition {
            partition_index: tp.partition,
            partition_size: bytes(size),
            ..Default::default()
        });
        DescribeLogDirsTopic {
            name: Cow::Owned(name),
            partitions: partitions.collect(),
        }
    });
    topics.collect()
}

fn bytes(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Topology;
    use crate::kafka::messages::describe_log_dirs::DescribableLogDirTopic;
    use crate::server::api::testing;

    fn indexes(topics: &BTreeMap<String, BTreeSet<TopicPartition>>) -> Vec<(&str, Vec<i32>)> {
        let topics = topics.iter();
        topics
            .map(|(name, set)| (&**name, set.iter().map(|tp| tp.partition).collect()))
            .collect()
    }

    #[test]
    fn the_nodes_together_tell_each_partition_once() {
        let catalog = testing::catalog(&[("a", 5), ("b", 1)]);
        let all = DescribeLogDirsRequest { topics: None };
        for (topology, shards) in [(Topology::PerCore, 3), (Topology::Single, 3)] {
            let broker = testing::broker(topology, shards);
            let mut told = Vec::new();
            for node in &broker.nodes {
                let topics = led(&broker, &catalog, &all, node.id);
                told.extend(topics.into_values().flatten());
            }
            told.sort();
            assert_eq!(told.len(), 6);
            told.dedup();
            assert_eq!(told.len(), 6);
        }
    }

    #[test]
    fn those_asked_about_that_are_here() {
        let catalog = testing::catalog(&[("a", 3), ("b", 2)]);
        let broker = testing::broker(Topology::Single, 2);
        let topic = |topic, partitions: &[i32]| DescribableLogDirTopic {
            topic,
            partitions: partitions.to_vec(),
        };
        let request = DescribeLogDirsRequest {
            topics: Some(vec![
                topic("b", &[1, 2]),
                topic("gone", &[0]),
                topic("a", &[2, 0, 2]),
            ]),
        };
        let topics = led(&broker, &catalog, &request, 0);
        assert_eq!(indexes(&topics), [("a", vec![0, 2]), ("b", vec![1])]);
        let described = described(topics, [10, 20, 30].into_iter());
        let sizes: Vec<_> = described
            .iter()
            .flat_map(|topic| {
                topic
                    .partitions
                    .iter()
                    .map(|p| (&*topic.name, p.partition_index, p.partition_size))
            })
            .collect();
        assert_eq!(sizes, [("a", 0, 10), ("a", 2, 20), ("b", 1, 30)]);
    }
}
