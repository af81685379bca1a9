//! The broker towards its clients: sessions, the router and one file per API. Each
//! handler decodes, asks the shards that own what is asked about, and encodes; it
//! owns no data. On every core, next to that core's shard.

pub mod api;
mod broker;
mod complaints;
mod fetch_session;
mod listener;
mod producer_ids;
mod router;
mod session;
mod stall;
mod start;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

pub use broker::{Broker, Node};
use complaints::Complaints;
use fetch_session::FetchSessions;
use producer_ids::ProducerIds;
pub use start::run;

use crate::runtime::handle::ShardHandle;

/// What every session of one core is given.
#[derive(Clone)]
pub struct Services {
    /// This core's shard.
    pub shard: ShardHandle,
    /// What is the same on every core and never changes while the broker runs.
    pub broker: Arc<Broker>,
    complaints: Rc<Complaints>,
    fetch_sessions: Rc<RefCell<FetchSessions>>,
    producer_ids: Rc<ProducerIds>,
}
