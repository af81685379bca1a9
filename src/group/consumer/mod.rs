//! Groups whose coordinator assigns the partitions (KIP-848). A member tells in its heartbeats
//! what it subscribes to and what it has; the coordinator computes what every member is to have
//! (the target) and leads each member there on its own: first it gives up what others are to
//! have, then it gets what others have given up. There is no moment at which all must stop.
//!
//! Three epochs order this. The group's rises when members, subscriptions or topics change; the
//! target's follows when the target is computed for it; a member's follows when it has given up
//! everything that the target takes from it. A member that comes with another epoch than the
//! one it was told is fenced and joins anew, except right after an answer that it may not have got.
//!
//! All of that is in records, in Kafka's formats (keys 3 and 5 to 8), and [`ConsumerGroup::apply`]
//! rebuilds it. When sessions end is forgotten with the process. Topics come in as a view.
//!
//! Not here: members of the classic protocol in such a group (online migration): a group changes
//! its kind while it is empty.

mod assign;
mod config;
mod describe;
mod expressions;
mod group;
mod heartbeat;
mod leave;
mod member;
mod offsets;
mod reconcile;
mod record;
mod request;
#[cfg(test)]
mod tests;
mod topics;

pub use config::{Assignor, Assignors, ConsumerConfig, ConsumerOverrides};
pub use describe::{DescribedConsumer, DescribedConsumerGroup, NamedPartitions};
pub(super) use group::ConsumerGroup;
pub(super) use heartbeat::{Step, Timer};
pub(super) use record::ConsumerChange;
pub use request::{ConsumerHeartbeat, ConsumerHeartbeatReply, Partitions, Refusal};
pub use topics::Topics;
