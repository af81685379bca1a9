//! A heartbeat: the member is let in or recognised, the group takes in what it says, the target
//! is computed again if need be, and the member is led towards it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ConsumerGroup;
use super::config::ConsumerConfig;
use super::member::{Held, Member, State, each, has};
use super::reconcile::reconcile;
use super::record::{ConsumerChange, Epoch, What};
use super::request::{
    ConsumerHeartbeat, ConsumerHeartbeatReply, JOINS, LEAVES_FOR_A_WHILE, Partitions, Refusal,
};
use super::topics::Topics;
use crate::base::Now;
use crate::base::limits::GROUP_EXPRESSIONS_MAX;
use crate::kafka::ErrorCode;

/// One request or one moment: what a group may use, and what comes of it.
#[derive(Debug)]
pub struct Step<'a> {
    /// The time.
    pub now: Now,
    /// The settings.
    pub config: &'a ConsumerConfig,
    /// New members find no room any more.
    pub is_full: bool,
    /// What the group has taken in and the disk must, in this order and as one.
    pub changes: Vec<ConsumerChange>,
    /// When the group wants to be called, on the monotonic clock, milliseconds.
    pub timers: Vec<(u64, Timer)>,
}

/// What may become due in a group; see [`ConsumerGroup::on_due`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Timer {
    /// The session of a member.
    Session(Arc<str>),
    /// The time that a member has to give partitions up.
    Revocation(Arc<str>),
}

impl<'a> Step<'a> {
    /// One at which nothing has happened yet.
    pub fn new(now: Now, config: &'a ConsumerConfig) -> Step<'a> {
        Step {
            now,
            config,
            is_full: false,
            changes: Vec::new(),
            timers: Vec::new(),
        }
    }
}

impl ConsumerGroup {
    /// Takes a heartbeat that has passed [`ConsumerHeartbeat::check`].
    ///
    /// # Errors
    /// GROUP_MAX_SIZE_REACHED, UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, FENCED_INSTANCE_ID or
    /// UNRELEASED_INSTANCE_ID. Nothing has changed then.
    pub fn heartbeat(
        &mut self,
        step: &mut Step<'_>,
        topics: &dyn Topics,
        request: &ConsumerHeartbeat,
    ) -> Result<ConsumerHeartbeatReply, Refusal> {
        if request.member_epoch < JOINS {
            return self.leave(step, request);
        }
        let id = match request.member_id.is_empty() {
            true => &request.fresh_member_id,
            false => &request.member_id,
        };
        self.admit(step, id, request)?;
        self.take_in(step, topics, id, request);
        if self.group_epoch() > self.target_epoch {
            self.assign(step, topics);
        }
        let is_new = self.advance(step, id, request.owned.as_ref());
        self.prolong(step, id);
        let held = self.members.get(id).map(|member| &member.held);
        let is_told = is_new || request.joins() || request.is_full();
        Ok(ConsumerHeartbeatReply {
            error: ErrorCode::NONE,
            message: None,
            member_id: Some(id.clone()),
            member_epoch: held.map_or(0, |held| held.epoch),
            heartbeat_interval_ms: step.config.heartbeat_interval_ms,
            assignment: held.filter(|_| is_told).map(|held| held.assigned.clone()),
        })
    }

    /// Has the group take in a change, and the disk.
    pub(super) fn write(&mut self, step: &mut Step<'_>, what: What) {
        let change = self.says(what);
        step.changes.push(change.clone());
        self.apply(change);
    }

    /// Whether the member may be here under this id. A static member that is back takes the place
    /// of its former self.
    fn admit(
        &mut self,
        step: &mut Step<'_>,
        id: &Arc<str>,
        request: &ConsumerHeartbeat,
    ) -> Result<(), Refusal> {
        let has_room = !step.is_full && self.members.len() < step.config.members_max;
        if !has_room && !self.members.contains_key(id) {
            let max = step.config.members_max;
            return Err(Refusal::new(
                ErrorCode::GROUP_MAX_SIZE_REACHED,
                format!("The consumer group has reached its maximum capacity of {max} members."),
            ));
        }
        self.check_expressions(request)?;
        let joins = request.member_epoch == JOINS;
        let Some(instance_id) = &request.instance_id else {
            return match self.members.get(id) {
                None if joins => Ok(()),
                None => Err(unknown(id)),
                Some(_) if joins => Ok(()),
                Some(member) => check_epoch(member, request),
            };
        };
        match self.statics.get(instance_id).cloned() {
            None if joins => Ok(()),
            None => Err(Refusal::new(
                ErrorCode::UNKNOWN_MEMBER_ID,
                format!("Instance id {instance_id} is unknown."),
            )),
            Some(current) if joins => self.take_over(step, id, &current, instance_id),
            Some(current) => {
                self.check_instance(id, &current, instance_id)?;
                self.members
                    .get(id)
                    .map_or(Ok(()), |member| check_epoch(member, request))
            }
        }
    }

    fn check_expressions(&self, request: &ConsumerHeartbeat) -> Result<(), Refusal> {
        let text = request.topic_regex.as_deref().unwrap_or_default();
        let has_room = self.expressions.len() < GROUP_EXPRESSIONS_MAX;
        if text.is_empty() || has_room || self.expressions.has(text) {
            return Ok(());
        }
        let message = format!(
            "The members of the group subscribe with {GROUP_EXPRESSIONS_MAX} different regular \
             expressions already."
        );
        Err(Refusal::new(ErrorCode::INVALID_REGULAR_EXPRESSION, message))
    }

    /// A static member joins whose instance is here already.
    fn take_over(
        &mut self,
        step: &mut Step<'_>,
        id: &Arc<str>,
        current: &Arc<str>,
        instance_id: &Arc<str>,
    ) -> Result<(), Refusal> {
        let Some(member) = self.members.get(current).cloned() else {
            return Ok(());
        };
        if member.held.epoch != LEAVES_FOR_A_WHILE {
            return Err(Refusal::new(
                ErrorCode::UNRELEASED_INSTANCE_ID,
                format!(
                    "Static member {id} with instance id {instance_id} cannot join the group \
                     because the instance id is owned by {current} member."
                ),
            ));
        }
        let target = self.targets.get(current).cloned();
        self.write(step, What::Held(current.clone(), None));
        self.write(step, What::Target(current.clone(), None));
        self.write(step, What::Member(current.clone(), None));
        self.write(step, What::Member(id.clone(), Some(member.said)));
        if let Some(target) = target {
            self.write(step, What::Target(id.clone(), Some(target)));
        }
        let held = Held {
            epoch: JOINS,
            ..member.held
        };
        self.write(step, What::Held(id.clone(), Some(held)));
        Ok(())
    }

    /// Takes in what the member says about itself, and what there is to know about topics.
    fn take_in(
        &mut self,
        step: &mut Step<'_>,
        topics: &dyn Topics,
        id: &Arc<str>,
        request: &ConsumerHeartbeat,
    ) {
        let mut rises = self.epoch.is_none();
        let none = BTreeSet::new();
        let known = self.members.get(id);
        let said = match known {
            Some(member) => member.said.changed_by(request),
            None => Some(
                Member::default()
                    .said
                    .changed_by(request)
                    .unwrap_or_default(),
            ),
        };
        if let Some(said) = said {
            rises |= &said.topics != known.map_or(&none, |member| &member.said.topics);
            rises |= said.expression != known.and_then(|member| member.said.expression.clone());
            self.write(step, What::Member(id.clone(), Some(said)));
        }
        let version = topics.version();
        if !rises && self.seen_topics == Some(version) {
            return;
        }
        self.seen_topics = Some(version);
        self.expressions.resolve(topics);
        let topics_hash = super::topics::hash(self.subscribed().into_iter(), topics);
        if rises
            || self
                .epoch
                .is_none_or(|epoch| epoch.topics_hash != topics_hash)
        {
            let epoch = self.group_epoch().saturating_add(1);
            self.write(step, What::Group(Some(Epoch { epoch, topics_hash })));
        }
    }

    /// Leads the member towards its target; whether it is to have something else now.
    fn advance(&mut self, step: &mut Step<'_>, id: &Arc<str>, owned: Option<&Partitions>) -> bool {
        let nothing = Partitions::new();
        let target = self.targets.get(id).unwrap_or(&nothing);
        let is_free = |topic, partition| self.is_free(topic, partition);
        let next = self.members.get(id).and_then(|member| {
            let held = reconcile(&member.held, target, self.target_epoch, owned, is_free)?;
            let is_new = held.assigned != member.held.assigned;
            Some((held, is_new, member.said.rebalance_timeout_ms))
        });
        let Some((held, is_new, timeout_ms)) = next else {
            return false;
        };
        let at = step.now.mono_ms + u64::try_from(timeout_ms).unwrap_or(0);
        let revoke_at = (held.state == State::Unrevoked).then_some(at);
        self.write(step, What::Held(id.clone(), Some(held)));
        self.revoke_by(step, id, revoke_at);
        is_new
    }

    /// The member must have given up what it was told to; or that is no longer asked for.
    pub(super) fn revoke_by(&mut self, step: &mut Step<'_>, id: &Arc<str>, at: Option<u64>) {
        if let Some(member) = self.members.get_mut(id) {
            member.revoke_at = at;
        }
        if let Some(at) = at {
            step.timers.push((at, Timer::Revocation(id.clone())));
        }
    }

    /// The member was heard of.
    pub(super) fn prolong(&mut self, step: &mut Step<'_>, id: &Arc<str>) {
        if let Some(member) = self.members.get_mut(id) {
            member.session_at = step.now.mono_ms + step.config.session_timeout_ms;
            if !member.has_timer {
                member.has_timer = true;
                step.timers
                    .push((member.session_at, Timer::Session(id.clone())));
            }
        }
    }

    /// Whether a static member is who holds its instance.
    pub(super) fn check_instance(
        &self,
        id: &Arc<str>,
        current: &Arc<str>,
        instance_id: &Arc<str>,
    ) -> Result<(), Refusal> {
        match id == current {
            true => Ok(()),
            false => Err(Refusal::new(
                ErrorCode::FENCED_INSTANCE_ID,
                format!(
                    "Static member {id} with instance id {instance_id} was fenced by member \
                     {current}."
                ),
            )),
        }
    }
}

/// Whether the member comes with the epoch that it was told; or with the one before, if it may
/// not have got the last answer and has nothing that it should not have.
fn check_epoch(member: &Member, request: &ConsumerHeartbeat) -> Result<(), Refusal> {
    let (told, came) = (member.held.epoch, request.member_epoch);
    let owned = request.owned.as_ref();
    let has_less = || {
        let mine = &member.held.assigned;
        owned.is_some_and(|owned| each(owned).all(|(topic, p)| has(mine, topic, p)))
    };
    if came == told || came < told && came == member.held.previous_epoch && has_less() {
        return Ok(());
    }
    let how = if came > told { "greater" } else { "smaller" };
    Err(Refusal::new(
        ErrorCode::FENCED_MEMBER_EPOCH,
        format!(
            "The consumer group member has a {how} member epoch ({came}) than the one known by \
             the group coordinator ({told}). The member must abandon all its partitions and rejoin."
        ),
    ))
}

/// The member is not here.
pub(super) fn unknown(id: &str) -> Refusal {
    Refusal::new(
        ErrorCode::UNKNOWN_MEMBER_ID,
        format!("Member {id} is not a member of the group."),
    )
}
