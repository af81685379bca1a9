//! What a member of a group whose coordinator assigns (KIP-848) does, in one call each.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use corelane::base::TopicId;
use corelane::kafka::ErrorCode;
use corelane::kafka::api::ApiKey;
use corelane::kafka::messages::consumer_group_describe::{
    Assignment, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse,
};
use corelane::kafka::messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, TopicPartitions,
};
use corelane::kafka::messages::offset_commit::OffsetCommitRequest;
use corelane::kafka::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse,
};

use super::client::{Client, newest};
use super::groups::{COMMIT_BY_NAME, FETCH_BY_NAME, commit_request, committed};

/// Partitions by topic.
pub type Owned = BTreeSet<(TopicId, i32)>;

/// A member as it sees itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consumer {
    pub group: String,
    pub id: String,
    pub topics: Vec<String>,
    pub epoch: i32,
    /// What it has.
    pub owned: Owned,
    /// How often it is to be heard of, milliseconds.
    pub interval_ms: i32,
}

impl Consumer {
    /// Somebody who is in no group yet.
    pub fn new(group: &str, id: &str, topics: &[&str]) -> Consumer {
        Consumer {
            group: group.to_owned(),
            id: id.to_owned(),
            topics: topics.iter().map(|&name| name.to_owned()).collect(),
            ..Consumer::default()
        }
    }

    /// Joins, with nothing.
    pub fn join(&mut self, client: &mut Client) -> ErrorCode {
        (self.epoch, self.owned) = (0, Owned::new());
        self.call(client, true, 0)
    }

    /// A heartbeat that tells what it has. What it is to give up it has given up when this
    /// returns, and says so with the next.
    pub fn beat(&mut self, client: &mut Client) -> ErrorCode {
        self.call(client, false, self.epoch)
    }

    /// Leaves for good.
    pub fn leave(&mut self, client: &mut Client) -> ErrorCode {
        self.owned.clear();
        self.call(client, false, -1)
    }

    /// Heartbeats until it has so many partitions.
    pub fn beat_until(&mut self, client: &mut Client, count: usize) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.owned.len() != count {
            assert!(Instant::now() < deadline, "{count} partitions: {self:?}");
            assert_eq!(self.beat(client), ErrorCode::NONE, "{self:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn call(&mut self, client: &mut Client, joins: bool, member_epoch: i32) -> ErrorCode {
        self.epoch = member_epoch;
        self.send(client, joins);
        self.receive(client)
    }

    /// Sends a heartbeat of its epoch. Who joins says everything.
    pub fn send(&self, client: &mut Client, joins: bool) {
        let request = ConsumerGroupHeartbeatRequest {
            group_id: &self.group,
            member_id: &self.id,
            member_epoch: self.epoch,
            rebalance_timeout_ms: if joins { 30_000 } else { -1 },
            subscribed_topic_names: joins.then(|| self.topics.iter().map(|t| &**t).collect()),
            topic_partitions: Some(by_topic(&self.owned)),
            ..Default::default()
        };
        client.send(newest(ApiKey::ConsumerGroupHeartbeat), &request);
    }

    /// The answer to it.
    pub fn receive(&mut self, client: &mut Client) -> ErrorCode {
        let frame = client.receive();
        let response: ConsumerGroupHeartbeatResponse<'_> = frame.decode();
        if response.error_code == ErrorCode::NONE {
            assert_eq!(response.member_id.as_deref(), Some(&*self.id));
            (self.epoch, self.interval_ms) =
                (response.member_epoch, response.heartbeat_interval_ms);
            if let Some(assignment) = &response.assignment {
                self.owned = flat(&assignment.topic_partitions);
            }
        }
        response.error_code
    }

    /// Commits as the member that it is.
    pub fn commit(
        &self,
        client: &mut Client,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> ErrorCode {
        let request = OffsetCommitRequest {
            generation_id_or_member_epoch: self.epoch,
            member_id: &self.id,
            ..commit_request(&self.group, topic, partition, offset)
        };
        committed(&client.call(COMMIT_BY_NAME, &request))
    }

    /// What asking for the group's offsets as the member that it is comes to.
    pub fn fetch_offsets(&self, client: &mut Client) -> ErrorCode {
        let request = OffsetFetchRequest {
            groups: vec![OffsetFetchRequestGroup {
                group_id: &self.group,
                member_id: Some(&self.id),
                member_epoch: self.epoch,
                topics: None,
            }],
            ..Default::default()
        };
        let frame = client.call(FETCH_BY_NAME, &request);
        let response: OffsetFetchResponse<'_> = frame.decode();
        response.groups[0].error_code
    }
}

fn by_topic(owned: &Owned) -> Vec<TopicPartitions<'static>> {
    let mut topics: BTreeMap<TopicId, Vec<i32>> = BTreeMap::new();
    for &(topic, partition) in owned {
        topics.entry(topic).or_default().push(partition);
    }
    let topics = topics.into_iter();
    topics
        .map(|(topic_id, partitions)| TopicPartitions {
            topic_id,
            partitions: partitions.into(),
        })
        .collect()
}

fn flat(topics: &[TopicPartitions<'_>]) -> Owned {
    let of_topic = |t: &TopicPartitions<'_>| {
        let id = t.topic_id;
        let partitions = t.partitions.iter();
        partitions.map(|&p| (id, p)).collect::<Vec<_>>()
    };
    topics.iter().flat_map(of_topic).collect()
}

/// A group as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub error: ErrorCode,
    pub state: String,
    pub assignor: String,
    pub epoch: i32,
    /// Of each member its id, how many partitions it has and how many it is to have.
    pub members: Vec<(String, usize, usize)>,
}

/// Describes a group.
pub fn describe(client: &mut Client, group: &str) -> Told {
    let request = ConsumerGroupDescribeRequest {
        group_ids: vec![group],
        ..Default::default()
    };
    let frame = client.call(newest(ApiKey::ConsumerGroupDescribe), &request);
    let response: ConsumerGroupDescribeResponse<'_> = frame.decode();
    let told = &response.groups[0];
    assert_eq!(told.group_id, group);
    let count = |assignment: &Assignment<'_>| -> usize {
        let topics = assignment.topic_partitions.iter();
        topics.map(|topic| topic.partitions.len()).sum()
    };
    let members = told.members.iter().map(|member| {
        let (has, is_to_have) = (count(&member.assignment), count(&member.target_assignment));
        (member.member_id.to_string(), has, is_to_have)
    });
    Told {
        error: told.error_code,
        state: told.group_state.to_string(),
        assignor: told.assignor_name.to_string(),
        epoch: told.group_epoch,
        members: members.collect(),
    }
}
