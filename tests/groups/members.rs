//! Members join, get their shares, live, leave and vanish.

use std::time::{Duration, Instant};

use corelane::kafka::ErrorCode;

use crate::common::broker::Broker;
use crate::common::client::Client;
use crate::common::groups::Member;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::create_topic;
use crate::rig::{coordinator, start};

matrix! {
    every pair: two_members_share_a_group, requests_behind_a_waiting_join_wait_with_it,
        a_stop_answers_those_who_wait_for_others;
    every value: a_member_that_vanishes_is_missed_after_its_session;
}

const SESSION_MS: i32 = 6000;
const REBALANCE_MS: i32 = 20_000;

/// A member on a connection of its own, in a stable group of its own.
fn lonely(broker: &Broker, group: &str) -> (Client, Member) {
    let mut client = coordinator(broker, group);
    let mut member = Member::of(group);
    assert_eq!(
        member.join(&mut client, SESSION_MS, REBALANCE_MS),
        ErrorCode::NONE
    );
    assert!(member.leads());
    assert_eq!(member.sync(&mut client), Ok(member.id.clone().into_bytes()));
    (client, member)
}

/// The first member goes on with a second one, who waits for it.
fn with_second(broker: &Broker, first: &mut (Client, Member)) -> (Client, Member) {
    let (client, member) = first;
    let mut second = (
        coordinator(broker, &member.group),
        Member::of(&member.group),
    );
    second.1.send_join(&mut second.0, SESSION_MS, REBALANCE_MS);
    assert_eq!(
        second.1.receive_join(&mut second.0),
        ErrorCode::MEMBER_ID_REQUIRED
    );
    second.1.send_join(&mut second.0, SESSION_MS, REBALANCE_MS);
    let rebalancing = || member.heartbeat(client) == ErrorCode::REBALANCE_IN_PROGRESS;
    wait_until("a rebalance begins", rebalancing);
    assert_eq!(
        member.join(client, SESSION_MS, REBALANCE_MS),
        ErrorCode::NONE
    );
    assert_eq!(second.1.receive_join(&mut second.0), ErrorCode::NONE);
    assert_eq!(member.generation, second.1.generation);
    assert_eq!(member.leader, second.1.leader);
    // Whoever does not lead waits for its share until the leader has dealt them.
    let both = [(&mut *client, &*member), (&mut second.0, &second.1)];
    let (mut leaders, mut others): (Vec<_>, Vec<_>) = both.into_iter().partition(|m| m.1.leads());
    let ((leader, deals), (other, gets)) = (leaders.pop().unwrap(), others.pop().unwrap());
    assert_eq!(deals.members.len(), 2);
    gets.send_sync(other);
    assert_eq!(deals.sync(leader), Ok(deals.id.clone().into_bytes()));
    assert_eq!(gets.receive_sync(other), Ok(gets.id.clone().into_bytes()));
    second
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn two_members_share_a_group(setup: Setup) {
    let broker = start(setup);
    create_topic(&mut broker.client(), "t", 2, &[]);
    for group in ["a", "b", "c"] {
        let mut first = lonely(&broker, group);
        let mut second = with_second(&broker, &mut first);
        for (client, member) in [&mut first, &mut second] {
            assert_eq!(member.heartbeat(client), ErrorCode::NONE);
            assert_eq!(member.commit(client, "t", 0, 4), ErrorCode::NONE);
        }
        let (client, member) = &mut first;
        let stale = Member {
            generation: member.generation - 1,
            ..member.clone()
        };
        let illegal = ErrorCode::ILLEGAL_GENERATION;
        assert_eq!(stale.heartbeat(client), illegal);
        assert_eq!(stale.commit(client, "t", 0, 5), illegal);
        assert_eq!(second.1.leave(&mut second.0), ErrorCode::NONE);
        let heartbeat = member.heartbeat(client);
        assert_eq!(heartbeat, ErrorCode::REBALANCE_IN_PROGRESS);
        let joined = member.join(client, SESSION_MS, REBALANCE_MS);
        assert_eq!((joined, member.members.len()), (ErrorCode::NONE, 1));
    }
}

fn requests_behind_a_waiting_join_wait_with_it(setup: Setup) {
    let broker = start(setup);
    let mut first = lonely(&broker, "g");
    let (client, member) = &mut first;
    let mut second = (coordinator(&broker, "g"), Member::of("g"));
    second.1.send_join(&mut second.0, SESSION_MS, REBALANCE_MS);
    assert_eq!(
        second.1.receive_join(&mut second.0),
        ErrorCode::MEMBER_ID_REQUIRED
    );
    second.1.send_join(&mut second.0, SESSION_MS, REBALANCE_MS);
    // The share is asked for before the generation is known: it comes behind the join.
    second.1.send_sync(&mut second.0);
    let rebalancing = || member.heartbeat(client) == ErrorCode::REBALANCE_IN_PROGRESS;
    wait_until("a rebalance begins", rebalancing);
    second.0.set_patience(Duration::from_millis(200));
    assert!(
        second.0.try_receive().is_err(),
        "nobody has joined again yet"
    );
    second.0.set_patience(Duration::from_secs(20));
    assert_eq!(
        member.join(client, SESSION_MS, REBALANCE_MS),
        ErrorCode::NONE
    );
    assert_eq!(second.1.receive_join(&mut second.0), ErrorCode::NONE);
    let refused = second.1.receive_sync(&mut second.0);
    assert_eq!(refused, Err(ErrorCode::ILLEGAL_GENERATION));
}

fn a_member_that_vanishes_is_missed_after_its_session(setup: Setup) {
    let broker = start(setup);
    let mut first = lonely(&broker, "g");
    let second = with_second(&broker, &mut first);
    drop(second);
    let (client, member) = &mut first;
    let started = Instant::now();
    wait_until("the vanished member is missed", || {
        member.heartbeat(client) == ErrorCode::REBALANCE_IN_PROGRESS
    });
    let waited = started.elapsed().as_millis();
    assert!(waited + 500 >= SESSION_MS as u128, "after {waited} ms");
    assert_eq!(
        member.join(client, SESSION_MS, REBALANCE_MS),
        ErrorCode::NONE
    );
    assert_eq!(member.members.len(), 1);
}

fn a_stop_answers_those_who_wait_for_others(setup: Setup) {
    let mut broker = start(setup);
    let waiting: Vec<(Client, Member)> = (0..12)
        .map(|n| {
            let group = format!("g{n}");
            // Nobody lets the first one know, so the second waits for it.
            drop(lonely(&broker, &group));
            let mut second = (coordinator(&broker, &group), Member::of(&group));
            let (client, member) = &mut second;
            member.send_join(client, SESSION_MS, REBALANCE_MS);
            assert_eq!(member.receive_join(client), ErrorCode::MEMBER_ID_REQUIRED);
            member.send_join(client, SESSION_MS, REBALANCE_MS);
            second
        })
        .collect();
    std::thread::sleep(Duration::from_millis(100));
    // It finds nothing left behind, or its log says so.
    broker.stop();
    for (mut client, mut member) in waiting {
        let told = member.receive_join(&mut client);
        assert_eq!(told, ErrorCode::NOT_COORDINATOR);
    }
}
