//! Groups of librdkafka whose coordinator assigns (KIP-848), across kills of the broker.

use super::group_rig::{Member, PARTITIONS, options, read_to, share, topic, until};
use super::groups::{EACH, from_start, produce};
use crate::common::broker::{Broker, Options};

#[test]
fn members_go_on_across_kills_in_mid_rebalance_in_both_topologies() {
    for single in [false, true] {
        let mut broker = Broker::start_with(Options {
            single,
            ..options()
        });
        topic(&broker, "t");
        let mut first = Member::join_assigned(&broker, "t", "g", &[]);
        share(&[&first]);
        produce(&broker, "t", 0..EACH);
        read_to(from_start, EACH, &[&first]);
        first.commit(|_| EACH);
        let mut others: Vec<Member> = Vec::new();
        for (round, cores) in (1..).zip([3, 1]) {
            let mut second = Member::join_assigned(&broker, "t", "g", &[]);
            let is_giving_up = || first.has().len() < PARTITIONS as usize;
            until("a rebalance begins", is_giving_up);
            broker.kill();
            broker.options().cores = cores;
            broker.start_again();
            share(&[&first, &second]);
            produce(&broker, "t", round * EACH..(round + 1) * EACH);
            let here = [&first, &second];
            let all: Vec<&Member> = here.into_iter().chain(&others).collect();
            read_to(from_start, (round + 1) * EACH, &all);
            first.commit(|_| (round + 1) * EACH);
            second.commit(|_| (round + 1) * EACH);
            second.leave();
            share(&[&first]);
            others.push(second);
        }
        first.leave();
        let mut last = Member::join_assigned(&broker, "t", "g", &[]);
        produce(&broker, "t", 3 * EACH..4 * EACH);
        read_to(|_| 3 * EACH, 4 * EACH, &[&last]);
        last.leave();
    }
}

#[test]
fn a_static_member_restarts_without_a_rebalance_also_across_a_kill() {
    let mut broker = Broker::start_with(options());
    topic(&broker, "t");
    let instance = |id| [("group.instance.id", id)];
    let mut stays = Member::join_assigned(&broker, "t", "g", &instance("a"));
    let mut restarts = Member::join_assigned(&broker, "t", "g", &instance("b"));
    share(&[&stays, &restarts]);
    let (had, told) = (restarts.has(), stays.watch());
    for kill in [false, true] {
        restarts.leave();
        if kill {
            broker.kill();
            broker.start_again();
        }
        restarts = Member::join_assigned(&broker, "t", "g", &instance("b"));
        until("its partitions are back", || restarts.has() == had);
    }
    produce(&broker, "t", 0..EACH);
    read_to(from_start, EACH, &[&stays, &restarts]);
    assert_eq!(stays.watch(), told, "nobody rebalanced");
    restarts.leave();
    stays.leave();
}
