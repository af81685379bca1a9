//! The structs of the APIs about groups and their offsets.

use crate::mirror;

mirror! {
    offset_commit::OffsetCommitRequest<'a>
        => offset_commit_request { group_id, generation_id_or_member_epoch, member_id,
            group_instance_id, retention_time_ms, topics }
    offset_commit::OffsetCommitRequestTopic<'a>
        => offset_commit_request { name, topic_id, partitions }
    offset_commit::OffsetCommitRequestPartition<'a>
        => offset_commit_request { partition_index, committed_offset, committed_leader_epoch,
            committed_metadata }
    offset_commit::OffsetCommitResponse<'a>
        => offset_commit_response { throttle_time_ms, topics }
    offset_commit::OffsetCommitResponseTopic<'a>
        => offset_commit_response { name, topic_id, partitions }
    offset_commit::OffsetCommitResponsePartition
        => offset_commit_response { partition_index, error_code }
    offset_fetch::OffsetFetchRequest<'a>
        => offset_fetch_request { group_id, topics, groups, require_stable }
    offset_fetch::OffsetFetchRequestTopic<'a>
        => offset_fetch_request { name, partition_indexes }
    offset_fetch::OffsetFetchRequestGroup<'a>
        => offset_fetch_request { group_id, member_id, member_epoch, topics }
    offset_fetch::OffsetFetchRequestTopics<'a>
        => offset_fetch_request { name, topic_id, partition_indexes }
    offset_fetch::OffsetFetchResponse<'a>
        => offset_fetch_response { throttle_time_ms, topics, error_code, groups }
    offset_fetch::OffsetFetchResponseTopic<'a>
        => offset_fetch_response { name, partitions }
    offset_fetch::OffsetFetchResponsePartition<'a>
        => offset_fetch_response { partition_index, committed_offset, committed_leader_epoch,
            metadata, error_code }
    offset_fetch::OffsetFetchResponseGroup<'a>
        => offset_fetch_response { group_id, topics, error_code }
    offset_fetch::OffsetFetchResponseTopics<'a>
        => offset_fetch_response { name, topic_id, partitions }
    offset_fetch::OffsetFetchResponsePartitions<'a>
        => offset_fetch_response { partition_index, committed_offset, committed_leader_epoch,
            metadata, error_code }
    find_coordinator::FindCoordinatorRequest<'a>
        => find_coordinator_request { key, key_type, coordinator_keys }
    find_coordinator::FindCoordinatorResponse<'a>
        => find_coordinator_response { throttle_time_ms, error_code, error_message, node_id, host,
            port, coordinators }
    find_coordinator::Coordinator<'a>
        => find_coordinator_response { key, node_id, host, port, error_code, error_message }
    join_group::JoinGroupRequest<'a>
        => join_group_request { group_id, session_timeout_ms, rebalance_timeout_ms, member_id,
            group_instance_id, protocol_type, protocols, reason }
    join_group::JoinGroupRequestProtocol<'a>
        => join_group_request { name, metadata }
    join_group::JoinGroupResponse<'a>
        => join_group_response { throttle_time_ms, error_code, generation_id, protocol_type,
            protocol_name, leader, skip_assignment, member_id, members }
    join_group::JoinGroupResponseMember<'a>
        => join_group_response { member_id, group_instance_id, metadata }
    heartbeat::HeartbeatRequest<'a>
        => heartbeat_request { group_id, generation_id, member_id, group_instance_id }
    heartbeat::HeartbeatResponse
        => heartbeat_response { throttle_time_ms, error_code }
    leave_group::LeaveGroupRequest<'a>
        => leave_group_request { group_id, member_id, members }
    leave_group::MemberIdentity<'a>
        => leave_group_request { member_id, group_instance_id, reason }
    leave_group::LeaveGroupResponse<'a>
        => leave_group_response { throttle_time_ms, error_code, members }
    leave_group::MemberResponse<'a>
        => leave_group_response { member_id, group_instance_id, error_code }
    sync_group::SyncGroupRequest<'a>
        => sync_group_request { group_id, generation_id, member_id, group_instance_id,
            protocol_type, protocol_name, assignments }
    sync_group::SyncGroupRequestAssignment<'a>
        => sync_group_request { member_id, assignment }
    sync_group::SyncGroupResponse<'a>
        => sync_group_response { throttle_time_ms, error_code, protocol_type, protocol_name,
            assignment }
    describe_groups::DescribeGroupsRequest<'a>
        => describe_groups_request { groups, include_authorized_operations }
    describe_groups::DescribeGroupsResponse<'a>
        => describe_groups_response { throttle_time_ms, groups }
    describe_groups::DescribedGroup<'a>
        => describe_groups_response { error_code, error_message, group_id, group_state,
            protocol_type, protocol_data, members, authorized_operations }
    describe_groups::DescribedGroupMember<'a>
        => describe_groups_response { member_id, group_instance_id, client_id, client_host,
            member_metadata, member_assignment }
    list_groups::ListGroupsRequest<'a>
        => list_groups_request { states_filter, types_filter }
    list_groups::ListGroupsResponse<'a>
        => list_groups_response { throttle_time_ms, error_code, groups }
    list_groups::ListedGroup<'a>
        => list_groups_response { group_id, protocol_type, group_state, group_type }
    delete_groups::DeleteGroupsRequest<'a>
        => delete_groups_request { groups_names }
    delete_groups::DeleteGroupsResponse<'a>
        => delete_groups_response { throttle_time_ms, results }
    delete_groups::DeletableGroupResult<'a>
        => delete_groups_response { group_id, error_code }
    plain offset_delete::OffsetDeleteRequest<'a>
        => offset_delete_request { group_id, topics }
    plain offset_delete::OffsetDeleteRequestTopic<'a>
        => offset_delete_request { name, partitions }
    plain offset_delete::OffsetDeleteRequestPartition
        => offset_delete_request { partition_index }
    plain offset_delete::OffsetDeleteResponse<'a>
        => offset_delete_response { error_code, throttle_time_ms, topics }
    plain offset_delete::OffsetDeleteResponseTopic<'a>
        => offset_delete_response { name, partitions }
    plain offset_delete::OffsetDeleteResponsePartition
        => offset_delete_response { partition_index, error_code }
    consumer_group_heartbeat::ConsumerGroupHeartbeatRequest<'a>
        => consumer_group_heartbeat_request { group_id, member_id, member_epoch, instance_id,
            rack_id, rebalance_timeout_ms, subscribed_topic_names, subscribed_topic_regex,
            server_assignor, topic_partitions }
    consumer_group_heartbeat::ConsumerGroupHeartbeatResponse<'a>
        => consumer_group_heartbeat_response { throttle_time_ms, error_code, error_message,
            member_id, member_epoch, heartbeat_interval_ms, assignment }
    consumer_group_heartbeat::Assignment<'a>
        => consumer_group_heartbeat_response { topic_partitions }
    consumer_group_heartbeat::TopicPartitions<'a>
        => consumer_group_heartbeat_response { topic_id, partitions }
    also consumer_group_heartbeat::TopicPartitions<'a>
        => consumer_group_heartbeat_request { topic_id, partitions }
    consumer_group_describe::ConsumerGroupDescribeRequest<'a>
        => consumer_group_describe_request { group_ids, include_authorized_operations }
    consumer_group_describe::ConsumerGroupDescribeResponse<'a>
        => consumer_group_describe_response { throttle_time_ms, groups }
    consumer_group_describe::DescribedGroup<'a>
        => consumer_group_describe_response { error_code, error_message, group_id, group_state,
            group_epoch, assignment_epoch, assignor_name, members, authorized_operations }
    consumer_group_describe::Member<'a>
        => consumer_group_describe_response { member_id, instance_id, rack_id, member_epoch,
            client_id, client_host, subscribed_topic_names, subscribed_topic_regex, assignment,
            target_assignment, member_type }
    consumer_group_describe::Assignment<'a>
        => consumer_group_describe_response { topic_partitions }
    consumer_group_describe::TopicPartitions<'a>
        => consumer_group_describe_response { topic_id, topic_name, partitions }
}
