//! One member of a group, and whether it is still there.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::Now;
use crate::group::deadlines::{Deadlines, Due};
use crate::group::record::SavedMember;
use crate::group::request::{JoinRequest, Protocol, Ticket};

/// How long a member that has just been let in may wait for its first rebalance to end,
/// milliseconds: it cannot send heartbeats before, and whoever has gone meanwhile must not be
/// waited for (Kafka: `group.new.member.join.timeout`, a constant there too).
const NEW_MEMBER_WAIT_MS: u64 = 5 * 60 * 1000;
/// What a member costs beside its texts and bytes, about.
const MEMBER_OVERHEAD: usize = 512;

/// A member.
#[derive(Debug)]
pub(in crate::group) struct Member {
    pub id: Arc<str>,
    pub instance_id: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    pub protocols: Vec<Protocol>,
    pub assignment: Bytes,
    /// Its join waits for the others.
    pub joining: Option<Ticket>,
    /// It waits for its assignment.
    pub syncing: Option<Ticket>,
    /// It has not been through a rebalance yet.
    pub is_new: bool,
    /// When its session ends, on the monotonic clock, milliseconds.
    session_at: u64,
    /// Its only entry among the deadlines that counts.
    queued_at: u64,
}

/// What a session that was due turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::group) enum Session {
    Alive,
    Over,
}

impl Member {
    /// One that joins for the first time, under the id `id`.
    pub(super) fn joining(id: Arc<str>, request: &JoinRequest) -> Member {
        let mut member = Member {
            id,
            instance_id: request.instance_id.clone(),
            client_id: request.client_id.clone(),
            client_host: request.client_host.clone(),
            rebalance_timeout_ms: 0,
            session_timeout_ms: 0,
            protocols: Vec::new(),
            assignment: Bytes::new(),
            joining: None,
            syncing: None,
            is_new: true,
            session_at: 0,
            queued_at: u64::MAX,
        };
        member.update(request);
        member
    }

    /// One that was in the group when the process ended.
    pub(super) fn restored(saved: &SavedMember, protocol: Option<&Arc<str>>) -> Member {
        let protocols = protocol.into_iter().map(|name| Protocol {
            name: name.clone(),
            metadata: saved.subscription.clone(),
        });
        Member {
            id: saved.member_id.clone(),
            instance_id: saved.instance_id.clone(),
            client_id: saved.client_id.clone(),
            client_host: saved.client_host.clone(),
            rebalance_timeout_ms: saved.rebalance_timeout_ms,
            session_timeout_ms: saved.session_timeout_ms,
            protocols: protocols.collect(),
            assignment: saved.assignment.clone(),
            joining: None,
            syncing: None,
            is_new: false,
            session_at: 0,
            queued_at: u64::MAX,
        }
    }

    /// It joins again and may say something else than before.
    pub(super) fn update(&mut self, request: &JoinRequest) {
        self.session_timeout_ms = request.session_timeout_ms;
        self.rebalance_timeout_ms = match request.rebalance_timeout_ms {
            ..0 => request.session_timeout_ms,
            timeout => timeout,
        };
        self.client_id = request.client_id.clone();
        self.client_host = request.client_host.clone();
        self.protocols = request.protocols.clone();
    }

    /// What it said for a protocol.
    pub(in crate::group) fn metadata(&self, protocol: &str) -> Option<Bytes> {
        let known = self.protocols.iter().find(|p| &*p.name == protocol)?;
        Some(known.metadata.clone())
    }

    /// As the group's record has it.
    pub(super) fn saved(&self, protocol: Option<&Arc<str>>) -> SavedMember {
        SavedMember {
            member_id: self.id.clone(),
            instance_id: self.instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            session_timeout_ms: self.session_timeout_ms,
            subscription: protocol.and_then(|p| self.metadata(p)).unwrap_or_default(),
            assignment: self.assignment.clone(),
        }
    }

    /// Bytes of memory that it takes, about.
    pub(super) fn bytes(&self) -> usize {
        let protocols = self.protocols.iter();
        let said: usize = protocols.map(|p| p.name.len() + p.metadata.len()).sum();
        let instance = self.instance_id.as_ref().map_or(0, |id| id.len());
        let names = self.id.len() + instance + self.client_id.len() + self.client_host.len();
        MEMBER_OVERHEAD + names + said + self.assignment.len()
    }

    /// It was heard of just now.
    pub(super) fn prolong(&mut self, now: Now) {
        let ms = u64::try_from(self.session_timeout_ms).unwrap_or(0);
        self.session_at = now.mono_ms + ms;
    }

    /// Its session begins.
    pub(in crate::group) fn arm(&mut self, now: Now, group: &Arc<str>, deadlines: &mut Deadlines) {
        match self.is_new && self.joining.is_some() {
            true => self.session_at = now.mono_ms + NEW_MEMBER_WAIT_MS,
            false => self.prolong(now),
        }
        if self.session_at < self.queued_at {
            self.queue(group, deadlines);
        }
    }

    /// It is gone, or goes on under another id.
    pub(super) fn disarm(&self, group: &Arc<str>, deadlines: &mut Deadlines) {
        let due = Due::Session(group.clone(), self.id.clone());
        deadlines.remove(self.queued_at, due);
    }

    /// It has no entry among the deadlines under the id that it has now.
    pub(super) fn forget_deadline(&mut self) {
        self.queued_at = u64::MAX;
    }

    /// An entry of it has come up.
    pub(super) fn on_due(
        &mut self,
        now: Now,
        group: &Arc<str>,
        deadlines: &mut Deadlines,
    ) -> Session {
        if self.queued_at > now.mono_ms {
            // An earlier one; the one that counts is still to come.
            return Session::Alive;
        }
        // Whoever waits for others cannot send heartbeats meanwhile.
        if self.syncing.is_some() || (self.joining.is_some() && !self.is_new) {
            self.prolong(now);
        }
        if self.session_at <= now.mono_ms {
            return Session::Over;
        }
        self.queue(group, deadlines);
        Session::Alive
    }

    fn queue(&mut self, group: &Arc<str>, deadlines: &mut Deadlines) {
        self.queued_at = self.session_at;
        let due = Due::Session(group.clone(), self.id.clone());
        deadlines.insert(self.session_at, due);
    }
}
