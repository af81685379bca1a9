//! A coordinator, its clock and its log, and what was answered to whom.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::base::{Now, TopicId};
use crate::group::*;
use crate::kafka::ErrorCode;
use crate::kafka::batch::HEADER_BYTES;

/// The group of most tests.
pub const G: &str = "g";
/// A group whose members may be silent for longer.
pub const PATIENT: &str = "patient";
/// Session and rebalance timeout of most members, milliseconds.
pub const SESSION_MS: i32 = 10_000;
pub const REBALANCE_MS: i32 = 60_000;

/// Topic `t`, of two partitions.
pub struct OneTopic;

impl Topics for OneTopic {
    fn version(&self) -> u64 {
        1
    }
    fn named(&self, name: &str) -> Option<(TopicId, i32)> {
        (name == "t").then_some((TopicId([1; 16]), 2))
    }
    fn name_of(&self, id: TopicId) -> Option<Arc<str>> {
        (id == TopicId([1; 16])).then(|| "t".into())
    }
    fn for_each(&self, call: &mut dyn FnMut(&Arc<str>)) {
        call(&"t".into());
    }
    fn partitions(&self) -> usize {
        2
    }
    fn overrides_of(&self, group: &str) -> ConsumerOverrides {
        match group {
            PATIENT => ConsumerOverrides {
                session_timeout_ms: Some(100_000),
                heartbeat_interval_ms: Some(1234),
            },
            _ => ConsumerOverrides::default(),
        }
    }
}

pub struct Rig {
    pub coordinator: Coordinator,
    pub config: GroupConfig,
    pub now: Now,
    pub log: Vec<GroupRecord>,
    answers: HashMap<Ticket, GroupReply>,
    last: u64,
}

impl Rig {
    pub fn new() -> Rig {
        Rig::with(GroupConfig::default())
    }

    pub fn with(config: GroupConfig) -> Rig {
        Rig {
            coordinator: Coordinator::new(config),
            config,
            now: Now {
                wall_ms: 1_700_000_000_000,
                mono_ms: 1000,
            },
            log: Vec::new(),
            answers: HashMap::new(),
            last: 0,
        }
    }

    /// Asks; the answer may come later.
    pub fn ask(&mut self, request: GroupRequest) -> Ticket {
        self.last += 1;
        let ticket = Ticket(self.last);
        let most = self.coordinator.record_bytes_max(&request, &OneTopic);
        let effects = self
            .coordinator
            .handle(self.now, ticket, request, &OneTopic);
        let records: usize = effects.records.iter().map(GroupRecord::bytes).sum();
        let header = if records == 0 { 0 } else { HEADER_BYTES };
        let bytes = records + header;
        assert!(
            bytes <= most,
            "{bytes} bytes of records, and {most} were announced"
        );
        self.take(effects);
        ticket
    }

    /// Asks what is answered at once.
    pub fn call(&mut self, request: GroupRequest) -> GroupReply {
        let ticket = self.ask(request);
        self.answered(ticket).expect("an answer at once")
    }

    pub fn take(&mut self, effects: Effects) {
        self.log.extend(effects.records);
        for (ticket, reply) in effects.answers {
            let before = self.answers.insert(ticket, reply);
            assert_eq!(before, None, "{ticket:?} is answered twice");
        }
    }

    /// The answer to a request, once.
    pub fn answered(&mut self, ticket: Ticket) -> Option<GroupReply> {
        self.answers.remove(&ticket)
    }

    pub fn joined(&mut self, ticket: Ticket) -> Option<JoinReply> {
        match self.answered(ticket)? {
            GroupReply::Join(reply) => Some(reply),
            other => panic!("{other:?}"),
        }
    }

    pub fn synced(&mut self, ticket: Ticket) -> Option<SyncReply> {
        match self.answered(ticket)? {
            GroupReply::Sync(reply) => Some(reply),
            other => panic!("{other:?}"),
        }
    }

    /// Lets time pass, and what is due happen at its time.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now.mono_ms + ms;
        while let Some(at) = self.coordinator.next_deadline()
            && at <= end
        {
            self.wait_until(at.max(self.now.mono_ms));
            let effects = self.coordinator.poll(self.now);
            self.take(effects);
        }
        self.wait_until(end);
    }

    fn wait_until(&mut self, mono_ms: u64) {
        self.now.wall_ms += (mono_ms - self.now.mono_ms) as i64;
        self.now.mono_ms = mono_ms;
    }

    /// Another process goes on from the log.
    pub fn restart(&mut self) {
        self.coordinator = replayed(self.config, &self.log);
        self.coordinator.on_recovered(self.now, &OneTopic);
        self.answers.clear();
    }

    pub fn state(&mut self) -> &'static str {
        self.describe().state
    }

    pub fn describe(&mut self) -> DescribedGroup {
        match self.call(GroupRequest::Describe { group_id: G.into() }) {
            GroupReply::Describe(group) => group,
            other => panic!("{other:?}"),
        }
    }

    /// A member that is in the group as the only one, with its generation.
    pub fn alone(&mut self) -> (Arc<str>, i32) {
        let ticket = self.ask(join("a", ""));
        self.pass(self.config.initial_rebalance_delay_ms);
        let reply = self.joined(ticket).unwrap();
        assert_eq!(reply.error, ErrorCode::NONE);
        self.sync_all(&reply, &[]);
        (reply.member_id, reply.generation)
    }

    /// The leader gives every member an assignment of its own name; who else asks, gets it.
    pub fn sync_all(&mut self, leader: &JoinReply, others: &[&JoinReply]) {
        let assignments = leader.members.iter();
        let assignments = assignments
            .map(|m| (m.member_id.clone(), of(&m.member_id)))
            .collect();
        let mut tickets: Vec<_> = others
            .iter()
            .map(|other| (other.member_id.clone(), self.ask(sync(other, Vec::new()))))
            .collect();
        tickets.push((
            leader.member_id.clone(),
            self.ask(sync(leader, assignments)),
        ));
        for (member_id, ticket) in tickets {
            let reply = self.synced(ticket).expect("the leader has synced");
            assert_eq!(
                (reply.error, reply.assignment),
                (ErrorCode::NONE, of(&member_id))
            );
        }
    }

    pub fn heartbeat(&mut self, member_id: &str, generation: i32) -> ErrorCode {
        match self.call(heartbeat(member_id, generation)) {
            GroupReply::Heartbeat(error) => error,
            other => panic!("{other:?}"),
        }
    }

    /// Commits an offset of `t`-0.
    pub fn commit(&mut self, member_id: &str, generation: i32, offset: i64) -> ErrorCode {
        match self.call(GroupRequest::Commit(commit(member_id, generation, offset))) {
            GroupReply::Commit(verdicts) => verdicts[0][0],
            other => panic!("{other:?}"),
        }
    }

    /// The offset of `t`-0, -1 for none.
    pub fn offset(&mut self) -> i64 {
        let request = FetchOffsetsRequest {
            group_id: G.into(),
            member_id: None,
            member_epoch: -1,
            topics: Some(vec![partitions("t", &[0])]),
        };
        match self.call(GroupRequest::FetchOffsets(request)) {
            GroupReply::FetchOffsets(reply) => reply.topics[0].partitions[0].offset,
            other => panic!("{other:?}"),
        }
    }

    pub fn leave(&mut self, member_id: &str, instance_id: Option<&str>) -> ErrorCode {
        let request = LeaveRequest {
            group_id: G.into(),
            members: vec![LeavingMember {
                member_id: member_id.into(),
                instance_id: instance_id.map(Arc::from),
            }],
        };
        match self.call(GroupRequest::Leave(request)) {
            GroupReply::Leave(reply) => reply.members[0],
            other => panic!("{other:?}"),
        }
    }
}

/// A coordinator that has replayed `log`.
pub fn replayed(config: GroupConfig, log: &[GroupRecord]) -> Coordinator {
    let mut coordinator = Coordinator::new(config);
    for record in log {
        coordinator
            .replay(&record.key, record.value.as_deref(), 0)
            .unwrap();
    }
    coordinator
}

/// The assignment that a member gets in these tests.
pub fn of(member_id: &str) -> Bytes {
    Bytes::copy_from_slice(member_id.as_bytes())
}

/// A join of a client named `client` under `member_id`, of a version before member ids had to
/// be known.
pub fn join(client: &str, member_id: &str) -> GroupRequest {
    GroupRequest::Join(joining(client, member_id))
}

pub fn joining(client: &str, member_id: &str) -> JoinRequest {
    JoinRequest {
        group_id: G.into(),
        member_id: member_id.into(),
        fresh_member_id: format!("{client}-id").into(),
        instance_id: None,
        client_id: client.into(),
        client_host: "/127.0.0.1".into(),
        session_timeout_ms: SESSION_MS,
        rebalance_timeout_ms: REBALANCE_MS,
        protocol_type: "consumer".into(),
        protocols: vec![protocol("range", &["t"])],
        requires_known_member_id: false,
        supports_skip_assignment: false,
    }
}

/// A protocol with a subscription to `topics`.
pub fn protocol(name: &str, topics: &[&str]) -> Protocol {
    let mut metadata = vec![0, 0];
    metadata.extend((topics.len() as i32).to_be_bytes());
    for topic in topics {
        metadata.extend((topic.len() as i16).to_be_bytes());
        metadata.extend(topic.as_bytes());
    }
    metadata.extend((-1i32).to_be_bytes());
    Protocol {
        name: name.into(),
        metadata: metadata.into(),
    }
}

pub fn sync(joined: &JoinReply, assignments: Vec<(Arc<str>, Bytes)>) -> GroupRequest {
    GroupRequest::Sync(SyncRequest {
        group_id: G.into(),
        generation: joined.generation,
        member_id: joined.member_id.clone(),
        instance_id: None,
        protocol_type: joined.protocol_type.clone(),
        protocol_name: joined.protocol_name.clone(),
        assignments,
    })
}

pub fn heartbeat(member_id: &str, generation: i32) -> GroupRequest {
    GroupRequest::Heartbeat(HeartbeatRequest {
        group_id: G.into(),
        generation,
        member_id: member_id.into(),
        instance_id: None,
    })
}

pub fn commit(member_id: &str, generation: i32, offset: i64) -> CommitRequest {
    CommitRequest {
        group_id: G.into(),
        generation,
        member_id: member_id.into(),
        instance_id: None,
        knows_missing_groups: false,
        retention_ms: None,
        topics: vec![CommitTopic {
            name: "t".into(),
            partitions: vec![CommitOffset {
                partition: 0,
                offset,
                leader_epoch: 3,
                metadata: "words".into(),
            }],
        }],
    }
}

pub fn partitions(topic: &str, partitions: &[i32]) -> TopicPartitions {
    TopicPartitions {
        name: topic.into(),
        partitions: partitions.to_vec(),
    }
}
