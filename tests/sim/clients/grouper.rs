//! A member of a group: joins, gets its share, commits, lives for a while, and leaves or
//! vanishes; or a consumer that uses the group for its offsets only. What it commits is its
//! own, so that it knows what must be found again.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use corelane::base::TopicId;
use corelane::catalog::CatalogRequest;
use corelane::group::{
    CommitOffset, CommitRequest, CommitTopic, FetchOffsetsRequest, GroupReply, GroupRequest,
    HeartbeatRequest, JoinReply, JoinRequest, LeaveRequest, LeavingMember, Protocol, SyncRequest,
    TopicPartitions,
};
use corelane::kafka::ErrorCode;
use corelane::shard::{ShardReply, ShardRequest, group_partition};

use super::{breathe, connect_any, is_busy};
use crate::model::Key;
use crate::process::Session;
use crate::world::World;

/// The topic of all offsets: it is there as long as there are groups.
const TOPIC: &str = "__consumer_offsets";
const SESSION_MS: i32 = 3000;
const REBALANCE_MS: i32 = 4000;

/// Takes part until it is to finish.
pub async fn run(world: Rc<World>, number: u64) {
    let key = (format!("group{}", number % 2), number as i32);
    while is_busy(&world) {
        sitting(&world, &key).await;
        breathe(&world).await;
    }
    world.done.set(world.done.get() + 1);
}

/// Looks once more for everything that was committed.
pub async fn read_all(world: Rc<World>) {
    let keys = world.model.borrow().offsets.keys();
    for key in keys {
        while look(&world, &key).await.is_none() {
            world.executor.sleep_ms(10).await;
        }
    }
    world.done.set(world.done.get() + 1);
}

async fn look(world: &World, key: &Key) -> Option<()> {
    let session = connect_any(world).await?;
    fetch(world, &session, key).await
}

async fn sitting(world: &World, key: &Key) -> Option<()> {
    let session = connect_any(world).await?;
    create_topic(world, &session).await?;
    fetch(world, &session, key).await?;
    match world.dice.below(3) {
        0 => {
            for _ in 0..world.dice.range(1, 10) {
                commit(world, &session, key, -1, "").await?;
            }
        }
        1 => commit_elsewhere(world, &session, key).await?,
        _ => attend(world, &session, key).await?,
    }
    fetch(world, &session, key).await?;
    session.abandon(world.dice.one_in(2));
    Some(())
}

pub(super) async fn create_topic(world: &World, session: &Session) -> Option<()> {
    let process = world.process.borrow().clone()?;
    let nodes = process.nodes();
    let is_there = |node: &Rc<crate::node::Node>| {
        node.look(|core| core.catalog().topic_by_id(TopicId::OFFSETS).is_some())
    };
    if nodes.iter().all(is_there) {
        return Some(());
    }
    let create = ShardRequest::Catalog(CatalogRequest::CreateOffsetsTopic);
    session.ask(create).await.map(drop)
}

async fn attend(world: &World, session: &Session, key: &Key) -> Option<()> {
    let Some((member, generation)) = join(world, session, key).await? else {
        return Some(());
    };
    for _ in 0..world.dice.range(0, 8) {
        if world.dice.one_in(2) {
            commit(world, session, key, generation, &member).await?;
        }
        let pause = world.dice.range(0, 1000);
        world.executor.sleep_ms(pause).await;
        let beat = GroupRequest::Heartbeat(HeartbeatRequest {
            group_id: key.0.as_str().into(),
            generation,
            member_id: member.clone(),
            instance_id: None,
        });
        match ask(session, key, beat).await? {
            Ok(GroupReply::Heartbeat(ErrorCode::NONE)) => world.event("group-heartbeat"),
            _ => break,
        }
    }
    if world.dice.one_in(2) {
        let leave = GroupRequest::Leave(LeaveRequest {
            group_id: key.0.as_str().into(),
            members: vec![LeavingMember {
                member_id: member,
                instance_id: None,
            }],
        });
        ask(session, key, leave).await?.ok();
        world.event("group-left");
    }
    Some(())
}

/// The member's id and its generation, once it has its share.
async fn join(world: &World, session: &Session, key: &Key) -> Option<Option<(Arc<str>, i32)>> {
    let mut id: Arc<str> = "".into();
    let joined = loop {
        let request = GroupRequest::Join(join_request(world, key, id.clone()));
        let reply = match ask(session, key, request).await? {
            Ok(GroupReply::Join(reply)) => reply,
            _ => return Some(None),
        };
        id = reply.member_id.clone();
        match reply.error {
            ErrorCode::NONE => break reply,
            ErrorCode::MEMBER_ID_REQUIRED => {}
            _ => return Some(None),
        }
    };
    world.event("group-joined");
    let sync = GroupRequest::Sync(sync_request(key, &joined));
    match ask(session, key, sync).await? {
        Ok(GroupReply::Sync(reply)) if reply.error == ErrorCode::NONE => {
            assert_eq!(*reply.assignment, *id.as_bytes(), "another's share");
            world.event("group-synced");
            Some(Some((id, joined.generation)))
        }
        _ => Some(None),
    }
}

fn join_request(world: &World, key: &Key, member_id: Arc<str>) -> JoinRequest {
    JoinRequest {
        group_id: key.0.as_str().into(),
        member_id,
        fresh_member_id: format!("client{}-{}", key.1, world.fresh()).into(),
        instance_id: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        session_timeout_ms: SESSION_MS,
        rebalance_timeout_ms: REBALANCE_MS,
        protocol_type: "consumer".into(),
        protocols: vec![Protocol {
            name: "range".into(),
            metadata: Bytes::from_static(b"anything"),
        }],
        requires_known_member_id: true,
        supports_skip_assignment: true,
    }
}

/// The leader gives everybody the member's own id.
fn sync_request(key: &Key, joined: &JoinReply) -> SyncRequest {
    let each = joined.members.iter().map(|member| {
        let share = Bytes::copy_from_slice(member.member_id.as_bytes());
        (member.member_id.clone(), share)
    });
    SyncRequest {
        group_id: key.0.as_str().into(),
        generation: joined.generation,
        member_id: joined.member_id.clone(),
        instance_id: None,
        protocol_type: None,
        protocol_name: None,
        assignments: each.collect(),
    }
}

pub(super) async fn commit(
    world: &World,
    session: &Session,
    key: &Key,
    generation: i32,
    member: &str,
) -> Option<()> {
    let offset = world.model.borrow_mut().offsets.ask(key);
    let request = commit_request(key, TOPIC, generation, member, offset);
    if let Ok(GroupReply::Commit(verdicts)) = ask(session, key, request).await?
        && verdicts[0][0] == ErrorCode::NONE
    {
        world.event("group-committed");
        world.model.borrow_mut().offsets.acknowledge(key, offset);
    }
    Some(())
}

/// For a topic that may be deleted; nothing is expected of that.
async fn commit_elsewhere(world: &World, session: &Session, key: &Key) -> Option<()> {
    let topics = world.model.borrow().topics.all();
    if topics.is_empty() {
        return Some(());
    }
    let (name, _) = world.dice.pick(&topics);
    let request = commit_request(key, name, -1, "", 1);
    ask(session, key, request).await?.ok();
    Some(())
}

fn commit_request(
    key: &Key,
    topic: &str,
    generation: i32,
    member: &str,
    offset: i64,
) -> GroupRequest {
    GroupRequest::Commit(CommitRequest {
        group_id: key.0.as_str().into(),
        generation,
        member_id: member.into(),
        instance_id: None,
        knows_missing_groups: true,
        retention_ms: None,
        topics: vec![CommitTopic {
            name: topic.into(),
            partitions: vec![CommitOffset {
                partition: key.1,
                offset,
                leader_epoch: -1,
                metadata: "".into(),
            }],
        }],
    })
}

async fn fetch(world: &World, session: &Session, key: &Key) -> Option<()> {
    let known = world.model.borrow().offsets.known(key);
    let request = GroupRequest::FetchOffsets(FetchOffsetsRequest {
        group_id: key.0.as_str().into(),
        member_id: None,
        member_epoch: -1,
        topics: Some(vec![TopicPartitions {
            name: TOPIC.into(),
            partitions: vec![key.1],
        }]),
    });
    let reply = match ask(session, key, request).await? {
        Ok(GroupReply::FetchOffsets(reply)) => reply,
        Ok(other) => panic!("a fetch is answered with {other:?}"),
        Err(_) => return None,
    };
    let found = reply.topics[0].partitions[0].offset;
    world.model.borrow_mut().offsets.check(key, known, found);
    world.event("group-fetched");
    Some(())
}

pub(super) async fn ask(
    session: &Session,
    key: &Key,
    request: GroupRequest,
) -> Option<Result<GroupReply, ErrorCode>> {
    let partition = group_partition(&key.0).partition;
    match session
        .ask(ShardRequest::Group { partition, request })
        .await?
    {
        ShardReply::Group(answer) => Some(answer),
        other => panic!("a request to a coordinator is answered with {other:?}"),
    }
}
