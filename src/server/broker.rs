//! What the broker tells clients about itself: who it is and under which addresses
//! its shards can be reached. Made at start, shared by all cores, never changed.

use crate::base::limits::{
    CONNECTIONS_PER_SHARD_MAX, DESCRIPTORS_KEPT, DESCRIPTORS_KEPT_PER_SHARD,
};
use crate::base::{ShardId, TopicPartition};
use crate::catalog::placement;
use crate::config::{Settings, Topology};

/// The broker's identity and addresses.
#[derive(Clone, Debug)]
pub struct Broker {
    /// Kafka's cluster id.
    pub cluster_id: String,
    /// The number of this start; the leader epoch of every partition.
    pub leader_epoch: i32,
    /// How many shards there are.
    pub shards: u16,
    /// What clients see as brokers: one per shard, or one in all.
    pub nodes: Vec<Node>,
    /// Most connections on one shard.
    pub connections_per_shard: usize,
    /// The configuration.
    pub settings: Settings,
}

/// One broker as clients see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// Node id.
    pub id: i32,
    /// Advertised host.
    pub host: String,
    /// Advertised port.
    pub port: u16,
}

impl Broker {
    /// A broker of these settings.
    pub fn new(cluster_id: String, leader_epoch: i32, settings: Settings) -> Self {
        let nodes = match settings.topology {
            Topology::PerCore => settings.cores,
            Topology::Single => 1,
        };
        let node = |id| {
            let (host, port) = settings.advertised_of(ShardId(id));
            Node {
                id: i32::from(id),
                host: host.to_owned(),
                port,
            }
        };
        Broker {
            cluster_id,
            leader_epoch,
            shards: settings.cores,
            nodes: (0..nodes).map(node).collect(),
            connections_per_shard: CONNECTIONS_PER_SHARD_MAX,
            settings,
        }
    }

    /// Keeps the descriptors that the WALs need back from connections, of `open_files` that
    /// the process may have.
    pub fn share_descriptors(&mut self, open_files: u64) {
        let shards = u64::from(self.shards);
        let kept = DESCRIPTORS_KEPT + shards * DESCRIPTORS_KEPT_PER_SHARD;
        let per_shard = open_files.saturating_sub(kept) / shards;
        let per_shard = usize::try_from(per_shard).unwrap_or(usize::MAX);
        self.connections_per_shard = per_shard.clamp(1, CONNECTIONS_PER_SHARD_MAX);
    }

    /// The node that leads what `shard` owns.
    pub fn node_of(&self, shard: ShardId) -> i32 {
        match self.settings.topology {
            Topology::PerCore => i32::from(shard.0),
            Topology::Single => 0,
        }
    }

    /// The node that leads `tp`.
    pub fn leader(&self, tp: TopicPartition) -> i32 {
        self.node_of(placement::owner(tp, self.shards))
    }

    /// The nodes with a replica of `tp`: its leader. Borrowed, so that a response about
    /// thousands of partitions allocates none of them.
    pub fn replicas(&self, tp: TopicPartition) -> &[i32] {
        let leader = usize::try_from(self.leader(tp)).unwrap_or(usize::MAX);
        let node = self.nodes.get(leader);
        node.map_or(&[], |node| std::slice::from_ref(&node.id))
    }

    /// The node that answers for the catalogue.
    pub fn controller(&self) -> i32 {
        self.node_of(ShardId(0))
    }
}
