//! A broker and connections to whichever node coordinates a group.

use crate::common::broker::{Broker, Options};
use crate::common::client::Client;
use crate::common::groups::find_coordinator;
use crate::common::matrix::Setup;

/// A broker whose groups do not wait for more members than there are, with memory for more
/// shards than it begins with.
pub fn options(setup: Setup) -> Options {
    let mut options = setup.options();
    options.memory_mib = 320;
    options.wal_disk_mib = 320;
    options.with("--group-initial-rebalance-delay-ms", "0")
}

/// It runs.
pub fn start(setup: Setup) -> Broker {
    Broker::start_with(options(setup))
}

/// A connection to the coordinator of `group`.
pub fn coordinator(broker: &Broker, group: &str) -> Client {
    let node = find_coordinator(&mut broker.client(), group).unwrap();
    broker.client_of(u16::try_from(node).unwrap())
}
