//! Members that go: of their own will, or because they were silent, or did not give up what they
//! were told to.

use std::sync::Arc;

use super::ConsumerGroup;
use super::heartbeat::{Step, Timer, unknown};
use super::member::{Held, State};
use super::record::{Epoch, What};
use super::request::{
    ConsumerHeartbeat, ConsumerHeartbeatReply, LEAVES_FOR_A_WHILE, Partitions, Refusal,
};
use crate::kafka::ErrorCode;

impl ConsumerGroup {
    /// A member leaves; a static one may leave its partitions to its return.
    pub(super) fn leave(
        &mut self,
        step: &mut Step<'_>,
        request: &ConsumerHeartbeat,
    ) -> Result<ConsumerHeartbeatReply, Refusal> {
        let id = &request.member_id;
        if let Some(instance_id) = &request.instance_id {
            let Some(current) = self.statics.get(instance_id) else {
                return Err(Refusal::new(
                    ErrorCode::UNKNOWN_MEMBER_ID,
                    format!("Instance id {instance_id} is unknown."),
                ));
            };
            self.check_instance(id, current, instance_id)?;
        }
        let Some(member) = self.members.get(id) else {
            return Err(unknown(id));
        };
        match request.member_epoch {
            LEAVES_FOR_A_WHILE => {
                let held = Held {
                    epoch: LEAVES_FOR_A_WHILE,
                    revoking: Partitions::new(),
                    ..member.held.clone()
                };
                self.write(step, What::Held(id.clone(), Some(held)));
                self.revoke_by(step, id, None);
            }
            _ => self.expel(step, id),
        }
        Ok(ConsumerHeartbeatReply {
            member_id: Some(id.clone()),
            member_epoch: request.member_epoch,
            ..ConsumerHeartbeatReply::default()
        })
    }

    /// Takes a member out; what it had is free.
    fn expel(&mut self, step: &mut Step<'_>, id: &Arc<str>) {
        self.write(step, What::Held(id.clone(), None));
        self.write(step, What::Target(id.clone(), None));
        self.write(step, What::Member(id.clone(), None));
        let topics_hash = self.epoch.map_or(0, |epoch| epoch.topics_hash);
        let epoch = self.group_epoch().saturating_add(1);
        self.write(step, What::Group(Some(Epoch { epoch, topics_hash })));
        // Some topics may have lost their last reader, which is seen at the next heartbeat.
        self.seen_topics = None;
    }

    /// A timer that the group had asked for has come. Sessions and revocations are prolonged or
    /// cancelled without telling the timer, so it looks again, and asks for another if need be.
    pub fn on_due(&mut self, step: &mut Step<'_>, timer: Timer) {
        let now = step.now.mono_ms;
        match &timer {
            Timer::Session(id) => {
                let Some(member) = self.members.get(id) else {
                    return;
                };
                match member.session_at {
                    at if at > now => step.timers.push((at, timer)),
                    _ => self.expel(step, &id.clone()),
                }
            }
            Timer::Revocation(id) => match self.members.get(id).and_then(|m| m.revoke_at) {
                None => {}
                Some(at) if at > now => step.timers.push((at, timer)),
                Some(_) => self.expel(step, &id.clone()),
            },
        }
    }

    /// All records were replayed: sessions begin anew, and so does the time to give up what
    /// members were told to.
    pub fn on_recovered(&mut self, step: &mut Step<'_>) {
        let now = step.now.mono_ms;
        let members = self.members.iter().map(|(id, member)| {
            let allowed = u64::try_from(member.said.rebalance_timeout_ms).unwrap_or(0);
            let must_revoke = member.held.state == State::Unrevoked;
            (id.clone(), must_revoke.then_some(now + allowed))
        });
        for (id, revoke_at) in members.collect::<Vec<_>>() {
            self.prolong(step, &id);
            self.revoke_by(step, &id, revoke_at);
        }
    }
}
