//! What operators are told about such a group (ConsumerGroupDescribe).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ConsumerGroup;
use super::request::Partitions;
use super::topics::Topics;
use crate::base::TopicId;

/// A group and its members.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescribedConsumerGroup {
    /// Its state in Kafka's words.
    pub state: &'static str,
    /// Rises with every change of members, subscriptions or topics.
    pub epoch: i32,
    /// The epoch that the target was computed for.
    pub target_epoch: i32,
    /// The assignor's name.
    pub assignor: &'static str,
    /// By member id.
    pub members: Vec<DescribedConsumer>,
}

/// One member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescribedConsumer {
    /// Its id.
    pub member_id: Arc<str>,
    /// Of a static member.
    pub instance_id: Option<Arc<str>>,
    /// Its rack.
    pub rack_id: Option<Arc<str>>,
    /// Its epoch.
    pub member_epoch: i32,
    /// Its client id.
    pub client_id: Arc<str>,
    /// Where it came from.
    pub client_host: Arc<str>,
    /// What it subscribes to.
    pub topics: BTreeSet<Arc<str>>,
    /// What names of further topics match.
    pub expression: Option<Arc<str>>,
    /// What it has.
    pub assignment: Vec<NamedPartitions>,
    /// What it is to have.
    pub target: Vec<NamedPartitions>,
}

/// Partitions of one topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamedPartitions {
    /// The topic's id.
    pub topic_id: TopicId,
    /// Its name.
    pub name: Arc<str>,
    /// The partitions.
    pub partitions: Vec<i32>,
}

impl ConsumerGroup {
    /// This group. Topics that are gone are left out, as they have no name any more.
    pub fn describe(
        &self,
        config: &super::ConsumerConfig,
        topics: &dyn Topics,
    ) -> DescribedConsumerGroup {
        let nothing = Partitions::new();
        let members = self.members.iter().map(|(id, member)| DescribedConsumer {
            member_id: id.clone(),
            instance_id: member.said.instance_id.clone(),
            rack_id: member.said.rack_id.clone(),
            member_epoch: member.held.epoch,
            client_id: member.said.client_id.clone(),
            client_host: member.said.client_host.clone(),
            topics: member.said.topics.clone(),
            expression: member.said.expression.clone(),
            assignment: named(&member.held.assigned, topics),
            target: named(self.targets.get(id).unwrap_or(&nothing), topics),
        });
        DescribedConsumerGroup {
            state: self.state(),
            epoch: self.group_epoch(),
            target_epoch: self.target_epoch,
            assignor: self.assignor(config).name(),
            members: members.collect(),
        }
    }
}

fn named(partitions: &Partitions, topics: &dyn Topics) -> Vec<NamedPartitions> {
    let named = partitions.iter().filter_map(|(&topic_id, of_topic)| {
        Some(NamedPartitions {
            topic_id,
            name: topics.name_of(topic_id)?,
            partitions: of_topic.iter().copied().collect(),
        })
    });
    named.collect()
}
