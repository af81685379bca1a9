//! One file per API: takes the decoded request, asks the shards that own what it
//! is about, and makes the response. Which error goes with what is decided here or
//! in the core; bytes are the codec's affair.

pub mod alter_configs;
pub mod api_versions;
mod asking;
mod changing;
mod config_resource;
pub mod consumer_group_describe;
pub mod consumer_group_heartbeat;
mod coordinating;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_topic_partitions;
pub mod elect_leaders;
pub mod fetch;
pub mod find_coordinator;
pub mod get_telemetry_subscriptions;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leave_group;
pub mod list_config_resources;
pub mod list_groups;
pub mod list_offsets;
pub mod list_partition_reassignments;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
mod operations;
pub mod produce;
pub mod push_telemetry;
pub mod sync_group;

#[cfg(test)]
mod testing;
