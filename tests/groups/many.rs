//! Groups and members by the thousand. The figures are printed; the bounds are wide.

use std::time::{Duration, Instant};

use corelane::kafka::ErrorCode;

use crate::common::broker::Broker;
use crate::common::client::Client;
use crate::common::groups::Member;
use crate::common::matrix::Setup;
use crate::common::ops::create_topic;
use crate::rig::{coordinator, options};

const SESSION_MS: i32 = 120_000;

/// Has all these members join, each on a connection of its own, and get their shares.
fn assemble(broker: &Broker, members: &mut [Member]) {
    let mut clients: Vec<Client> = members.iter().map(|_| broker.client()).collect();
    for expected in [ErrorCode::MEMBER_ID_REQUIRED, ErrorCode::NONE] {
        for (member, client) in members.iter().zip(&mut clients) {
            member.send_join(client, SESSION_MS, SESSION_MS);
        }
        for (member, client) in members.iter_mut().zip(&mut clients) {
            assert_eq!(member.receive_join(client), expected, "{}", member.group);
        }
    }
    for (member, client) in members.iter().zip(&mut clients) {
        member.send_sync(client);
    }
    for (member, client) in members.iter().zip(&mut clients) {
        assert_eq!(
            member.receive_sync(client),
            Ok(member.id.clone().into_bytes())
        );
    }
}

fn broker(delay_ms: u32) -> Broker {
    let setup = Setup {
        single: true,
        shards: 2,
        buffered: false,
    };
    let mut options = options(setup);
    options.extra = vec![format!("--group-initial-rebalance-delay-ms={delay_ms}")];
    let broker = Broker::start_with(options);
    coordinator(&broker, "any");
    broker
}

#[test]
fn a_thousand_groups_of_five_members() {
    let mut broker = broker(1000);
    create_topic(&mut broker.client(), "t", 1, &[]);
    let groups: Vec<String> = (0..1000).map(|n| format!("group-{n}")).collect();
    let mut members: Vec<Member> = Vec::new();
    let before = broker.resident_bytes();
    let started = Instant::now();
    for wave in groups.chunks(100) {
        let of_group = |group: &String| (0..5).map(|_| Member::of(group)).collect::<Vec<_>>();
        let mut joining: Vec<Member> = wave.iter().flat_map(of_group).collect();
        assemble(&broker, &mut joining);
        members.extend(joining);
    }
    let joined = started.elapsed();
    let mut client = broker.client();
    let started = Instant::now();
    for member in &members {
        assert_eq!(
            member.heartbeat(&mut client),
            ErrorCode::NONE,
            "{}",
            member.group
        );
    }
    let beaten = started.elapsed();
    let started = Instant::now();
    for (offset, member) in (0..).zip(&members) {
        assert_eq!(member.commit(&mut client, "t", 0, offset), ErrorCode::NONE);
    }
    let committed = started.elapsed();
    let memory = (broker.resident_bytes() - before) >> 10;
    println!(
        "1,000 groups of 5 in {joined:?} (ten waves of 1 s); one after the other: 5,000 \
         heartbeats in {beaten:?}, 5,000 commits in {committed:?}; {memory} KiB more memory"
    );
    let started = Instant::now();
    broker.kill();
    broker.options().cores = 3;
    broker.start_again();
    let mut client = broker.client();
    for member in &members {
        assert_eq!(
            member.heartbeat(&mut client),
            ErrorCode::NONE,
            "{}",
            member.group
        );
    }
    println!(
        "killed, started and all heard again in {:?}",
        started.elapsed()
    );
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn five_hundred_members_of_one_group() {
    let broker = broker(2000);
    let mut members: Vec<Member> = (0..500).map(|_| Member::of("g")).collect();
    let started = Instant::now();
    assemble(&broker, &mut members);
    println!(
        "500 members in {:?}, 2 s of which are waiting for more",
        started.elapsed()
    );
    assert!(
        members
            .iter()
            .all(|m| m.generation == members[0].generation)
    );
    let leaders = members.iter().filter(|m| m.leads()).count();
    assert_eq!(leaders, 1);
    // All of them once more, the leader last.
    members.sort_by_key(Member::leads);
    let mut clients: Vec<Client> = members.iter().map(|_| broker.client()).collect();
    let started = Instant::now();
    // The leader begins, so that nobody gets the old generation again.
    members[499].send_join(&mut clients[499], SESSION_MS, SESSION_MS);
    while members[0].heartbeat(&mut clients[0]) == ErrorCode::NONE {}
    for (member, client) in members.iter().zip(&mut clients).take(499) {
        member.send_join(client, SESSION_MS, SESSION_MS);
    }
    let before = members[0].generation;
    for (member, client) in members.iter_mut().zip(&mut clients) {
        assert_eq!(member.receive_join(client), ErrorCode::NONE);
        assert_eq!(member.generation, before + 1);
    }
    for (member, client) in members.iter().zip(&mut clients) {
        member.send_sync(client);
    }
    for (member, client) in members.iter().zip(&mut clients) {
        assert!(member.receive_sync(client).is_ok());
    }
    println!("a rebalance of 500 members in {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(20));
}
