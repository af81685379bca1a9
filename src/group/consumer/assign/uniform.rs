//! The uniform assignor. Members that read the same topics get numbers of partitions that differ
//! by one at most, with as few moves as that takes. Where subscriptions differ, nobody has more
//! by two than another who reads a topic that it has a partition of.

use std::collections::{BTreeMap, BTreeSet};

use super::{Candidate, Counts};
use crate::base::TopicId;
use crate::group::consumer::member::{add, each};
use crate::group::consumer::request::Partitions;

/// Who is to have a partition, by index.
type Owners = BTreeMap<(TopicId, i32), usize>;

/// See [`super::assign`].
pub(super) fn assign(members: &[Candidate<'_>], counts: &Counts) -> Vec<Partitions> {
    if members.is_empty() {
        return Vec::new();
    }
    let mut owners = Owners::new();
    let mut loads = vec![0_usize; members.len()];
    keep(members, counts, &mut owners, &mut loads);
    if members
        .windows(2)
        .all(|pair| pair[0].topics == pair[1].topics)
    {
        trim(counts, &mut owners, &mut loads);
        fill_alike(counts, &mut owners, &mut loads);
    } else {
        let readers = readers(members, counts);
        fill(counts, &readers, &mut owners, &mut loads);
        level(&readers, &mut owners, &mut loads);
    }
    let mut targets = vec![Partitions::new(); members.len()];
    for ((topic, partition), member) in owners {
        add(&mut targets[member], topic, partition);
    }
    targets
}

/// Everybody keeps what there still is of its own and that it still reads.
fn keep(members: &[Candidate<'_>], counts: &Counts, owners: &mut Owners, loads: &mut [usize]) {
    for (i, member) in members.iter().enumerate() {
        for (topic, partition) in member.target.into_iter().flat_map(each) {
            let exists = counts
                .get(&topic)
                .is_some_and(|count| (0..*count).contains(&partition));
            if exists && member.topics.contains(&topic) {
                // Nobody else was to have it; if somebody was, the first one keeps it.
                owners.entry((topic, partition)).or_insert_with(|| {
                    loads[i] += 1;
                    i
                });
            }
        }
    }
}

/// Takes from everybody what is above its share. Those who have most keep the larger shares.
fn trim(counts: &Counts, owners: &mut Owners, loads: &mut [usize]) {
    let all: usize = counts
        .values()
        .map(|&count| usize::try_from(count).unwrap_or(0))
        .sum();
    let (share, larger) = (all / loads.len(), all % loads.len());
    let mut order: Vec<usize> = (0..loads.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(loads[i]));
    let mut above = vec![0_usize; loads.len()];
    for (rank, i) in order.into_iter().enumerate() {
        let quota = share + usize::from(rank < larger);
        above[i] = loads[i].saturating_sub(quota);
        loads[i] -= above[i];
    }
    // The last of each go, so that what stays begins with the first.
    let mut spare = Vec::new();
    for (&partition, &owner) in owners.iter().rev() {
        if above[owner] > 0 {
            above[owner] -= 1;
            spare.push(partition);
        }
    }
    for partition in spare {
        owners.remove(&partition);
    }
}

/// Gives what nobody has to whoever has least; everybody reads everything.
fn fill_alike(counts: &Counts, owners: &mut Owners, loads: &mut [usize]) {
    let mut least: BTreeSet<(usize, usize)> = loads.iter().copied().zip(0..).collect();
    for partition in partitions(counts) {
        if owners.contains_key(&partition) {
            continue;
        }
        if let Some((load, member)) = least.pop_first() {
            owners.insert(partition, member);
            loads[member] = load + 1;
            least.insert((load + 1, member));
        }
    }
}

/// The members that read each topic.
fn readers(members: &[Candidate<'_>], counts: &Counts) -> BTreeMap<TopicId, Vec<usize>> {
    let reads = |topic| move |&i: &usize| members[i].topics.contains(topic);
    let topics = counts.keys();
    topics
        .map(|topic| (*topic, (0..members.len()).filter(reads(topic)).collect()))
        .collect()
}

/// Gives what nobody has to that reader which has least.
fn fill(
    counts: &Counts,
    readers: &BTreeMap<TopicId, Vec<usize>>,
    owners: &mut Owners,
    loads: &mut [usize],
) {
    for partition in partitions(counts) {
        if !owners.contains_key(&partition)
            && let Some(member) = least_loaded(&readers[&partition.0], loads)
        {
            owners.insert(partition, member);
            loads[member] += 1;
        }
    }
}

/// Moves partitions to readers that have fewer by two at least, until there are none. Each move
/// makes the sum of the squared loads smaller, so this ends.
fn level(readers: &BTreeMap<TopicId, Vec<usize>>, owners: &mut Owners, loads: &mut [usize]) {
    loop {
        let mut has_moved = false;
        for ((topic, _), owner) in owners.iter_mut() {
            if let Some(member) = least_loaded(&readers[topic], loads)
                && loads[member] + 1 < loads[*owner]
            {
                loads[*owner] -= 1;
                loads[member] += 1;
                *owner = member;
                has_moved = true;
            }
        }
        if !has_moved {
            return;
        }
    }
}

fn least_loaded(readers: &[usize], loads: &[usize]) -> Option<usize> {
    readers.iter().copied().min_by_key(|&i| loads[i])
}

fn partitions(counts: &Counts) -> impl Iterator<Item = (TopicId, i32)> {
    counts
        .iter()
        .flat_map(|(&topic, &count)| (0..count).map(move |partition| (topic, partition)))
}
