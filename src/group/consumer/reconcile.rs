//! Leads one member from what it has to what it is to have, one step for each heartbeat. A
//! partition is given only once nobody has it: a member keeps what it must give up under its
//! name until it says that it no longer has it.

use super::member::{Held, State, add, each, has};
use super::request::Partitions;
use crate::base::TopicId;

/// What the member has after this heartbeat, if that is something else than before. `owned` is what it says it has, if it says so;
/// `is_free` whether nobody has a partition.
pub(super) fn reconcile(
    held: &Held,
    target: &Partitions,
    target_epoch: i32,
    owned: Option<&Partitions>,
    is_free: impl Fn(TopicId, i32) -> bool,
) -> Option<Held> {
    // Whoever does not say what it has may have all of it.
    let may_have = |partitions: &Partitions| match owned {
        Some(owned) => each(partitions).any(|(topic, partition)| has(owned, topic, partition)),
        None => !partitions.is_empty(),
    };
    match held.state {
        State::Stable if held.epoch == target_epoch => return None,
        State::Unrevoked if may_have(&held.revoking) => return None,
        _ => {}
    }
    let mut kept = Partitions::new();
    let mut revoking = Partitions::new();
    for (topic, partition) in each(&held.assigned) {
        match has(target, topic, partition) {
            true => add(&mut kept, topic, partition),
            false => add(&mut revoking, topic, partition),
        }
    }
    if may_have(&revoking) {
        // The member stays in its epoch, but for the one that it has just come through.
        let epoch = match held.state {
            State::Unrevoked => held.epoch + 1,
            _ => held.epoch,
        };
        return Some(at(held, epoch, State::Unrevoked, kept, revoking));
    }
    let mut state = State::Stable;
    for (topic, partition) in each(target) {
        if has(&kept, topic, partition) {
            continue;
        }
        match is_free(topic, partition) {
            true => add(&mut kept, topic, partition),
            false => state = State::Unreleased,
        }
    }
    let next = at(held, target_epoch, state, kept, Partitions::new());
    Some(next).filter(|next| next != held)
}

fn at(held: &Held, epoch: i32, state: State, assigned: Partitions, revoking: Partitions) -> Held {
    Held {
        epoch,
        previous_epoch: held.epoch,
        state,
        assigned,
        revoking,
    }
}
