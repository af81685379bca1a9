//! Coordinators on a shard whose disk does what it is told: when their answers may leave, what
//! happens without room, and that their logs do not grow for ever.

use super::*;
use crate::base::limits::{MIB, WAL_SEGMENT_BYTES_MIN};
use crate::base::{LogConfig, ShardId};
use crate::catalog::{BrokerDefaults, CatalogRecord, CatalogRequest, NewTopic, TopicRef};
use crate::group::{
    CommitOffset, CommitRequest, CommitTopic, FetchOffsetsRequest, HeartbeatRequest, Topics,
};
use crate::shard::group_rewrite::GroupRewriteStep;
use crate::shard::state::ShardConfig;
use crate::shard::{Assembly, Upkeep};
use crate::wal::{Recovered, SegmentWork, WalConfig};

const GROUP: &str = "g";

struct Rig {
    shard: Shard,
    now: Now,
    tickets: u64,
    upkeep: Upkeep,
}

impl Rig {
    /// A shard that hosts all coordinators, and topics `a` and `b`.
    fn new() -> Rig {
        let config = ShardConfig {
            id: ShardId(0),
            shards: 1,
            leader_epoch: 1,
            index_bytes: MIB,
            tail_bytes: 0,
            read_ahead_bytes: 0,
            producer_expiration_ms: 1000,
            producers_max: usize::MAX,
            groups: GroupConfig::default(),
        };
        let now = Now {
            wall_ms: 1_000_000,
            mono_ms: 0,
        };
        let recovered = Assembly::default().finish(BrokerDefaults::default(), now, &[config]);
        let segment_bytes = WAL_SEGMENT_BYTES_MIN as u32;
        let wal_config = WalConfig {
            wal: 0,
            segment_bytes,
            disk_bytes_max: 4 * u64::from(segment_bytes),
            run_seed: 1,
        };
        let recovered = recovered.unwrap().remove(0);
        let shard = recovered.open(wal_config, Recovered::fresh(0), Vec::new());
        let mut shard = shard.unwrap();
        let upkeep = Upkeep::new(&shard, now, 1000);
        drain(&mut shard, now);
        let mut rig = Rig {
            shard,
            now,
            tickets: 0,
            upkeep,
        };
        rig.change(&CatalogRequest::CreateOffsetsTopic);
        let topics = ["a", "b"].map(|name| NewTopic {
            name: name.to_owned(),
            partitions: 1,
            replication_factor: 1,
            ..NewTopic::default()
        });
        rig.change(&CatalogRequest::CreateTopics {
            topics: topics.to_vec(),
            validate_only: false,
        });
        rig
    }

    fn change(&mut self, request: &CatalogRequest) {
        let mut ids = 10;
        let mut fresh = || {
            ids += 1;
            TopicId([ids; 16])
        };
        let change = self.shard.decide_catalog(self.now, &mut fresh, request);
        for batch in &change.batches {
            self.shard.append_catalog(self.now, batch).unwrap();
        }
        drain(&mut self.shard, self.now);
        assert!(
            change
                .records
                .iter()
                .all(|r| CatalogRecord::decode(r).is_ok())
        );
        self.shard.apply_catalog(&change.records).unwrap();
    }

    fn try_ask(
        &mut self,
        request: &mut Option<GroupRequest>,
    ) -> Result<Result<GroupAnswer, ErrorCode>, Blocked> {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let partition = group_partition(GROUP).partition;
        let taken = self
            .shard
            .handle_group(self.now, partition, ticket, request)?;
        if let Err(error) = taken {
            return Ok(Err(error));
        }
        let answer = self.shard.poll_group_answer().unwrap();
        assert_eq!(answer.ticket, ticket);
        Ok(Ok(answer))
    }

    fn ask(&mut self, request: GroupRequest) -> GroupAnswer {
        self.try_ask(&mut Some(request)).unwrap().unwrap()
    }

    fn offset(&mut self, topic: &str) -> i64 {
        let fetch = GroupRequest::FetchOffsets(FetchOffsetsRequest {
            group_id: GROUP.into(),
            member_id: None,
            member_epoch: -1,
            topics: None,
        });
        let GroupReply::FetchOffsets(reply) = self.ask(fetch).reply else {
            panic!("another answer");
        };
        let found = reply.topics.iter().find(|found| &*found.name == topic);
        found.map_or(-1, |found| found.partitions[0].offset)
    }

    fn log(&self) -> &crate::partition::Partition {
        &self.shard.partitions[&group_partition(GROUP)].log
    }
}

/// Carries out all work on a disk that does what it is told.
fn drain(shard: &mut Shard, now: Now) {
    loop {
        while let Some((wal, work)) = shard.poll_segment() {
            match work {
                SegmentWork::Prepare { slot, .. } => shard.on_prepared(slot),
                SegmentWork::WriteHeader { slot, .. } => shard.on_header_written(slot),
                SegmentWork::WriteManifest { .. } => shard.on_manifest_written(wal),
                SegmentWork::Shorten { slot, .. } => shard.on_shortened(wal, slot),
                SegmentWork::Delete { slot } => shard.on_deleted(wal, slot),
            }
        }
        let Some(plan) = shard.poll_write() else {
            return;
        };
        let mut block = vec![0; plan.bytes];
        plan.copy_to(&mut block);
        shard.on_written(now, plan.lsn, Bytes::from(block));
    }
}

fn commit_of(topic: &str, offset: i64, metadata: &str) -> GroupRequest {
    GroupRequest::Commit(CommitRequest {
        group_id: GROUP.into(),
        generation: -1,
        member_id: "".into(),
        instance_id: None,
        knows_missing_groups: true,
        retention_ms: None,
        topics: vec![CommitTopic {
            name: topic.into(),
            partitions: vec![CommitOffset {
                partition: 0,
                offset,
                leader_epoch: -1,
                metadata: metadata.into(),
            }],
        }],
    })
}

fn commit(offset: i64) -> GroupRequest {
    commit_of("a", offset, "")
}

fn heartbeat() -> GroupRequest {
    GroupRequest::Heartbeat(HeartbeatRequest {
        group_id: GROUP.into(),
        generation: 1,
        member_id: "nobody".into(),
        instance_id: None,
    })
}

#[test]
fn groups_have_the_partitions_that_kafka_gives_them() {
    // By Java's `String.hashCode`; of the fourth it is the smallest number there is.
    let table = [
        ("", 0),
        ("group", 47),
        ("console-consumer-12345", 6),
        ("polygenelubricants", 0),
        ("grüppe-😀", 14),
        ("my-group", 12),
    ];
    for (group, partition) in table {
        assert_eq!(
            group_partition(group),
            offsets_partition(partition),
            "{group}"
        );
    }
}

#[test]
fn an_answer_waits_for_all_that_it_depends_on() {
    let mut rig = Rig::new();
    let durable = rig.shard.wal.durable();
    let answer = rig.ask(commit(7));
    assert_eq!(
        answer.reply,
        GroupReply::Commit(vec![vec![ErrorCode::NONE]])
    );
    assert!(answer.after > durable, "nothing says so on the disk yet");
    let fetched = rig.ask(GroupRequest::FetchOffsets(FetchOffsetsRequest {
        group_id: GROUP.into(),
        member_id: None,
        member_epoch: -1,
        topics: None,
    }));
    assert_eq!(
        fetched.after, answer.after,
        "what was read may still be lost"
    );
    drain(&mut rig.shard, rig.now);
    assert!(rig.shard.wal.durable() >= answer.after);
    assert_eq!(rig.offset("a"), 7);
}

#[test]
fn a_coordinator_that_is_not_here_is_told() {
    let mut rig = Rig::new();
    let answer = rig
        .shard
        .handle_group(rig.now, 50, Ticket(1), &mut Some(commit(1)));
    assert_eq!(answer, Ok(Err(ErrorCode::NOT_COORDINATOR)));
}

#[test]
fn a_full_disk_refuses_what_writes_and_only_that() {
    let mut rig = Rig::new();
    rig.ask(commit(1));
    let tp = TopicPartition {
        topic: TopicId([12; 16]),
        partition: 0,
    };
    rig.shard.create_partition(tp, LogConfig::default());
    let value = vec![0; 100_000];
    let batch = BatchBuilder::new(0).record(0, None, Some(&value)).build();
    while rig.shard.append(rig.now, tp, &batch).is_ok() {
        drain(&mut rig.shard, rig.now);
    }
    let mut request = Some(commit(2));
    let refused = loop {
        match rig.try_ask(&mut request) {
            Ok(_) => request = Some(commit(2)),
            Err(blocked) => break blocked,
        }
        drain(&mut rig.shard, rig.now);
    };
    assert_eq!(refused, Blocked::Full);
    assert!(request.is_some(), "it can be tried again");
    assert!(rig.try_ask(&mut Some(heartbeat())).is_ok());
    rig.shard.delete_records(tp, -1).unwrap().unwrap();
    for _ in 0..4 {
        drain(&mut rig.shard, rig.now);
        rig.shard.reclaim();
    }
    drain(&mut rig.shard, rig.now);
    rig.ask(commit(3));
    assert_eq!(rig.offset("a"), 3);
}

#[test]
fn a_log_of_commits_never_fills_the_disk() {
    let mut rig = Rig::new();
    let mut rewritten = 0;
    // A block each, 4 KiB: ten times the disk.
    for offset in 0..40_000 {
        let answer = rig.ask(commit(offset));
        drain(&mut rig.shard, rig.now);
        assert!(answer.after <= rig.shard.wal.durable());
        if offset % 500 == 0 {
            rig.now.mono_ms += 1000;
            let mut due = rig.upkeep.round(&mut rig.shard, rig.now);
            while let Some(task) = &mut due.rewrite_groups {
                assert!(rig.shard.group_logs_to_rewrite().is_none(), "one at a time");
                match task.step(&mut rig.shard, rig.now) {
                    GroupRewriteStep::Done => due.rewrite_groups = None,
                    _ => drain(&mut rig.shard, rig.now),
                }
                rewritten += 1;
            }
        }
    }
    assert!(rewritten > 0);
    assert!(rig.log().log_start() > 30_000, "{}", rig.log().log_start());
    assert_eq!(rig.offset("a"), 39_999);
}

#[test]
fn nothing_is_written_between_what_is_written_again() {
    let mut rig = Rig::new();
    rig.ask(commit(5));
    drain(&mut rig.shard, rig.now);
    let partition = group_partition(GROUP).partition;
    rig.shard
        .groups
        .hosted
        .get_mut(&partition)
        .unwrap()
        .rewriting = true;
    let mut request = Some(commit(6));
    assert_eq!(rig.try_ask(&mut request).unwrap_err(), Blocked::Busy);
    assert_eq!(rig.offset("a"), 5, "reading goes on");
}

#[test]
fn offsets_of_a_deleted_topic_go_before_anything_else_comes() {
    let mut rig = Rig::new();
    rig.ask(commit_of("a", 1, ""));
    rig.ask(commit_of("b", 2, ""));
    drain(&mut rig.shard, rig.now);
    assert!(!rig.shard.has_group_work() || rig.shard.poll_groups(rig.now).is_some());
    let topics = vec![TopicRef {
        name: Some("a".to_owned()),
        id: TopicId::ZERO,
    }];
    rig.change(&CatalogRequest::DeleteTopics { topics });
    assert!(rig.shard.has_group_work(), "the driver is to come");
    assert_eq!((rig.offset("a"), rig.offset("b")), (-1, 2));
    rig.shard.poll_groups(rig.now);
    assert!(rig.shard.groups.due(rig.now).is_empty());
}

#[test]
fn records_that_would_fit_no_segment_are_refused() {
    let mut rig = Rig::new();
    let metadata = "m".repeat(5 * MIB);
    let mut request = Some(commit_of("a", 1, &metadata));
    let refused = rig.try_ask(&mut request).unwrap().unwrap_err();
    assert_eq!(refused, ErrorCode::INVALID_COMMIT_OFFSET_SIZE);
    assert_eq!(rig.offset("a"), -1);
}

#[test]
fn coordinators_see_the_topics_of_the_catalogue() {
    let rig = Rig::new();
    let topics = GroupTopics::new(rig.shard.catalog(), 7);
    let (id, partitions) = topics.named("a").unwrap();
    assert_eq!((topics.version(), partitions), (7, 1));
    assert_eq!(topics.name_of(id).as_deref(), Some("a"));
    assert_eq!(topics.name_of(TopicId([99; 16])), None);
    let (mut names, mut partitions) = (Vec::new(), 0);
    topics.for_each(&mut |name| {
        partitions += topics.named(name).unwrap().1;
        names.push(name.to_string());
    });
    assert!(names.contains(&"a".to_owned()) && names.contains(&"b".to_owned()));
    assert_eq!(topics.partitions(), partitions as usize);
}
