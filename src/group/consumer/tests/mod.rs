//! Tests of whole groups: a group, its log, its timers and its topics, driven as a coordinator
//! would drive them.

mod assign;
mod expressions;
mod heartbeat;
mod members;
mod model;
mod records;
mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::request::{ConsumerHeartbeat, ConsumerHeartbeatReply, Partitions, Refusal};
use super::{
    ConsumerChange, ConsumerConfig, ConsumerGroup, ConsumerOverrides, Step, Timer, Topics,
};
use crate::base::{Now, TopicId};

/// One record.
type Record = (Vec<u8>, Option<Vec<u8>>);

/// Topics that a test makes up.
#[derive(Debug, Default)]
struct FakeTopics {
    version: u64,
    named: BTreeMap<Arc<str>, (TopicId, i32)>,
}

impl FakeTopics {
    fn set(&mut self, name: &str, id: u8, partitions: i32) {
        self.version += 1;
        self.named.insert(name.into(), (topic(id), partitions));
    }

    fn remove(&mut self, name: &str) {
        self.version += 1;
        self.named.remove(name);
    }
}

impl Topics for FakeTopics {
    fn version(&self) -> u64 {
        self.version
    }
    fn named(&self, name: &str) -> Option<(TopicId, i32)> {
        self.named.get(name).copied()
    }
    fn name_of(&self, id: TopicId) -> Option<Arc<str>> {
        let mut named = self.named.iter();
        named
            .find(|(_, (known, _))| *known == id)
            .map(|(name, _)| name.clone())
    }
    fn for_each(&self, call: &mut dyn FnMut(&Arc<str>)) {
        self.named.keys().for_each(call);
    }
    fn partitions(&self) -> usize {
        self.named.values().map(|(_, count)| *count as usize).sum()
    }
    fn overrides_of(&self, _group: &str) -> ConsumerOverrides {
        ConsumerOverrides::default()
    }
}

/// A group and all that is around it.
struct World {
    config: ConsumerConfig,
    topics: FakeTopics,
    group: ConsumerGroup,
    log: Vec<Record>,
    timers: BTreeSet<(u64, Timer)>,
    now: Now,
}

impl World {
    /// Topic `t` with four partitions, topic `u` with two.
    fn new() -> World {
        let mut topics = FakeTopics::default();
        topics.set("t", 1, 4);
        topics.set("u", 2, 2);
        World {
            config: ConsumerConfig::default(),
            topics,
            group: ConsumerGroup::new("g".into()),
            log: Vec::new(),
            timers: BTreeSet::new(),
            now: Now {
                wall_ms: 1_700_000_000_000,
                mono_ms: 1000,
            },
        }
    }

    fn beat(&mut self, request: &ConsumerHeartbeat) -> Result<ConsumerHeartbeatReply, Refusal> {
        request.check()?;
        let config = self.config;
        let mut step = Step::new(self.now, &config);
        let reply = self.group.heartbeat(&mut step, &self.topics, request);
        assert!(
            reply.is_ok() || step.changes.is_empty(),
            "a refusal changed something"
        );
        self.keep(step);
        reply
    }

    fn keep(&mut self, step: Step<'_>) {
        let Step {
            changes, timers, ..
        } = step;
        self.log.extend(changes.iter().map(ConsumerChange::encode));
        self.timers.extend(timers);
    }

    /// Time passes, and what becomes due is done at its time.
    fn pass(&mut self, ms: u64) {
        let end = self.now.mono_ms + ms;
        while let Some((at, _)) = self.timers.first()
            && *at <= end
            && let Some((at, timer)) = self.timers.pop_first()
        {
            self.now.mono_ms = at.max(self.now.mono_ms);
            let config = self.config;
            let mut step = Step::new(self.now, &config);
            self.group.on_due(&mut step, timer);
            self.keep(step);
        }
        self.now.mono_ms = end;
    }

    /// The process ends and another one replays the log.
    fn restart(&mut self) {
        let before = snapshot(&self.group);
        // What expressions match is found again when somebody is heard of.
        let bytes = |group: &ConsumerGroup| group.bytes() - group.expressions.bytes();
        let counted = bytes(&self.group);
        self.group = replay(&self.log);
        assert_eq!(snapshot(&self.group), before, "the log gives another group");
        let found = bytes(&self.group);
        assert_eq!(found, counted, "the same group counts otherwise");
        self.log = before;
        self.timers.clear();
        let config = self.config;
        let mut step = Step::new(self.now, &config);
        self.group.on_recovered(&mut step);
        assert!(step.changes.is_empty());
        self.keep(step);
    }

    /// A member that is there already says that it has `owned`, in the epoch that it has.
    fn go_on(&mut self, id: &str, owned: &Partitions) -> ConsumerHeartbeatReply {
        let epoch = self.group.members[id].held.epoch;
        let request = ConsumerHeartbeat {
            owned: Some(owned.clone()),
            ..heartbeat(id, epoch)
        };
        self.beat(&request).unwrap()
    }
}

fn snapshot(group: &ConsumerGroup) -> Vec<Record> {
    group.changes().map(|change| change.encode()).collect()
}

fn replay(log: &[Record]) -> ConsumerGroup {
    let mut group = ConsumerGroup::new("g".into());
    for (key, value) in log {
        let change = ConsumerChange::decode(key, value.as_deref())
            .unwrap()
            .unwrap();
        assert_eq!(&*change.group, "g");
        group.apply(change);
    }
    group
}

fn topic(id: u8) -> TopicId {
    TopicId([id; 16])
}

/// Partitions of topic `t`, which has id 1.
fn of_t(partitions: &[i32]) -> Partitions {
    parts(&[(1, partitions)])
}

fn parts(topics: &[(u8, &[i32])]) -> Partitions {
    let topics = topics
        .iter()
        .filter(|(_, partitions)| !partitions.is_empty());
    topics
        .map(|(id, partitions)| (topic(*id), partitions.iter().copied().collect()))
        .collect()
}

/// A heartbeat that says nothing new.
fn heartbeat(id: &str, epoch: i32) -> ConsumerHeartbeat {
    ConsumerHeartbeat {
        group_id: "g".into(),
        member_id: id.into(),
        fresh_member_id: "fresh".into(),
        makes_own_id: true,
        member_epoch: epoch,
        rebalance_timeout_ms: -1,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        ..ConsumerHeartbeat::default()
    }
}

/// A member joins and subscribes.
fn join(id: &str, topics: &[&str]) -> ConsumerHeartbeat {
    ConsumerHeartbeat {
        rebalance_timeout_ms: 60_000,
        topics: Some(topics.iter().map(|&name| name.into()).collect()),
        owned: Some(Partitions::new()),
        ..heartbeat(id, 0)
    }
}

/// A static member joins and subscribes to `t`.
fn join_static(id: &str, instance_id: &str) -> ConsumerHeartbeat {
    ConsumerHeartbeat {
        instance_id: Some(instance_id.into()),
        ..join(id, &["t"])
    }
}
