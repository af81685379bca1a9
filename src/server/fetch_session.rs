//! Incremental fetch sessions (KIP-227): a consumer names its partitions once and
//! then only what changed; the answer carries only partitions with news. Pure state
//! of one shard; connections of that shard share it, because a client may come back
//! on another connection.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::base::TopicId;
use crate::kafka::error_code::ErrorCode;

/// How long an unused session is safe from eviction, milliseconds
/// (Kafka: `min.incremental.fetch.session.eviction.ms`).
const EVICTION_IDLE_MS: u64 = 120_000;
/// What one partition of a session takes, its topic's name aside, bytes: two tables, of which one
/// may be half empty.
const MEMBER_BYTES: usize =
    2 * size_of::<(PartitionKey, Member)>() + 3 * size_of::<(u64, PartitionKey)>() / 2;

/// How a request names a topic: by id from version 13 on.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum TopicKey {
    /// Fetch v13+.
    Id(TopicId),
    /// Fetch up to v12.
    Name(Rc<str>),
}

/// What a client wants of one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// First offset wanted.
    pub offset: i64,
    /// Bytes at most.
    pub max_bytes: i32,
    /// Leader epoch that the client knows, or -1.
    pub current_leader_epoch: i32,
    /// Epoch of its last record, or -1.
    pub last_fetched_epoch: i32,
}

/// A partition, as a request names it.
pub type PartitionKey = (TopicKey, i32);

/// What the answer said of a partition last time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Told {
    /// High watermark.
    pub high_watermark: i64,
    /// Log start offset.
    pub log_start_offset: i64,
}

#[derive(Debug)]
struct Member {
    order: u64,
    wanted: Wanted,
    told: Option<Told>,
}

#[derive(Debug)]
struct FetchSession {
    epoch: i32,
    by_id: bool,
    members: HashMap<PartitionKey, Member>,
    /// Fairness: partitions that gave data go to the back.
    turns: BTreeMap<u64, PartitionKey>,
    next_turn: u64,
    used_ms: u64,
    /// What its partitions take, about.
    bytes: usize,
}

/// The sessions of one shard.
#[derive(Debug)]
pub struct FetchSessions {
    sessions: HashMap<i32, FetchSession>,
    sessions_max: usize,
    bytes_max: usize,
    /// What all sessions take together.
    bytes: usize,
    next_id: i32,
}

/// One fetch request as far as sessions are concerned.
#[derive(Debug)]
pub struct SessionRequest {
    /// Session id, 0 for none.
    pub id: i32,
    /// Session epoch: 0 asks for a new session, -1 wants none.
    pub epoch: i32,
    /// Whether topics are named by id.
    pub by_id: bool,
    /// Partitions in the request.
    pub partitions: Vec<(PartitionKey, Wanted)>,
    /// Partitions that the session shall forget.
    pub forgotten: Vec<PartitionKey>,
}

/// What to read for a request, in this order.
#[derive(Debug)]
pub struct SessionPlan {
    /// Session id for the response, 0 for none.
    pub id: i32,
    /// Whether only partitions with news go into the response.
    pub incremental: bool,
    /// The partitions to read.
    pub partitions: Vec<(PartitionKey, Wanted)>,
}

impl FetchSessions {
    /// No sessions yet, at most `sessions_max`, which may take `bytes_max` of memory together; ids
    /// count up from `first_id`, which the runtime draws at random so that ids of an earlier run
    /// are not met again.
    pub fn new(sessions_max: usize, bytes_max: usize, first_id: i32) -> Self {
        let next_id = first_id.saturating_abs().max(1);
        FetchSessions {
            sessions: HashMap::new(),
            sessions_max,
            bytes_max,
            bytes: 0,
            next_id,
        }
    }

    /// Takes a request in, and says what to read for it.
    pub fn handle(
        &mut self,
        now_ms: u64,
        request: SessionRequest,
    ) -> Result<SessionPlan, ErrorCode> {
        match request.epoch {
            -1 => {
                self.close(request.id);
                Ok(SessionPlan {
                    id: 0,
                    incremental: false,
                    partitions: request.partitions,
                })
            }
            0 => {
                self.close(request.id);
                let id = self.create(now_ms, &request);
                Ok(SessionPlan {
                    id,
                    incremental: false,
                    partitions: request.partitions,
                })
            }
            _ => self.continue_session(now_ms, request),
        }
    }

    /// Notes what the answer tells of a partition. Whether that is news which belongs
    /// into an incremental answer; data and errors always do.
    pub fn on_answer(
        &mut self,
        id: i32,
        key: &PartitionKey,
        told: Told,
        has_data: bool,
        is_error: bool,
    ) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else {
            return true;
        };
        let turn = session.next_turn;
        let Some(member) = session.members.get_mut(key) else {
            return true;
        };
        // After an error the next answer is news again, whatever it says.
        let news = has_data || is_error || member.told != Some(told);
        member.told = (!is_error).then_some(told);
        if has_data {
            session.turns.remove(&member.order);
            member.order = turn;
            session.next_turn += 1;
            session.turns.insert(turn, key.clone());
        }
        news
    }

    /// How many sessions there are.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there are none.
    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    fn close(&mut self, id: i32) {
        if let Some(session) = self.sessions.remove(&id) {
            self.bytes -= session.bytes;
        }
    }

    /// A new session's id; 0 when there is no room for one, which clients accept.
    fn create(&mut self, now_ms: u64, request: &SessionRequest) -> i32 {
        let bytes = request
            .partitions
            .iter()
            .map(|(key, _)| bytes_of(key))
            .sum();
        let has_room = self.make_room(now_ms, None, bytes);
        if request.partitions.is_empty() || !has_room {
            return 0;
        }
        while self.sessions.contains_key(&self.next_id) {
            self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        }
        let id = self.next_id;
        self.next_id = id.checked_add(1).unwrap_or(1);
        let mut session = FetchSession {
            epoch: 1,
            by_id: request.by_id,
            members: HashMap::new(),
            turns: BTreeMap::new(),
            next_turn: 0,
            used_ms: now_ms,
            bytes: 0,
        };
        for (key, wanted) in &request.partitions {
            session.want(key.clone(), *wanted);
        }
        self.bytes += session.bytes;
        self.sessions.insert(id, session);
        id
    }

    /// Ends idle sessions until there is room for `bytes` more, in the session `of` or a new one.
    fn make_room(&mut self, now_ms: u64, of: Option<i32>, bytes: usize) -> bool {
        let full = |s: &Self| {
            let has_place = of.is_some() || s.sessions.len() < s.sessions_max;
            !has_place || s.bytes.saturating_add(bytes) > s.bytes_max
        };
        while full(self) {
            let others = self.sessions.iter().filter(|(id, _)| of != Some(**id));
            let oldest = others.min_by_key(|(_, s)| s.used_ms);
            match oldest.map(|(id, s)| (*id, s.used_ms)) {
                Some((id, used_ms)) if used_ms + EVICTION_IDLE_MS <= now_ms => self.close(id),
                _ => return false,
            }
        }
        true
    }

    fn continue_session(
        &mut self,
        now_ms: u64,
        request: SessionRequest,
    ) -> Result<SessionPlan, ErrorCode> {
        let session = self
            .sessions
            .get_mut(&request.id)
            .ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        if session.epoch != request.epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if session.by_id != request.by_id {
            return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        // What is forgotten makes no room for what is new: that is the next request's.
        let news = request.partitions.iter().map(|(key, _)| key);
        let more = news.filter(|key| !session.members.contains_key(*key));
        let more = more.map(bytes_of).sum();
        if more > 0 && !self.make_room(now_ms, Some(request.id), more) {
            // The client begins again with a full request, and is content without a session.
            self.close(request.id);
            return Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
        }
        let session = self
            .sessions
            .get_mut(&request.id)
            .ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        let before = session.bytes;
        for (key, wanted) in request.partitions {
            session.want(key, wanted);
        }
        for key in &request.forgotten {
            session.forget(key);
        }
        session.epoch = session.epoch.checked_add(1).unwrap_or(1);
        session.used_ms = now_ms;
        let partitions: Vec<_> = session.in_turn().collect();
        self.bytes = self.bytes + session.bytes - before;
        if partitions.is_empty() {
            self.close(request.id);
            return Ok(SessionPlan {
                id: 0,
                incremental: false,
                partitions,
            });
        }
        Ok(SessionPlan {
            id: request.id,
            incremental: true,
            partitions,
        })
    }
}

impl FetchSession {
    fn want(&mut self, key: PartitionKey, wanted: Wanted) {
        if let Some(member) = self.members.get_mut(&key) {
            member.wanted = wanted;
            return;
        }
        let order = self.next_turn;
        self.next_turn += 1;
        self.bytes += bytes_of(&key);
        self.turns.insert(order, key.clone());
        self.members.insert(
            key,
            Member {
                order,
                wanted,
                told: None,
            },
        );
    }

    fn forget(&mut self, key: &PartitionKey) {
        if let Some(member) = self.members.remove(key) {
            self.turns.remove(&member.order);
            self.bytes -= bytes_of(key);
            if self.members.len() < self.members.capacity() / 4 {
                self.members.shrink_to_fit();
            }
        }
    }

    fn in_turn(&self) -> impl Iterator<Item = (PartitionKey, Wanted)> {
        let keys = self.turns.values();
        keys.filter_map(|key| Some((key.clone(), self.members.get(key)?.wanted)))
    }
}

/// A name counts with each of its partitions, as they may have come one by one.
fn bytes_of((topic, _): &PartitionKey) -> usize {
    let name = match topic {
        TopicKey::Id(_) => 0,
        TopicKey::Name(name) => name.len(),
    };
    MEMBER_BYTES + name
}

#[cfg(test)]
mod tests;
