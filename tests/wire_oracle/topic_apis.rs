//! The structs of the APIs that manage topics and configs.

use crate::mirror;

mirror! {
    create_topics::CreateTopicsRequest<'a>
        => create_topics_request { topics, timeout_ms, validate_only }
    create_topics::CreatableTopic<'a>
        => create_topics_request { name, num_partitions, replication_factor, assignments, configs }
    create_topics::CreatableReplicaAssignment
        => create_topics_request { partition_index, broker_ids }
    create_topics::CreatableTopicConfig<'a>
        => create_topics_request { name, value }
    create_topics::CreateTopicsResponse<'a>
        => create_topics_response { throttle_time_ms, topics }
    create_topics::CreatableTopicResult<'a>
        => create_topics_response { name, topic_id, error_code, error_message, num_partitions,
            replication_factor, configs, topic_config_error_code }
    create_topics::CreatableTopicConfigs<'a>
        => create_topics_response { name, value, read_only, config_source, is_sensitive }
    delete_topics::DeleteTopicsRequest<'a>
        => delete_topics_request { topics, topic_names, timeout_ms }
    delete_topics::DeleteTopicState<'a>
        => delete_topics_request { name, topic_id }
    delete_topics::DeleteTopicsResponse<'a>
        => delete_topics_response { throttle_time_ms, responses }
    delete_topics::DeletableTopicResult<'a>
        => delete_topics_response { name, topic_id, error_code, error_message }
    create_partitions::CreatePartitionsRequest<'a>
        => create_partitions_request { topics, timeout_ms, validate_only }
    create_partitions::CreatePartitionsTopic<'a>
        => create_partitions_request { name, count, assignments }
    create_partitions::CreatePartitionsAssignment
        => create_partitions_request { broker_ids }
    create_partitions::CreatePartitionsResponse<'a>
        => create_partitions_response { throttle_time_ms, results }
    create_partitions::CreatePartitionsTopicResult<'a>
        => create_partitions_response { name, error_code, error_message }
    describe_configs::DescribeConfigsRequest<'a>
        => describe_configs_request { resources, include_synonyms, include_documentation }
    describe_configs::DescribeConfigsResource<'a>
        => describe_configs_request { resource_type, resource_name, configuration_keys }
    describe_configs::DescribeConfigsResponse<'a>
        => describe_configs_response { throttle_time_ms, results }
    describe_configs::DescribeConfigsResult<'a>
        => describe_configs_response { error_code, error_message, resource_type, resource_name,
            configs }
    describe_configs::DescribeConfigsResourceResult<'a>
        => describe_configs_response { name, value, read_only, config_source, is_sensitive,
            synonyms, config_type, documentation }
    describe_configs::DescribeConfigsSynonym<'a>
        => describe_configs_response { name, value, source }
    alter_configs::AlterConfigsRequest<'a>
        => alter_configs_request { resources, validate_only }
    alter_configs::AlterConfigsResource<'a>
        => alter_configs_request { resource_type, resource_name, configs }
    alter_configs::AlterableConfig<'a>
        => alter_configs_request { name, value }
    alter_configs::AlterConfigsResponse<'a>
        => alter_configs_response { throttle_time_ms, responses }
    alter_configs::AlterConfigsResourceResponse<'a>
        => alter_configs_response { error_code, error_message, resource_type, resource_name }
    also alter_configs::AlterConfigsResourceResponse<'a>
        => incremental_alter_configs_response { error_code, error_message, resource_type,
            resource_name }
    incremental_alter_configs::IncrementalAlterConfigsRequest<'a>
        => incremental_alter_configs_request { resources, validate_only }
    incremental_alter_configs::AlterConfigsResource<'a>
        => incremental_alter_configs_request { resource_type, resource_name, configs }
    incremental_alter_configs::AlterableConfig<'a>
        => incremental_alter_configs_request { name, config_operation, value }
    incremental_alter_configs::IncrementalAlterConfigsResponse<'a>
        => incremental_alter_configs_response { throttle_time_ms, responses }
    list_config_resources::ListConfigResourcesRequest
        => list_config_resources_request { resource_types }
    list_config_resources::ListConfigResourcesResponse<'a>
        => list_config_resources_response { throttle_time_ms, error_code, config_resources }
    list_config_resources::ConfigResource<'a>
        => list_config_resources_response { resource_name, resource_type }
    describe_topic_partitions::DescribeTopicPartitionsRequest<'a>
        => describe_topic_partitions_request { topics, response_partition_limit, cursor }
    describe_topic_partitions::TopicRequest<'a>
        => describe_topic_partitions_request { name }
    describe_topic_partitions::Cursor<'a>
        => describe_topic_partitions_request { topic_name, partition_index }
    also describe_topic_partitions::Cursor<'a>
        => describe_topic_partitions_response { topic_name, partition_index }
    describe_topic_partitions::DescribeTopicPartitionsResponse<'a>
        => describe_topic_partitions_response { throttle_time_ms, topics, next_cursor }
    describe_topic_partitions::DescribeTopicPartitionsResponseTopic<'a>
        => describe_topic_partitions_response { error_code, name, topic_id, is_internal,
            partitions, topic_authorized_operations }
    describe_topic_partitions::DescribeTopicPartitionsResponsePartition<'a>
        => describe_topic_partitions_response { error_code, partition_index, leader_id,
            leader_epoch, replica_nodes, isr_nodes, eligible_leader_replicas, last_known_elr,
            offline_replicas }
    elect_leaders::ElectLeadersRequest<'a>
        => elect_leaders_request { election_type, topic_partitions, timeout_ms }
    elect_leaders::TopicPartitions<'a>
        => elect_leaders_request { topic, partitions }
    elect_leaders::ElectLeadersResponse<'a>
        => elect_leaders_response { throttle_time_ms, error_code, replica_election_results }
    elect_leaders::ReplicaElectionResult<'a>
        => elect_leaders_response { topic, partition_result }
    elect_leaders::PartitionResult<'a>
        => elect_leaders_response { partition_id, error_code, error_message }
    list_partition_reassignments::ListPartitionReassignmentsRequest<'a>
        => list_partition_reassignments_request { timeout_ms, topics }
    list_partition_reassignments::ListPartitionReassignmentsTopics<'a>
        => list_partition_reassignments_request { name, partition_indexes }
    list_partition_reassignments::ListPartitionReassignmentsResponse<'a>
        => list_partition_reassignments_response { throttle_time_ms, error_code, error_message,
            topics }
    list_partition_reassignments::OngoingTopicReassignment<'a>
        => list_partition_reassignments_response { name, partitions }
    list_partition_reassignments::OngoingPartitionReassignment
        => list_partition_reassignments_response { partition_index, replicas, adding_replicas,
            removing_replicas }
}
