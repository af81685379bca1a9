//! The structs of the APIs that move records.

use crate::mirror;

mirror! {
    common::LeaderIdAndEpoch
        => produce_response { leader_id, leader_epoch }
    also common::LeaderIdAndEpoch
        => fetch_response { leader_id, leader_epoch }
    common::NodeEndpoint<'a>
        => produce_response { node_id, host, port, rack }
    also common::NodeEndpoint<'a>
        => fetch_response { node_id, host, port, rack }
    produce::ProduceRequest<'a>
        => produce_request { transactional_id, acks, timeout_ms, topic_data }
    produce::TopicProduceData<'a>
        => produce_request { name, topic_id, partition_data }
    produce::PartitionProduceData
        => produce_request { index, records }
    produce::ProduceResponse<'a>
        => produce_response { responses, throttle_time_ms, node_endpoints }
    produce::TopicProduceResponse<'a>
        => produce_response { name, topic_id, partition_responses }
    produce::PartitionProduceResponse<'a>
        => produce_response { index, error_code, base_offset, log_append_time_ms,
            log_start_offset, record_errors, error_message, current_leader }
    produce::BatchIndexAndErrorMessage<'a>
        => produce_response { batch_index, batch_index_error_message }
    fetch::FetchRequest<'a>
        => fetch_request { replica_id, max_wait_ms, min_bytes, max_bytes, isolation_level,
            session_id, session_epoch, topics, forgotten_topics_data, rack_id, cluster_id,
            replica_state }
    fetch::ReplicaState
        => fetch_request { replica_id, replica_epoch }
    fetch::FetchTopic<'a>
        => fetch_request { topic, topic_id, partitions }
    fetch::FetchPartition
        => fetch_request { partition, current_leader_epoch, fetch_offset, last_fetched_epoch,
            log_start_offset, partition_max_bytes, replica_directory_id, high_watermark }
    fetch::ForgottenTopic<'a>
        => fetch_request { topic, topic_id, partitions }
    fetch::FetchResponse<'a>
        => fetch_response { throttle_time_ms, error_code, session_id, responses, node_endpoints }
    fetch::FetchableTopicResponse<'a>
        => fetch_response { topic, topic_id, partitions }
    fetch::PartitionData
        => fetch_response { partition_index, error_code, high_watermark, last_stable_offset,
            log_start_offset, aborted_transactions, preferred_read_replica, records,
            diverging_epoch, current_leader, snapshot_id }
    fetch::AbortedTransaction
        => fetch_response { producer_id, first_offset }
    fetch::EpochEndOffset
        => fetch_response { epoch, end_offset }
    fetch::SnapshotId
        => fetch_response { end_offset, epoch }
    list_offsets::ListOffsetsRequest<'a>
        => list_offsets_request { replica_id, isolation_level, topics, timeout_ms }
    list_offsets::ListOffsetsTopic<'a>
        => list_offsets_request { name, partitions }
    list_offsets::ListOffsetsPartition
        => list_offsets_request { partition_index, current_leader_epoch, timestamp }
    list_offsets::ListOffsetsResponse<'a>
        => list_offsets_response { throttle_time_ms, topics }
    list_offsets::ListOffsetsTopicResponse<'a>
        => list_offsets_response { name, partitions }
    list_offsets::ListOffsetsPartitionResponse
        => list_offsets_response { partition_index, error_code, timestamp, offset, leader_epoch }
    init_producer_id::InitProducerIdRequest<'a>
        => init_producer_id_request { transactional_id, transaction_timeout_ms, producer_id,
            producer_epoch }
    init_producer_id::InitProducerIdResponse
        => init_producer_id_response { throttle_time_ms, error_code, producer_id, producer_epoch }
    offset_for_leader_epoch::OffsetForLeaderEpochRequest<'a>
        => offset_for_leader_epoch_request { replica_id, topics }
    offset_for_leader_epoch::OffsetForLeaderTopic<'a>
        => offset_for_leader_epoch_request { topic, partitions }
    offset_for_leader_epoch::OffsetForLeaderPartition
        => offset_for_leader_epoch_request { partition, current_leader_epoch, leader_epoch }
    offset_for_leader_epoch::OffsetForLeaderEpochResponse<'a>
        => offset_for_leader_epoch_response { throttle_time_ms, topics }
    offset_for_leader_epoch::OffsetForLeaderTopicResult<'a>
        => offset_for_leader_epoch_response { topic, partitions }
    offset_for_leader_epoch::EpochEndOffset
        => offset_for_leader_epoch_response { error_code, partition, leader_epoch, end_offset }
    delete_records::DeleteRecordsRequest<'a>
        => delete_records_request { topics, timeout_ms }
    delete_records::DeleteRecordsTopic<'a>
        => delete_records_request { name, partitions }
    delete_records::DeleteRecordsPartition
        => delete_records_request { partition_index, offset }
    delete_records::DeleteRecordsResponse<'a>
        => delete_records_response { throttle_time_ms, topics }
    delete_records::DeleteRecordsTopicResult<'a>
        => delete_records_response { name, partitions }
    delete_records::DeleteRecordsPartitionResult
        => delete_records_response { partition_index, low_watermark, error_code }
    describe_producers::DescribeProducersRequest<'a>
        => describe_producers_request { topics }
    describe_producers::TopicRequest<'a>
        => describe_producers_request { name, partition_indexes }
    describe_producers::DescribeProducersResponse<'a>
        => describe_producers_response { throttle_time_ms, topics }
    describe_producers::TopicResponse<'a>
        => describe_producers_response { name, partitions }
    describe_producers::PartitionResponse<'a>
        => describe_producers_response { partition_index, error_code, error_message,
            active_producers }
    describe_producers::ProducerState
        => describe_producers_response { producer_id, producer_epoch, last_sequence,
            last_timestamp, coordinator_epoch, current_txn_start_offset }
}
