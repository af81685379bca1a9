//! Groups whose coordinator assigns, and their members, by the thousand. The figures are printed;
//! the bounds are wide.

use std::time::{Duration, Instant};

use corelane::kafka::ErrorCode;

use crate::common::broker::Broker;
use crate::common::client::Client;
use crate::common::consumers::{Consumer, describe};
use crate::common::matrix::Setup;
use crate::common::ops::create_topic;
use crate::rig::{coordinator, options};

/// Requests under way at once, on one connection each.
const CONNECTIONS: usize = 50;

fn broker() -> Broker {
    let setup = Setup {
        single: true,
        shards: 2,
        buffered: false,
    };
    let broker = Broker::start_with(options(setup));
    coordinator(&broker, "any");
    broker
}

/// Has each of these members send a heartbeat, many at a time.
fn beat_all(clients: &mut [Client], members: &mut [Consumer], joins: bool) {
    for wave in members.chunks_mut(clients.len()) {
        for (member, client) in wave.iter().zip(&mut *clients) {
            member.send(client, joins);
        }
        for (member, client) in wave.iter_mut().zip(&mut *clients) {
            assert_eq!(member.receive(client), ErrorCode::NONE, "{member:?}");
        }
    }
}

#[test]
fn a_thousand_groups_of_five_consumers() {
    let mut broker = broker();
    create_topic(&mut broker.client(), "t", 10, &[]);
    let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| broker.client()).collect();
    let member =
        |n: usize| Consumer::new(&format!("group-{}", n / 5), &format!("m{}", n % 5), &["t"]);
    let mut members: Vec<Consumer> = (0..5000).map(member).collect();
    let before = broker.resident_bytes();
    let started = Instant::now();
    beat_all(&mut clients, &mut members, true);
    let joined = started.elapsed();
    let mut rounds = 0;
    while members.iter().any(|member| member.owned.len() != 2) {
        beat_all(&mut clients, &mut members, false);
        rounds += 1;
        assert!(rounds < 10, "they do not come to an end");
    }
    // Everybody says what it has got.
    beat_all(&mut clients, &mut members, false);
    let settled = started.elapsed();
    let started = Instant::now();
    beat_all(&mut clients, &mut members, false);
    let beaten = started.elapsed();
    let memory = broker.resident_bytes().saturating_sub(before) >> 10;
    println!(
        "1,000 groups of 5 that the coordinator assigns: joined in {joined:?}, all settled after \
         {settled:?} and {rounds} more heartbeats of each; 5,000 heartbeats in {beaten:?}, \
         {CONNECTIONS} at a time; {memory} KiB more memory"
    );
    drop(clients);
    let started = Instant::now();
    broker.kill();
    broker.options().cores = 3;
    broker.start_again();
    let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| broker.client()).collect();
    beat_all(&mut clients, &mut members, false);
    println!(
        "killed, started and all heard again in {:?}",
        started.elapsed()
    );
    assert!(members.iter().all(|member| member.owned.len() == 2));
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn five_hundred_consumers_of_one_group() {
    let broker = broker();
    create_topic(&mut broker.client(), "t", 1000, &[]);
    let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| broker.client()).collect();
    let member = |n: usize| Consumer::new("g", &format!("member-{n}"), &["t"]);
    let mut members: Vec<Consumer> = (0..500).map(member).collect();
    let started = Instant::now();
    beat_all(&mut clients, &mut members, true);
    let joined = started.elapsed();
    settle(&mut clients, &mut members);
    println!(
        "500 members of 1,000 partitions joined one after the other in {joined:?}, settled after \
         {:?}",
        started.elapsed()
    );
    // A tenth of them goes: the others share what they had.
    let mut gone = members.split_off(450);
    let started = Instant::now();
    for (member, client) in gone.iter_mut().zip(&mut clients) {
        assert_eq!(member.leave(client), ErrorCode::NONE);
    }
    settle(&mut clients, &mut members);
    println!(
        "50 of them left, and the others had all after {:?}",
        started.elapsed()
    );
    assert!(started.elapsed() < Duration::from_secs(60));
}

/// Heartbeats until everybody has a share and the group is stable.
fn settle(clients: &mut [Client], members: &mut [Consumer]) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while describe(&mut clients[0], "g").state != "Stable" {
        assert!(Instant::now() < deadline);
        beat_all(clients, members, false);
    }
    let all: usize = members.iter().map(|member| member.owned.len()).sum();
    assert_eq!(all, 1000);
    assert!(
        members
            .iter()
            .all(|member| (2..=3).contains(&member.owned.len()))
    );
}
