//! Random histories of members that join, sync, send heartbeats, commit, leave, vanish and come
//! back, while answers are lost and the process is replaced, against a model of what they were
//! promised.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use super::rig::*;
use crate::group::*;
use crate::kafka::ErrorCode;

const CLIENTS: usize = 5;

/// A small generator (xorshift), so that a seed says it all.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[derive(Clone, Debug)]
enum Phase {
    Out,
    Joining(Ticket),
    Joined(JoinReply),
    Syncing(Ticket, JoinReply),
    Member(JoinReply),
}

struct World {
    rig: Rig,
    dice: Dice,
    phases: Vec<Phase>,
    ids: Vec<Arc<str>>,
    /// Incarnations of clients, for fresh member ids.
    births: u64,
    waiting: BTreeSet<Ticket>,
    /// Who was given what in which generation.
    given: BTreeMap<(i32, Bytes), Arc<str>>,
    newest: i32,
    committed: i64,
}

impl World {
    fn new(seed: u64) -> World {
        World {
            rig: Rig::new(),
            dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            phases: vec![Phase::Out; CLIENTS],
            ids: vec!["".into(); CLIENTS],
            births: 0,
            waiting: BTreeSet::new(),
            given: BTreeMap::new(),
            newest: 0,
            committed: -1,
        }
    }

    /// The clients 0 and 1 are static.
    fn instance(client: usize) -> Option<Arc<str>> {
        (client < 2).then(|| format!("instance-{client}").into())
    }

    fn join(&mut self, client: usize) {
        self.births += 1;
        let request = JoinRequest {
            fresh_member_id: format!("m{client}-{}", self.births).into(),
            instance_id: Self::instance(client),
            requires_known_member_id: client.is_multiple_of(2),
            supports_skip_assignment: client.is_multiple_of(3),
            ..joining(&format!("m{client}"), &self.ids[client])
        };
        let ticket = self.rig.ask(GroupRequest::Join(request));
        self.waiting.insert(ticket);
        self.phases[client] = Phase::Joining(ticket);
    }

    /// What a client that behaves does next.
    fn act(&mut self, client: usize) {
        match self.phases[client].clone() {
            Phase::Out => self.join(client),
            Phase::Joining(ticket) => {
                let Some(reply) = self.rig.joined(ticket) else {
                    return;
                };
                self.waiting.remove(&ticket);
                self.on_joined(client, reply);
            }
            Phase::Joined(reply) => {
                let assignments = match reply.skip_assignment {
                    true => Vec::new(),
                    false => (0u8..)
                        .zip(&reply.members)
                        .map(|(n, m)| (m.member_id.clone(), Bytes::copy_from_slice(&[n])))
                        .collect(),
                };
                let ticket = self.rig.ask(sync(&reply, assignments));
                self.waiting.insert(ticket);
                self.phases[client] = Phase::Syncing(ticket, reply);
            }
            Phase::Syncing(ticket, joined) => {
                let Some(reply) = self.rig.synced(ticket) else {
                    return;
                };
                self.waiting.remove(&ticket);
                self.on_synced(client, joined, reply);
            }
            Phase::Member(joined) => {
                let error = self.rig.heartbeat(&joined.member_id, joined.generation);
                self.on_heartbeat(client, error);
            }
        }
    }

    fn on_joined(&mut self, client: usize, reply: JoinReply) {
        match reply.error {
            ErrorCode::NONE => {
                self.ids[client] = reply.member_id.clone();
                self.phases[client] = Phase::Joined(reply);
            }
            ErrorCode::MEMBER_ID_REQUIRED => {
                self.ids[client] = reply.member_id;
                self.phases[client] = Phase::Out;
            }
            ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::FENCED_INSTANCE_ID => self.vanish(client),
            error => panic!("a join is answered with {error}"),
        }
    }

    fn on_synced(&mut self, client: usize, joined: JoinReply, reply: SyncReply) {
        match reply.error {
            ErrorCode::NONE => {
                self.check_assignment(&joined, &reply);
                self.phases[client] = Phase::Member(joined);
            }
            ErrorCode::REBALANCE_IN_PROGRESS | ErrorCode::ILLEGAL_GENERATION => {
                self.phases[client] = Phase::Out;
            }
            ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::FENCED_INSTANCE_ID => self.vanish(client),
            error => panic!("a sync is answered with {error}"),
        }
    }

    fn on_heartbeat(&mut self, client: usize, error: ErrorCode) {
        match error {
            ErrorCode::NONE => {}
            ErrorCode::REBALANCE_IN_PROGRESS | ErrorCode::ILLEGAL_GENERATION => {
                self.phases[client] = Phase::Out;
            }
            ErrorCode::UNKNOWN_MEMBER_ID => self.vanish(client),
            error => panic!("a heartbeat is answered with {error}"),
        }
    }

    fn check_assignment(&mut self, joined: &JoinReply, reply: &SyncReply) {
        assert!(joined.generation >= self.newest, "generations go up");
        self.newest = joined.generation;
        if reply.assignment.is_empty() {
            return;
        }
        let key = (joined.generation, reply.assignment.clone());
        let instance = |id: &str| id.split('-').next().map(str::to_owned);
        let owner = self
            .given
            .entry(key)
            .or_insert_with(|| joined.member_id.clone());
        // A static member that came back has what it had.
        assert_eq!(
            instance(owner),
            instance(&joined.member_id),
            "given to two members"
        );
    }

    /// A client forgets its id, as a new process does; what it waited for is lost.
    fn vanish(&mut self, client: usize) {
        self.ids[client] = "".into();
        self.phases[client] = Phase::Out;
    }

    fn commit(&mut self, client: usize) {
        if let Phase::Member(joined) = self.phases[client].clone() {
            let offset = self.dice.roll(1000) as i64;
            if self
                .rig
                .commit(&joined.member_id, joined.generation, offset)
                == ErrorCode::NONE
            {
                self.committed = offset;
            }
        }
    }

    fn leave(&mut self, client: usize) {
        let instance = Self::instance(client);
        let id = self.ids[client].clone();
        if !id.is_empty() {
            self.rig.leave(&id, instance.as_deref());
        }
        self.vanish(client);
    }

    fn restart(&mut self) {
        let before: Vec<_> = self.rig.coordinator.snapshot().collect();
        self.rig.restart();
        let after: Vec<_> = self.rig.coordinator.snapshot().collect();
        assert_eq!(before, after, "the log makes the same state");
        let again = replayed(self.rig.config, &after);
        assert!(
            again.snapshot().eq(after.iter().cloned()),
            "and so does the snapshot"
        );
        if self.dice.roll(2) == 0 {
            self.rig.log = after;
        }
        self.waiting.clear();
        for client in 0..CLIENTS {
            if let Phase::Joining(_) | Phase::Syncing(..) = self.phases[client] {
                self.phases[client] = Phase::Out;
            }
        }
    }

    fn step(&mut self) {
        let client = self.dice.roll(CLIENTS as u64) as usize;
        match self.dice.roll(40) {
            0 => self.leave(client),
            1 => self.vanish(client),
            2 => self.restart(),
            // Its answer is lost, and it tries again with what it knows.
            3 => self.phases[client] = Phase::Out,
            4..=7 => self.commit(client),
            8..=15 => {
                let ms = self.dice.roll(4000);
                self.rig.pass(ms);
            }
            _ => self.act(client),
        }
        assert_eq!(self.rig.offset(), self.committed);
    }

    /// Everybody behaves from now on: the group becomes stable with all of them.
    fn settle(&mut self) {
        for _ in 0..600 {
            (0..CLIENTS).for_each(|client| self.act(client));
            self.rig.pass(500);
        }
        let ids: BTreeSet<_> = self.ids.iter().cloned().collect();
        let group = self.rig.describe();
        assert_eq!(group.state, "Stable");
        assert_eq!(
            group
                .members
                .iter()
                .map(|m| m.member_id.clone())
                .collect::<BTreeSet<_>>(),
            ids
        );
        assert!(
            self.phases
                .iter()
                .all(|phase| matches!(phase, Phase::Member(_)))
        );
        // Those who went away while they waited were answered, too.
        let waiting = std::mem::take(&mut self.waiting);
        let unanswered = waiting
            .into_iter()
            .filter(|t| self.rig.answered(*t).is_none());
        assert_eq!(unanswered.collect::<Vec<_>>(), []);
        self.restart();
        assert_eq!(self.rig.offset(), self.committed);
    }
}

#[test]
fn random_histories_keep_every_promise() {
    for seed in 1..=200 {
        let outcome = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            (0..400).for_each(|_| world.step());
            world.settle();
        });
        assert!(outcome.is_ok(), "seed {seed}");
    }
}
