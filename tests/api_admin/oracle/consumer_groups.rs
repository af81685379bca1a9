//! The APIs of consumer groups whose coordinator assigns the partitions (KIP-848).

use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::groups::{coordinator, group};
use super::{Client, World, text};

const REBALANCE_TIMEOUT_MS: i32 = 60_000;

/// Joins the group as its only member, which gets all partitions of the topic at once.
fn join(
    world: &World,
    client: &mut Client,
    name: &str,
    version: i16,
) -> ConsumerGroupHeartbeatResponse {
    // From version 1 on members choose their id.
    let member_id = match version {
        0 => StrBytes::default(),
        _ => text("AAAAAAAAAAAAAAAAAAAAAQ"),
    };
    let request = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group(name))
        .with_member_id(member_id)
        .with_member_epoch(0)
        .with_rack_id(Some(text("rack")))
        .with_rebalance_timeout_ms(REBALANCE_TIMEOUT_MS)
        .with_subscribed_topic_names(Some(vec![world.topic.clone()]))
        .with_server_assignor(Some(text("range")))
        .with_topic_partitions(Some(Vec::new()));
    client.ask(version, &request)
}

pub fn heartbeat(world: &mut World, version: i16) {
    let name = format!("assigned-{version}");
    let mut client = coordinator(world, &name);
    let joined = join(world, &mut client, &name, version);
    assert_eq!((joined.error_code, joined.error_message), (0, None));
    assert!(joined.member_epoch > 0);
    assert!(joined.heartbeat_interval_ms > 0);
    let given = joined.assignment.unwrap().topic_partitions;
    assert_eq!(given[0].topic_id, world.created.topic_id);
    assert!(given[0].partitions.starts_with(&[0, 1]));
    // What has not changed is left out.
    let request = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group(&name))
        .with_member_id(joined.member_id.unwrap())
        .with_member_epoch(joined.member_epoch)
        .with_rebalance_timeout_ms(-1);
    let beat = client.ask(version, &request);
    assert_eq!((beat.error_code, beat.assignment), (0, None));
    assert_eq!(beat.member_epoch, joined.member_epoch);
}

pub fn describe(world: &mut World, version: i16) {
    let name = format!("assigned-{version}");
    let mut client = coordinator(world, &name);
    let request = ConsumerGroupDescribeRequest::default()
        .with_group_ids(vec![group(&name)])
        .with_include_authorized_operations(true);
    let response = client.ask(version, &request);
    let described = &response.groups[0];
    assert_eq!(
        (described.error_code, &described.group_id),
        (0, &group(&name))
    );
    assert_eq!(described.group_state.as_str(), "Stable");
    assert_eq!(described.assignor_name.as_str(), "range");
    assert_eq!(described.group_epoch, described.assignment_epoch);
    let member = &described.members[0];
    assert_eq!(member.client_id.as_str(), "oracle");
    assert_eq!(member.rack_id, Some(text("rack")));
    assert_eq!(member.subscribed_topic_names, vec![world.topic.clone()]);
    let given = &member.assignment.topic_partitions[0];
    assert_eq!(given.topic_id, world.created.topic_id);
    assert_eq!(given.topic_name, world.topic);
    assert_eq!(member.assignment, member.target_assignment);
}
