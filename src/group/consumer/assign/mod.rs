//! Computes what every member is to have: the target.

mod range;
mod uniform;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::ConsumerGroup;
use super::config::{Assignor, ConsumerConfig};
use super::heartbeat::Step;
use super::record::What;
use super::request::Partitions;
use super::topics::Topics;
use crate::base::TopicId;

/// Names and expression of a member.
type Subscription<'a> = (&'a BTreeSet<Arc<str>>, Option<&'a str>);
/// The topics that a member reads.
type TopicIds = BTreeSet<TopicId>;

/// A member as an assignor sees it.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    pub id: &'a str,
    pub instance_id: Option<&'a str>,
    /// What it subscribes to, as far as it exists. Shared by members that say the same.
    pub topics: Rc<TopicIds>,
    /// What it was to have until now.
    pub target: Option<&'a Partitions>,
}

/// How many partitions the topics have that somebody subscribes to, and no others.
pub(super) type Counts = BTreeMap<TopicId, i32>;

/// What each of the members is to have, in their order.
pub(super) fn assign(
    assignor: Assignor,
    members: &[Candidate<'_>],
    counts: &Counts,
) -> Vec<Partitions> {
    match assignor {
        Assignor::Uniform => uniform::assign(members, counts),
        Assignor::Range => range::assign(members, counts),
    }
}

impl ConsumerGroup {
    /// The assignor that most members ask for.
    pub(super) fn assignor(&self, config: &ConsumerConfig) -> Assignor {
        let mut votes = BTreeMap::<Assignor, usize>::new();
        for member in self.members.values() {
            let wanted = member.said.assignor.as_ref();
            if let Some(wanted) = wanted.and_then(|name| config.assignors.named(name)) {
                *votes.entry(wanted).or_insert(0) += 1;
            }
        }
        let most = votes.into_iter().rev().max_by_key(|(_, count)| *count);
        most.map_or(config.assignors.first(), |(assignor, _)| assignor)
    }

    /// Computes the target for the group's epoch.
    pub(super) fn assign(&mut self, step: &mut Step<'_>, topics: &dyn Topics) {
        let mut counts = Counts::new();
        let members = self.candidates(topics, &mut counts);
        let targets = assign(self.assignor(step.config), &members, &counts);
        let ids = self.members.keys().cloned();
        let changed: Vec<(Arc<str>, Partitions)> = ids
            .zip(targets)
            .filter(|(id, target)| match self.targets.get(id) {
                Some(old) => old != target,
                None => !target.is_empty(),
            })
            .collect();
        for (id, target) in changed {
            self.write(step, What::Target(id, Some(target)));
        }
        self.write(step, What::TargetEpoch(Some(self.group_epoch())));
    }

    fn candidates<'a>(&'a self, topics: &dyn Topics, counts: &mut Counts) -> Vec<Candidate<'a>> {
        let mut ids = BTreeMap::new();
        for name in self.subscribed() {
            if let Some((id, partitions)) = topics.named(name) {
                counts.insert(id, partitions);
                ids.insert(name, id);
            }
        }
        // Members mostly say the same as the one before.
        let mut last: Option<(Subscription<'_>, Rc<TopicIds>)> = None;
        let members = self.members.iter().map(|(id, member)| {
            let said = (&member.said.topics, member.said.expression.as_deref());
            let topics = match &last {
                Some((before, topics)) if *before == said => topics.clone(),
                _ => {
                    let matched = said.1.into_iter();
                    let matched = matched.flat_map(|text| self.expressions.topics_of(text));
                    let names = said.0.iter().chain(matched);
                    Rc::new(names.filter_map(|name| ids.get(name).copied()).collect())
                }
            };
            last = Some((said, topics.clone()));
            Candidate {
                id,
                instance_id: member.said.instance_id.as_deref(),
                topics,
                target: self.targets.get(id),
            }
        });
        members.collect()
    }
}
