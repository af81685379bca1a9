//! Consumer groups of librdkafka: who reads what, and what a killed broker still knows.

use std::ops::Range;

use futures_lite::future::block_on;
use rdkafka::Offset;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;

use super::group_rig::{
    Member, PARTITIONS, SESSION_MS, options, read_to, share, topic, until, value,
};
use super::records::Record;
use super::rig::{STEP_MAX, TestProducer, config};
use crate::common::batches::now_ms;
use crate::common::broker::{Broker, Options};

/// Records of each partition, written at once.
pub const EACH: i64 = 30;

pub fn produce(broker: &Broker, topic: &str, offsets: Range<i64>) {
    let producer = TestProducer::new(&config(broker));
    for offset in offsets {
        for partition in 0..PARTITIONS {
            let record = Record {
                key: None,
                value: Some(value(partition, offset)),
                headers: Vec::new(),
                timestamp: now_ms(),
            };
            producer.send(topic, partition, offset as usize, &record);
        }
    }
    for (number, offset) in producer.finish() {
        assert_eq!(offset.unwrap(), number as i64);
    }
}

pub fn from_start(_: i32) -> i64 {
    0
}

#[test]
fn two_members_share_and_go_on_across_kills_in_both_topologies() {
    for single in [false, true] {
        let mut broker = Broker::start_with(Options {
            single,
            ..options()
        });
        topic(&broker, "t");
        let mut first = Member::join(&broker, "t", "g", &[]);
        let mut second = Member::join(&broker, "t", "g", &[]);
        share(&[&first, &second]);
        produce(&broker, "t", 0..EACH);
        read_to(from_start, EACH, &[&first, &second]);
        for (round, cores) in (1..).zip([2, 3, 1]) {
            first.commit(|_| round * EACH);
            second.commit(|_| round * EACH);
            broker.kill();
            broker.options().cores = cores;
            broker.start_again();
            produce(&broker, "t", round * EACH..(round + 1) * EACH);
            read_to(from_start, (round + 1) * EACH, &[&first, &second]);
            share(&[&first, &second]);
        }
        first.commit(|_| 4 * EACH);
        second.commit(|_| 4 * EACH);
        // A member that leaves does not have to be missed first.
        second.leave();
        share(&[&first]);
        produce(&broker, "t", 4 * EACH..5 * EACH);
        read_to(from_start, 5 * EACH, &[&first, &second]);
        first.leave();
    }
}

#[test]
fn a_group_resumes_exactly_where_it_committed_after_a_kill() {
    let mut broker = Broker::start_with(options());
    topic(&broker, "t");
    produce(&broker, "t", 0..EACH);
    let resumed = |partition| 5 + 3 * i64::from(partition);
    let mut before = Member::join(
        &broker,
        "t",
        "g",
        &[("session.timeout.ms", &SESSION_MS.to_string())],
    );
    read_to(from_start, EACH, &[&before]);
    before.commit(resumed);
    let wanted: Vec<_> = (0..PARTITIONS)
        .map(|p| (Offset::Offset(resumed(p)), format!("grüße von {p}")))
        .collect();
    assert_eq!(before.committed(), wanted);
    broker.kill();
    // It cannot tell anybody that it leaves: it is missed after its session timeout.
    before.leave();
    broker.options().cores = 3;
    broker.start_again();
    let mut after = Member::join(&broker, "t", "g", &[]);
    read_to(resumed, EACH, &[&after]);
    assert_eq!(after.committed(), wanted);
    after.leave();
}

#[test]
fn cooperative_members_keep_what_they_need_not_give_up() {
    let broker = Broker::start_with(options());
    topic(&broker, "t");
    let cooperative = [("partition.assignment.strategy", "cooperative-sticky")];
    let mut first = Member::join(&broker, "t", "g", &cooperative);
    share(&[&first]);
    produce(&broker, "t", 0..EACH);
    read_to(from_start, EACH, &[&first]);
    first.commit(|_| EACH);
    let mut second = Member::join(&broker, "t", "g", &cooperative);
    share(&[&first, &second]);
    assert_eq!(first.watch().1, second.has(), "and no more");
    produce(&broker, "t", EACH..2 * EACH);
    read_to(from_start, 2 * EACH, &[&first, &second]);
    second.leave();
    share(&[&first]);
    first.leave();
}

#[test]
fn a_static_member_restarts_without_a_rebalance_also_across_a_kill() {
    let mut broker = Broker::start_with(options());
    topic(&broker, "t");
    let mut stays = Member::join(&broker, "t", "g", &[("group.instance.id", "a")]);
    let mut restarts = Member::join(&broker, "t", "g", &[("group.instance.id", "b")]);
    share(&[&stays, &restarts]);
    let (had, rounds) = (restarts.has(), stays.watch().0);
    for kill in [false, true] {
        restarts.leave();
        if kill {
            broker.kill();
            broker.start_again();
        }
        restarts = Member::join(&broker, "t", "g", &[("group.instance.id", "b")]);
        until("its partitions are back", || restarts.has() == had);
    }
    produce(&broker, "t", 0..EACH);
    read_to(from_start, EACH, &[&stays, &restarts]);
    assert_eq!(stays.watch(), (rounds, Vec::new()), "nobody rebalanced");
    restarts.leave();
    stays.leave();
}

/// State and number of members of a group as librdkafka's tools see it; `None` if it is
/// not in the list.
fn described(broker: &Broker, group: &str) -> Option<(String, usize)> {
    let client: BaseConsumer = config(broker).create().unwrap();
    let all = client.fetch_group_list(None, STEP_MAX).unwrap();
    let listed = all.groups().iter().any(|listed| listed.name() == group);
    let one = client.fetch_group_list(Some(group), STEP_MAX).unwrap();
    let one = one.groups().first()?;
    listed.then(|| (one.state().to_owned(), one.members().len()))
}

#[test]
fn tools_list_describe_and_delete_groups() {
    let mut broker = Broker::start_with(options());
    topic(&broker, "t");
    let admin: AdminClient<DefaultClientContext> = config(&broker).create().unwrap();
    let options = AdminOptions::new().request_timeout(Some(STEP_MAX));
    let delete = || block_on(admin.delete_groups(&["g"], &options)).unwrap();
    let refused = |code| [Err(("g".to_owned(), code))];
    assert_eq!(described(&broker, "g"), None);
    let mut member = Member::join(&broker, "t", "g", &[]);
    share(&[&member]);
    assert_eq!(described(&broker, "g"), Some(("Stable".to_owned(), 1)));
    member.commit(|_| 0);
    assert_eq!(delete(), refused(RDKafkaErrorCode::NonEmptyGroup));
    member.leave();
    assert_eq!(described(&broker, "g"), Some(("Empty".to_owned(), 0)));
    broker.kill();
    broker.start_again();
    assert_eq!(described(&broker, "g"), Some(("Empty".to_owned(), 0)));
    assert_eq!(delete(), [Ok("g".to_owned())]);
    assert_eq!(delete(), refused(RDKafkaErrorCode::GroupIdNotFound));
    broker.kill();
    broker.start_again();
    assert_eq!(described(&broker, "g"), None);
}
