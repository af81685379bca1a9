//! One member: what it said, what it has, and whether it is still there.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::request::{ConsumerHeartbeat, Partitions};

/// What a member costs beside its texts and partitions, bytes, about.
const MEMBER_OVERHEAD: usize = 768;
/// What one partition of a member costs, bytes, about: in what it has, in its target, and in
/// the index of who has it.
const PARTITION_BYTES: usize = 96;
/// What one subscribed topic costs beside its name, bytes, about.
const SUBSCRIBED_OVERHEAD: usize = 48;

/// A member. Only [`super::ConsumerGroup::apply`] changes `said` and `held`.
#[derive(Clone, Debug, Default)]
pub(super) struct Member {
    pub said: Said,
    pub held: Held,
    /// When its session ends, on the monotonic clock, milliseconds.
    pub session_at: u64,
    /// A timer for its session is set.
    pub has_timer: bool,
    /// When it must have given up what it was told to, on the monotonic clock, milliseconds.
    pub revoke_at: Option<u64>,
}

/// What a member says about itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Said {
    pub instance_id: Option<Arc<str>>,
    pub rack_id: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub topics: BTreeSet<Arc<str>>,
    /// Further topics, by what their names match.
    pub expression: Option<Arc<str>>,
    pub rebalance_timeout_ms: i32,
    pub assignor: Option<Arc<str>>,
}

/// How far a member is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum State {
    /// It has what the target of its epoch says.
    #[default]
    Stable,
    /// It was told to give something up and has not said that it did.
    Unrevoked,
    /// It is to get something that another member still has.
    Unreleased,
}

/// What a member has.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Held {
    pub epoch: i32,
    /// The epoch before, for a member that did not get the answer with the new one.
    pub previous_epoch: i32,
    pub state: State,
    pub assigned: Partitions,
    /// What it must give up and still has.
    pub revoking: Partitions,
}

impl Said {
    /// What it says now, if that is something else.
    pub(super) fn changed_by(&self, request: &ConsumerHeartbeat) -> Option<Said> {
        let or =
            |new: &Option<Arc<str>>, old: &Option<Arc<str>>| new.as_ref().or(old.as_ref()).cloned();
        let said = Said {
            instance_id: or(&request.instance_id, &self.instance_id),
            rack_id: or(&request.rack_id, &self.rack_id),
            client_id: request.client_id.clone(),
            client_host: request.client_host.clone(),
            topics: match &request.topics {
                Some(topics) => topics.iter().cloned().collect(),
                // Most heartbeats are of this kind; the set is large, so it is not copied to see
                // that nothing has changed.
                None if self.is_said_again(request) => return None,
                None => self.topics.clone(),
            },
            expression: match &request.topic_regex {
                Some(text) => Some(text.clone()).filter(|text| !text.is_empty()),
                None => self.expression.clone(),
            },
            rebalance_timeout_ms: match request.rebalance_timeout_ms {
                ..0 => self.rebalance_timeout_ms,
                timeout => timeout,
            },
            assignor: or(&request.assignor, &self.assignor),
        };
        Some(said).filter(|said| said != self)
    }

    /// Whether a request without topics says nothing new.
    fn is_said_again(&self, request: &ConsumerHeartbeat) -> bool {
        let same = |new: &Option<Arc<str>>, old: &Option<Arc<str>>| new.is_none() || new == old;
        same(&request.instance_id, &self.instance_id)
            && same(&request.rack_id, &self.rack_id)
            && request.topic_regex.is_none()
            && same(&request.assignor, &self.assignor)
            && request.client_id == self.client_id
            && request.client_host == self.client_host
            && (request.rebalance_timeout_ms < 0
                || request.rebalance_timeout_ms == self.rebalance_timeout_ms)
    }
}

impl Held {
    /// The partitions that nobody else may have.
    pub(super) fn all(&self) -> impl Iterator<Item = (crate::base::TopicId, i32)> {
        each(&self.assigned).chain(each(&self.revoking))
    }

    /// Whether it has what the target of this epoch says.
    pub(super) fn is_at(&self, epoch: i32) -> bool {
        self.state == State::Stable && self.epoch == epoch
    }
}

impl Member {
    /// Bytes of memory that it takes, about.
    pub(super) fn bytes(&self) -> usize {
        let text = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
        let said = &self.said;
        let topics = said.topics.iter();
        MEMBER_OVERHEAD
            + text(&said.instance_id)
            + text(&said.rack_id)
            + text(&said.assignor)
            + text(&said.expression)
            + said.client_id.len()
            + said.client_host.len()
            + topics
                .map(|name| name.len() + SUBSCRIBED_OVERHEAD)
                .sum::<usize>()
            + bytes_of(&self.held.assigned)
            + bytes_of(&self.held.revoking)
    }
}

/// Bytes of memory that partitions take, about.
pub(super) fn bytes_of(partitions: &Partitions) -> usize {
    partitions
        .values()
        .map(|of_topic| of_topic.len() * PARTITION_BYTES)
        .sum()
}

/// Each partition.
pub(super) fn each(partitions: &Partitions) -> impl Iterator<Item = (crate::base::TopicId, i32)> {
    partitions
        .iter()
        .flat_map(|(&topic, of_topic)| of_topic.iter().map(move |&partition| (topic, partition)))
}

/// Adds one.
pub(super) fn add(partitions: &mut Partitions, topic: crate::base::TopicId, partition: i32) {
    partitions.entry(topic).or_default().insert(partition);
}

/// Whether one is there.
pub(super) fn has(partitions: &Partitions, topic: crate::base::TopicId, partition: i32) -> bool {
    partitions
        .get(&topic)
        .is_some_and(|of_topic| of_topic.contains(&partition))
}
