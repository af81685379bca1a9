//! A broker on paper, for the handlers' tests: a catalogue with some topics, and nodes.

use crate::base::{Now, TopicId};
use crate::catalog::{BrokerDefaults, Catalog, CatalogReply, CatalogRequest, NewTopic};
use crate::config::{Host, Layer, Topology, resolve};
use crate::server::Broker;

/// A catalogue with these topics and their partition counts.
pub fn catalog(topics: &[(&str, i32)]) -> Catalog {
    let mut catalog = Catalog::new(BrokerDefaults::default());
    let topics = topics.iter().map(|&(name, partitions)| NewTopic {
        name: name.to_owned(),
        partitions,
        replication_factor: 1,
        ..NewTopic::default()
    });
    let request = CatalogRequest::CreateTopics {
        topics: topics.collect(),
        validate_only: false,
    };
    change(&mut catalog, &request);
    catalog
}

/// Decides and applies `request`; topic ids count up from 1.
pub fn change(catalog: &mut Catalog, request: &CatalogRequest) -> CatalogReply {
    let mut last = u8::try_from(catalog.topic_count()).unwrap();
    let mut fresh_id = || {
        last += 1;
        TopicId([last; 16])
    };
    let now = Now {
        wall_ms: 1,
        mono_ms: 1,
    };
    let decision = catalog.decide(now, &mut fresh_id, request);
    for record in &decision.records {
        catalog.replay(record);
    }
    decision.reply
}

/// A broker of that many shards, started for the seventh time.
pub fn broker(topology: Topology, shards: u16) -> Broker {
    let topology = match topology {
        Topology::PerCore => "per-core",
        Topology::Single => "single",
    };
    let mut given = Layer::default();
    given.set("cores", &shards.to_string()).unwrap();
    given.set("topology", topology).unwrap();
    given.set("wal-disk", "1TiB").unwrap();
    let host = Host {
        cpus: vec![0],
        parallelism: 1,
        memory: 1 << 36,
    };
    let settings = resolve(given, &host, |_| Ok(0)).unwrap();
    Broker::new("cluster".to_owned(), 7, settings)
}
