//! A broker and connections to whichever node coordinates a group.

use crate::common::broker::{Broker, Options};
use crate::common::client::Client;
use crate::common::groups::find_coordinator;

/// Both topologies, with one, two and five shards.
pub fn every_layout() -> impl Iterator<Item = Options> {
    [(1, false), (2, false), (5, false), (2, true), (5, true)]
        .into_iter()
        .map(|(cores, single)| options(cores, single))
}

/// A broker whose groups do not wait for more members than there are.
pub fn options(cores: u16, single: bool) -> Options {
    let options = Options {
        cores,
        single,
        memory_mib: 320,
        wal_disk_mib: 320,
        ..Options::default()
    };
    options.with("--group-initial-rebalance-delay-ms", "0")
}

/// A connection to the coordinator of `group`.
pub fn coordinator(broker: &Broker, group: &str) -> Client {
    let node = find_coordinator(&mut broker.client(), group).unwrap();
    broker.client_of(u16::try_from(node).unwrap())
}
