//! Members of groups whose coordinator assigns (KIP-848): they share, follow the topics, vanish,
//! and go on after a crash. No partition is ever two members'.

use std::time::{Duration, Instant};

use corelane::kafka::ErrorCode;
use corelane::kafka::api::ApiKey;
use corelane::kafka::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
};
use corelane::kafka::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResponse,
};
use corelane::kafka::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};
use corelane::kafka::messages::list_config_resources::{
    ListConfigResourcesRequest, ListConfigResourcesResponse,
};
use corelane::kafka::messages::list_groups::{ListGroupsRequest, ListGroupsResponse};

use crate::common::broker::Broker;
use crate::common::client::{Client, newest};
use crate::common::consumers::{Consumer, Owned, describe};
use crate::common::groups::{Member, commit, delete_group, fetch_offsets};
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{create_topic, delete_topic};
use crate::rig::{coordinator, options, start};

matrix! {
    every pair: two_consumers_share_what_they_read, topics_that_come_grow_and_go_are_noticed,
        a_group_is_of_one_kind_at_a_time;
    every value: a_consumer_that_vanishes_is_missed_after_its_session,
        an_administrator_gives_a_group_timeouts_of_its_own;
    own shards, "they go from one number of shards to another":
        a_crash_in_mid_rebalance_gives_nobody_what_another_has;
}

fn joined(broker: &Broker, group: &str, id: &str, topics: &[&str]) -> (Client, Consumer) {
    let mut client = coordinator(broker, group);
    let mut consumer = Consumer::new(group, id, topics);
    assert_eq!(consumer.join(&mut client), ErrorCode::NONE);
    (client, consumer)
}

fn are_apart(a: &Owned, b: &Owned) -> bool {
    a.is_disjoint(b)
}

fn two_consumers_share_what_they_read(setup: Setup) {
    let broker = start(setup);
    create_topic(&mut broker.client(), "t", 5, &[]);
    for group in ["a", "b", "c"] {
        let (mut client, mut first) = joined(&broker, group, "one", &["t"]);
        assert_eq!((first.epoch, first.owned.len()), (1, 5));
        let (mut other, mut second) = joined(&broker, group, "two", &["t"]);
        // The first has not given anything up yet.
        assert_eq!((second.epoch, second.owned.len()), (2, 0));
        assert_eq!(describe(&mut client, group).state, "Reconciling");
        first.beat_until(&mut client, 3);
        assert_eq!(second.beat(&mut other), ErrorCode::NONE);
        assert_eq!(second.owned.len(), 0, "it has not said so yet");
        assert_eq!(first.beat(&mut client), ErrorCode::NONE);
        second.beat_until(&mut other, 2);
        assert!(are_apart(&first.owned, &second.owned));
        let told = describe(&mut client, group);
        assert_eq!((&*told.state, &*told.assignor), ("Stable", "uniform"));
        let shares = [("one".to_owned(), 3, 3), ("two".to_owned(), 2, 2)];
        assert_eq!((told.epoch, told.members), (2, shares.to_vec()));

        assert_eq!(first.commit(&mut client, "t", 0, 4), ErrorCode::NONE);
        assert_eq!(first.fetch_offsets(&mut client), ErrorCode::NONE);
        let stale = Consumer {
            epoch: first.epoch - 1,
            ..first.clone()
        };
        let stale_epoch = ErrorCode::STALE_MEMBER_EPOCH;
        assert_eq!(stale.commit(&mut client, "t", 0, 5), stale_epoch);
        assert_eq!(stale.fetch_offsets(&mut client), stale_epoch);
        let ahead = &mut Consumer {
            epoch: first.epoch + 1,
            ..first.clone()
        };
        assert_eq!(ahead.beat(&mut client), ErrorCode::FENCED_MEMBER_EPOCH);
        let stranger = &mut Consumer {
            id: "stranger".to_owned(),
            ..first.clone()
        };
        assert_eq!(stranger.beat(&mut client), ErrorCode::UNKNOWN_MEMBER_ID);
        assert_eq!(
            stranger.commit(&mut client, "t", 0, 5),
            ErrorCode::UNKNOWN_MEMBER_ID
        );

        assert_eq!(second.leave(&mut other), ErrorCode::NONE);
        first.beat_until(&mut client, 5);
        assert_eq!(first.leave(&mut client), ErrorCode::NONE);
        assert_eq!(describe(&mut client, group).state, "Empty");
        assert_eq!(fetch_offsets(&mut client, group).unwrap().len(), 1);
    }
}

fn topics_that_come_grow_and_go_are_noticed(setup: Setup) {
    let broker = start(setup);
    let mut admin = broker.client();
    create_topic(&mut admin, "here", 1, &[]);
    let (mut client, mut consumer) = joined(&broker, "g", "one", &["here", "later"]);
    assert_eq!(consumer.owned.len(), 1);
    let first = create_topic(&mut admin, "later", 2, &[]);
    consumer.beat_until(&mut client, 3);
    grow(&mut admin, "later", 4);
    consumer.beat_until(&mut client, 5);
    delete_topic(&mut admin, "later");
    consumer.beat_until(&mut client, 1);
    // Of the same name, and another topic all the same.
    let second = create_topic(&mut admin, "later", 2, &[]);
    consumer.beat_until(&mut client, 3);
    let has = |topic| consumer.owned.iter().any(|(id, _)| *id == topic);
    assert!(has(second) && !has(first));
    let epoch = consumer.epoch;
    create_topic(&mut admin, "unrelated", 2, &[]);
    assert_eq!(consumer.beat(&mut client), ErrorCode::NONE);
    assert_eq!(consumer.epoch, epoch, "a topic that nobody here reads");
}

fn grow(admin: &mut Client, name: &str, count: i32) {
    let request = CreatePartitionsRequest {
        topics: vec![CreatePartitionsTopic {
            name,
            count,
            assignments: None,
        }],
        timeout_ms: 10_000,
        ..Default::default()
    };
    let frame = admin.call(newest(ApiKey::CreatePartitions), &request);
    let response: CreatePartitionsResponse<'_> = frame.decode();
    assert_eq!(response.results[0].error_code, ErrorCode::NONE);
}

fn a_group_is_of_one_kind_at_a_time(setup: Setup) {
    let broker = start(setup);
    create_topic(&mut broker.client(), "t", 2, &[]);
    let (mut client, mut consumer) = joined(&broker, "g", "one", &["t"]);
    let mut classic = Member::of("g");
    let inconsistent = ErrorCode::INCONSISTENT_GROUP_PROTOCOL;
    assert_eq!(classic.join(&mut client, 10_000, 10_000), inconsistent);
    assert_eq!(delete_group(&mut client, "g"), ErrorCode::NON_EMPTY_GROUP);
    assert_eq!(consumer.commit(&mut client, "t", 0, 7), ErrorCode::NONE);
    for (states, types, found) in [
        (&["stable"][..], &["consumer"][..], true),
        (&[], &["Consumer"], true),
        (&["Empty"], &[], false),
        (&[], &["classic"], false),
    ] {
        assert_eq!(
            list(&mut client, states, types),
            found,
            "{states:?} {types:?}"
        );
    }
    // Once all have gone it may become a group of the other kind, and back. Its offsets stay.
    assert_eq!(consumer.leave(&mut client), ErrorCode::NONE);
    assert_eq!(classic.join(&mut client, 10_000, 10_000), ErrorCode::NONE);
    assert!(list(&mut client, &[], &["classic"]));
    let refused = Consumer::new("g", "two", &["t"]).join(&mut client);
    assert_eq!(refused, ErrorCode::GROUP_ID_NOT_FOUND);
    assert_eq!(
        describe(&mut client, "g").error,
        ErrorCode::GROUP_ID_NOT_FOUND
    );
    assert_eq!(classic.leave(&mut client), ErrorCode::NONE);
    assert_eq!(consumer.join(&mut client), ErrorCode::NONE);
    assert_eq!(consumer.owned.len(), 2);
    assert_eq!(consumer.leave(&mut client), ErrorCode::NONE);
    let offsets = fetch_offsets(&mut client, "g").unwrap();
    assert_eq!(offsets[&("t".to_owned(), 0)], 7);
    // An operator may set the offsets of a group that nobody reads with.
    assert_eq!(commit(&mut client, "g", "t", 0, 9), ErrorCode::NONE);
    assert_eq!(delete_group(&mut client, "g"), ErrorCode::NONE);
    assert!(!list(&mut client, &[], &[]));
}

/// Whether group `g` is listed.
fn list(client: &mut Client, states: &[&str], types: &[&str]) -> bool {
    let request = ListGroupsRequest {
        states_filter: states.to_vec(),
        types_filter: types.to_vec(),
    };
    let frame = client.call(newest(ApiKey::ListGroups), &request);
    let response: ListGroupsResponse<'_> = frame.decode();
    response.groups.iter().any(|group| group.group_id == "g")
}

fn a_consumer_that_vanishes_is_missed_after_its_session(setup: Setup) {
    const SESSION_MS: u128 = 1500;
    let options = options(setup)
        .with("--group-consumer-min-session-timeout-ms", "1")
        .with("--group-consumer-session-timeout-ms", "1500")
        .with("--group-consumer-min-heartbeat-interval-ms", "1")
        .with("--group-consumer-heartbeat-interval-ms", "200")
        .with("--group-consumer-max-size", "2")
        .with("--group-consumer-assignors", "range");
    let broker = Broker::start_with(options);
    create_topic(&mut broker.client(), "t", 4, &[]);
    let (mut client, mut first) = joined(&broker, "g", "one", &["t"]);
    assert_eq!(first.interval_ms, 200);
    let (mut other, mut second) = joined(&broker, "g", "two", &["t"]);
    first.beat_until(&mut client, 2);
    assert_eq!(first.beat(&mut client), ErrorCode::NONE);
    second.beat_until(&mut other, 2);
    assert_eq!(describe(&mut client, "g").assignor, "range");
    let third = Consumer::new("g", "three", &["t"]).join(&mut client);
    assert_eq!(third, ErrorCode::GROUP_MAX_SIZE_REACHED);
    drop(other);
    let started = Instant::now();
    first.beat_until(&mut client, 4);
    let waited = started.elapsed();
    assert!(waited.as_millis() + 500 >= SESSION_MS, "after {waited:?}");
    assert!(waited < Duration::from_secs(10), "after {waited:?}");
}

/// A Kafka `ConfigResource.Type`.
const GROUP: i8 = 32;

fn an_administrator_gives_a_group_timeouts_of_its_own(setup: Setup) {
    let options = options(setup)
        .with("--group-consumer-min-session-timeout-ms", "1000")
        .with("--group-consumer-min-heartbeat-interval-ms", "100");
    let mut broker = Broker::start_with(options);
    create_topic(&mut broker.client(), "t", 2, &[]);
    let (mut client, mut first) = joined(&broker, "g", "one", &["t"]);
    assert_eq!(first.interval_ms, 5000);
    let (session, interval) = (
        "consumer.session.timeout.ms",
        "consumer.heartbeat.interval.ms",
    );
    let mut admin = broker.client();
    assert_eq!(set(&mut admin, session, "999"), ErrorCode::INVALID_CONFIG);
    assert_eq!(set(&mut admin, interval, "200"), ErrorCode::NONE);
    assert_eq!(set(&mut admin, session, "1500"), ErrorCode::NONE);
    assert_eq!(first.beat(&mut client), ErrorCode::NONE);
    assert_eq!(first.interval_ms, 200);
    broker.kill();
    broker.start_again();
    let mut client = coordinator(&broker, "g");
    let mut second = Consumer::new("g", "two", &["t"]);
    assert_eq!(second.join(&mut client), ErrorCode::NONE);
    // The first is not heard of any more.
    let started = Instant::now();
    second.beat_until(&mut client, 2);
    assert!(started.elapsed() < Duration::from_secs(10));
    let mut admin = broker.client();
    assert_eq!(listed(&mut admin), ["g"]);
    let described = describe_config(&mut admin, session);
    assert_eq!(described, ("1500".to_owned(), 8));
}

fn set(admin: &mut Client, name: &str, value: &str) -> ErrorCode {
    let config = AlterableConfig {
        name,
        config_operation: 0,
        value: Some(value),
    };
    let request = IncrementalAlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type: GROUP,
            resource_name: "g",
            configs: vec![config],
        }],
        validate_only: false,
    };
    let frame = admin.call(newest(ApiKey::IncrementalAlterConfigs), &request);
    let response: IncrementalAlterConfigsResponse<'_> = frame.decode();
    response.responses[0].error_code
}

/// The groups that have configs.
fn listed(admin: &mut Client) -> Vec<String> {
    let request = ListConfigResourcesRequest {
        resource_types: vec![GROUP],
    };
    let frame = admin.call(newest(ApiKey::ListConfigResources), &request);
    let response: ListConfigResourcesResponse<'_> = frame.decode();
    let resources = response.config_resources.iter();
    resources.map(|r| r.resource_name.to_string()).collect()
}

/// Value and source of a config of group `g`.
fn describe_config(admin: &mut Client, name: &str) -> (String, i8) {
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: GROUP,
            resource_name: "g",
            configuration_keys: Some(vec![name]),
        }],
        ..Default::default()
    };
    let frame = admin.call(newest(ApiKey::DescribeConfigs), &request);
    let response: DescribeConfigsResponse<'_> = frame.decode();
    let config = &response.results[0].configs[0];
    let value = config.value.as_deref().unwrap_or_default().to_owned();
    (value, config.config_source)
}

fn a_crash_in_mid_rebalance_gives_nobody_what_another_has(setup: Setup) {
    let mut broker = start(setup);
    create_topic(&mut broker.client(), "t", 6, &[]);
    let (_, mut first) = joined(&broker, "g", "one", &["t"]);
    let (_, mut second) = joined(&broker, "g", "two", &["t"]);
    let before = first.owned.clone();
    assert_eq!(first.beat(&mut coordinator(&broker, "g")), ErrorCode::NONE);
    let told = std::mem::replace(&mut first.owned, before);
    assert_eq!(told.len(), 3);
    for cores in [2, 5, 1] {
        // It takes its time to give up what the other is to have.
        broker.kill();
        broker.options().cores = cores;
        broker.start_again();
        let mut client = coordinator(&broker, "g");
        for _ in 0..2 {
            assert_eq!(second.beat(&mut client), ErrorCode::NONE);
            assert_eq!(second.owned.len(), 0, "with {cores} shards");
            assert_eq!(first.beat(&mut client), ErrorCode::NONE);
        }
        assert_eq!(first.commit(&mut client, "t", 0, 3), ErrorCode::NONE);
    }
    first.owned = told;
    let mut client = coordinator(&broker, "g");
    assert_eq!(first.beat(&mut client), ErrorCode::NONE);
    second.beat_until(&mut client, 3);
    assert_eq!(first.owned.len(), 3);
    assert!(are_apart(&first.owned, &second.owned));
    broker.kill();
    broker.start_again();
    let mut client = coordinator(&broker, "g");
    let told = describe(&mut client, "g");
    let shares = [("one".to_owned(), 3, 3), ("two".to_owned(), 3, 3)];
    assert_eq!((&*told.state, told.members), ("Stable", shares.to_vec()));
    assert_eq!(first.beat(&mut client), ErrorCode::NONE);
    assert_eq!(fetch_offsets(&mut client, "g").unwrap().len(), 1);
}
