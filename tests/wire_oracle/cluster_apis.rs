//! The structs of the APIs about the cluster and its clients.

use crate::mirror;

mirror! {
    metadata::MetadataRequest<'a>
        => metadata_request { topics, allow_auto_topic_creation,
            include_cluster_authorized_operations, include_topic_authorized_operations }
    metadata::MetadataRequestTopic<'a>
        => metadata_request { topic_id, name }
    metadata::MetadataResponse<'a>
        => metadata_response { throttle_time_ms, brokers, cluster_id, controller_id, topics,
            cluster_authorized_operations, error_code }
    metadata::MetadataResponseBroker<'a>
        => metadata_response { node_id, host, port, rack }
    metadata::MetadataResponseTopic<'a>
        => metadata_response { error_code, name, topic_id, is_internal, partitions,
            topic_authorized_operations }
    metadata::MetadataResponsePartition<'a>
        => metadata_response { error_code, partition_index, leader_id, leader_epoch,
            replica_nodes, isr_nodes, offline_replicas }
    api_versions::ApiVersionsRequest<'a>
        => api_versions_request { client_software_name, client_software_version }
    api_versions::ApiVersionsResponse<'a>
        => api_versions_response { error_code, api_keys, throttle_time_ms, supported_features,
            finalized_features_epoch, finalized_features, zk_migration_ready }
    api_versions::ApiVersion
        => api_versions_response { api_key, min_version, max_version }
    api_versions::SupportedFeatureKey<'a>
        => api_versions_response { name, min_version, max_version }
    api_versions::FinalizedFeatureKey<'a>
        => api_versions_response { name, max_version_level, min_version_level }
    describe_cluster::DescribeClusterRequest
        => describe_cluster_request { include_cluster_authorized_operations, endpoint_type,
            include_fenced_brokers }
    describe_cluster::DescribeClusterResponse<'a>
        => describe_cluster_response { throttle_time_ms, error_code, error_message, endpoint_type,
            cluster_id, controller_id, brokers, cluster_authorized_operations }
    describe_cluster::DescribeClusterBroker<'a>
        => describe_cluster_response { broker_id, host, port, rack, is_fenced }
    describe_log_dirs::DescribeLogDirsRequest<'a>
        => describe_log_dirs_request { topics }
    describe_log_dirs::DescribableLogDirTopic<'a>
        => describe_log_dirs_request { topic, partitions }
    describe_log_dirs::DescribeLogDirsResponse<'a>
        => describe_log_dirs_response { throttle_time_ms, error_code, results }
    describe_log_dirs::DescribeLogDirsResult<'a>
        => describe_log_dirs_response { error_code, log_dir, topics, total_bytes, usable_bytes }
    describe_log_dirs::DescribeLogDirsTopic<'a>
        => describe_log_dirs_response { name, partitions }
    describe_log_dirs::DescribeLogDirsPartition
        => describe_log_dirs_response { partition_index, partition_size, offset_lag, is_future_key }
    get_telemetry_subscriptions::GetTelemetrySubscriptionsRequest
        => get_telemetry_subscriptions_request { client_instance_id }
    get_telemetry_subscriptions::GetTelemetrySubscriptionsResponse<'a>
        => get_telemetry_subscriptions_response { throttle_time_ms, error_code,
            client_instance_id, subscription_id, accepted_compression_types, push_interval_ms,
            telemetry_max_bytes, delta_temporality, requested_metrics }
    push_telemetry::PushTelemetryRequest<'a>
        => push_telemetry_request { client_instance_id, subscription_id, terminating,
            compression_type, metrics }
    push_telemetry::PushTelemetryResponse
        => push_telemetry_response { throttle_time_ms, error_code }
}
