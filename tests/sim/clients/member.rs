//! A member of a group whose coordinator assigns (KIP-848): joins, takes what it is given, gives
//! up what it is told to, sooner or later, and leaves for good, for a while, or vanishes. It goes
//! by its own clock: once its session may have ended, it has nothing any more.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use corelane::group::{
    ConsumerHeartbeat, ConsumerHeartbeatReply, GroupReply, GroupRequest, Partitions,
};
use corelane::kafka::ErrorCode;

use super::{breathe, connect_any, grouper, is_busy};
use crate::model::{Key, Partition};
use crate::plan::MEMBER_SESSION_MS;
use crate::process::Session;
use crate::world::World;

/// Longer than a session: who was told to give something up has lost it by then in any case.
const REBALANCE_MS: i32 = 2 * MEMBER_SESSION_MS as i32;
/// The broker counts whole milliseconds.
const MARGIN_US: u64 = 2000;
const JOINS: i32 = 0;
const LEAVES: i32 = -1;
const LEAVES_FOR_A_WHILE: i32 = -2;

/// Takes part until it is to finish.
pub async fn run(world: Rc<World>, number: u64) {
    let key = (format!("consumers{}", number % 2), number as i32);
    while is_busy(&world) {
        if let Some(session) = connect_any(&world).await {
            sitting(&world, session, &key).await;
        }
        breathe(&world).await;
    }
    world.done.set(world.done.get() + 1);
}

/// Sees to it that every group gives all partitions to somebody who comes when all have gone.
pub async fn read_all(world: Rc<World>) {
    for group in ["consumers0", "consumers1"] {
        let topics = world.model.borrow().topics.all();
        let counts = topics.iter().map(|(_, topic)| topic.partitions as usize);
        let all: usize = counts.sum();
        let mut member = Member::new(&world, group, None);
        member.topics = topics
            .iter()
            .map(|(name, _)| name.as_str().into())
            .collect();
        let mut link = Link::default();
        loop {
            member.beat(&world, &mut link).await;
            member.part(&world);
            if member.epoch != JOINS && member.has.len() == all {
                break;
            }
            world.executor.sleep_ms(500).await;
        }
        while !member.leave(&world, &mut link, LEAVES).await {
            world.executor.sleep_ms(10).await;
        }
    }
    world.done.set(world.done.get() + 1);
}

async fn sitting(world: &World, session: Rc<Session>, key: &Key) {
    let mut link = Link {
        session: Some(session),
    };
    let instance_id = (key.1 % 2 == 1).then(|| format!("static{}", key.1).into());
    let mut member = Member::new(world, &key.0, instance_id);
    for _ in 0..world.dice.range(1, 25) {
        member.beat(world, &mut link).await;
        if world.dice.one_in(4) {
            member.commit(world, &link, key).await;
        }
        if world.dice.one_in(2) {
            member.part(world);
        }
        if world.dice.one_in(10) {
            member.topics = some_topics(world);
            member.is_sure = false;
        }
        let pause = world.dice.range(0, 800);
        world.executor.sleep_ms(pause).await;
        breathe(world).await;
    }
    if world.dice.one_in(3) {
        world.event("consumer-vanished");
        return;
    }
    let how = match &member.instance_id {
        Some(_) if world.dice.one_in(2) => LEAVES_FOR_A_WHILE,
        _ => LEAVES,
    };
    member.leave(world, &mut link, how).await;
}

/// Topics that there are, mostly.
fn some_topics(world: &World) -> Vec<Arc<str>> {
    let topics = world.model.borrow().topics.all();
    let names = topics.into_iter().map(|(name, _)| Arc::from(name));
    names.filter(|_| !world.dice.one_in(4)).collect()
}

/// A connection, as long as it holds.
#[derive(Default)]
struct Link {
    session: Option<Rc<Session>>,
}

impl Link {
    async fn session(&mut self, world: &World) -> Option<Rc<Session>> {
        if self
            .session
            .as_ref()
            .is_none_or(|session| session.is_gone())
        {
            self.session = connect_any(world).await;
            let session = self.session.clone()?;
            grouper::create_topic(world, &session).await?;
        }
        self.session.clone()
    }
}

struct Member {
    group: Arc<str>,
    id: Arc<str>,
    instance_id: Option<Arc<str>>,
    /// What it subscribes to.
    topics: Vec<Arc<str>>,
    epoch: i32,
    /// What it was given.
    has: BTreeSet<Partition>,
    /// What it was told to give up and still has.
    parting: BTreeSet<Partition>,
    /// Until when its session lasts for sure, simulated microseconds.
    until_us: u64,
    /// Its last heartbeat was answered, and it has said everything.
    is_sure: bool,
}

impl Member {
    fn new(world: &World, group: &str, instance_id: Option<Arc<str>>) -> Member {
        Member {
            group: group.into(),
            id: format!("member{}", world.fresh()).into(),
            instance_id,
            topics: some_topics(world),
            epoch: JOINS,
            has: BTreeSet::new(),
            parting: BTreeSet::new(),
            until_us: 0,
            is_sure: false,
        }
    }

    /// One heartbeat, and what comes of it.
    async fn beat(&mut self, world: &World, link: &mut Link) {
        let Some(session) = link.session(world).await else {
            return;
        };
        let sent_us = world.executor.now_us();
        if sent_us > self.until_us {
            self.lose(world);
        }
        let until_us = sent_us + MEMBER_SESSION_MS * 1000 - MARGIN_US;
        let lost_at = match self.epoch {
            JOINS => until_us,
            _ => self.until_us,
        };
        let said_all = std::mem::replace(&mut self.is_sure, false);
        let reply = self.ask(&session, self.epoch, !said_all).await;
        let now_us = world.executor.now_us();
        if now_us > lost_at {
            world.event("consumer-answered-late");
            self.lose(world);
            return;
        }
        match reply.map(|reply| (reply.error, reply)) {
            None => {}
            Some((ErrorCode::NONE, reply)) => {
                world.event("consumer-heartbeat");
                self.take(world, reply, now_us, until_us);
            }
            Some((ErrorCode::UNRELEASED_INSTANCE_ID, _)) => world.event("consumer-unreleased"),
            Some((
                ErrorCode::FENCED_MEMBER_EPOCH
                | ErrorCode::UNKNOWN_MEMBER_ID
                | ErrorCode::FENCED_INSTANCE_ID
                | ErrorCode::GROUP_ID_NOT_FOUND,
                _,
            )) => {
                world.event("consumer-fenced");
                self.lose(world);
            }
            Some((_, reply)) => panic!("a heartbeat is answered with {reply:?}"),
        }
    }

    fn take(&mut self, world: &World, reply: ConsumerHeartbeatReply, now_us: u64, until_us: u64) {
        if let Some(assignment) = reply.assignment {
            let given: BTreeSet<Partition> = assignment
                .into_iter()
                .flat_map(|(topic, of_topic)| of_topic.into_iter().map(move |p| (topic, p)))
                .collect();
            let before = std::mem::replace(&mut self.has, given);
            self.parting.extend(before);
            self.parting
                .retain(|partition| !self.has.contains(partition));
            if !self.parting.is_empty() {
                world.event("consumer-must-part");
            }
        }
        (self.epoch, self.until_us, self.is_sure) = (reply.member_epoch, until_us, true);
        let holders = &mut world.model.borrow_mut().holders;
        for &partition in &self.has {
            holders.hold(&self.group, partition, &self.id, now_us, until_us);
        }
    }

    /// Gives up what it was told to.
    fn part(&mut self, world: &World) {
        let holders = &mut world.model.borrow_mut().holders;
        for partition in std::mem::take(&mut self.parting) {
            holders.release(&self.group, partition, &self.id);
        }
    }

    /// It has nothing any more and is nobody.
    fn lose(&mut self, world: &World) {
        self.parting.append(&mut self.has);
        self.part(world);
        (self.epoch, self.is_sure) = (JOINS, false);
    }

    /// Whether an answer came.
    async fn leave(&mut self, world: &World, link: &mut Link, how: i32) -> bool {
        let was_in = self.epoch != JOINS;
        self.lose(world);
        let Some(session) = link.session(world).await.filter(|_| was_in) else {
            return !was_in;
        };
        world.event("consumer-leaves");
        let reply = self.ask(&session, how, false).await;
        reply.is_some()
    }

    async fn commit(&self, world: &World, link: &Link, key: &Key) {
        if let Some(session) = link.session.as_ref().filter(|_| self.epoch != JOINS) {
            grouper::commit(world, session, key, self.epoch, &self.id).await;
        }
    }

    async fn ask(
        &self,
        session: &Session,
        epoch: i32,
        all: bool,
    ) -> Option<ConsumerHeartbeatReply> {
        let mut owned = Partitions::new();
        for &(topic, partition) in self.has.union(&self.parting) {
            owned.entry(topic).or_default().insert(partition);
        }
        let beat = GroupRequest::ConsumerHeartbeat(ConsumerHeartbeat {
            group_id: self.group.clone(),
            member_id: self.id.clone(),
            makes_own_id: true,
            member_epoch: epoch,
            instance_id: self.instance_id.clone(),
            rebalance_timeout_ms: if all { REBALANCE_MS } else { -1 },
            topics: all.then(|| self.topics.clone()),
            owned: Some(owned),
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            ..ConsumerHeartbeat::default()
        });
        match grouper::ask(session, &(self.group.to_string(), 0), beat).await? {
            Ok(GroupReply::ConsumerHeartbeat(reply)) => Some(reply),
            Ok(other) => panic!("a heartbeat is answered with {other:?}"),
            Err(_) => None,
        }
    }
}
