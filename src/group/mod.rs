//! Consumer groups: who belongs to a group, which partitions each member was given, and how far
//! the group has read. One [`Coordinator`] for each partition of `__consumer_offsets`, on the
//! shard that owns the partition. Takes requests as data and a clock reading, gives records to
//! append and answers to send; never waits, never reads a clock, never writes.
//!
//! What must survive a restart (offsets; the members, generation and assignment of a group once
//! its leader has handed the assignment out) is in the records, in Kafka's own formats, and
//! [`Coordinator::replay`] rebuilds it. Who waits for an answer, who is about to join and when
//! sessions end is forgotten with the process: members notice nothing but a longer session.

mod admin;
mod classic;
mod config;
mod consumer;
mod consumers;
mod coordinator;
mod deadlines;
mod offsets;
mod one_group;
mod record;
mod request;
#[cfg(test)]
mod tests;

pub use config::GroupConfig;
pub use consumer::{
    Assignor, Assignors, ConsumerConfig, ConsumerHeartbeat, ConsumerHeartbeatReply,
    ConsumerOverrides, DescribedConsumer, DescribedConsumerGroup, NamedPartitions, Partitions,
    Refusal, Topics,
};
pub use coordinator::{Coordinator, Effects};
pub use record::{DecodeError, GroupRecord};
pub use request::{
    CommitOffset, CommitRequest, CommitTopic, DeleteOffsetsReply, DeleteOffsetsRequest,
    DescribedGroup, DescribedMember, FetchOffsetsReply, FetchOffsetsRequest, FetchedOffset,
    GroupReply, GroupRequest, HeartbeatRequest, JoinReply, JoinRequest, JoinedMember, LeaveReply,
    LeaveRequest, LeavingMember, ListFilter, ListedGroup, Protocol, SyncReply, SyncRequest, Ticket,
    TopicOffsets, TopicPartitions,
};
