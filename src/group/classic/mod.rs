//! Groups whose members assign partitions among themselves: they join, one of them (the leader)
//! is told who is there and hands assignments out, and everybody starts over when a member
//! comes, goes or changes its mind. The behaviour is that of Kafka 4.2.
//!
//! ```text
//!            join             all joined, or time is up       leader syncs
//!   Empty ---------> PreparingRebalance ------> CompletingRebalance ------> Stable
//!     ^                |        ^                      |                      |
//!     +--- none left --+        +---- somebody joins, leaves, is silent ------+
//! ```
//!
//! The leader's assignment, a member of a static id that was replaced, and that the group is
//! empty are written down; everything else is forgotten with the process.

mod join;
mod leave;
mod member;
mod protocol;
mod rebalance;
mod state;
mod sync;

pub(super) use join::join;
pub(super) use leave::{leave, on_session_due};
pub(super) use rebalance::{on_join_due, on_sync_due};
pub(super) use state::{Classic, State};
pub(super) use sync::{heartbeat, sync};
