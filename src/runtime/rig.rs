//! Several shards on one executor, for tests of what runs between them: the drivers are those of
//! the product, the files are real, and a test leaves out what it wants to be slow.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use glommio::{LocalExecutorBuilder, Placement};

use super::data_dir::DataDir;
use super::files::Files;
use super::handle::ShardHandle;
use super::mesh::{self, Mesh};
use super::tasks::{self, Driver};
use super::{clock, disk, inbox, plan, process, recover, segments, sleep_ms, wal};
use crate::base::limits::MIB;
use crate::base::{TopicId, TopicPartition};
use crate::catalog::CatalogRecord;
use crate::config::{Host, Layer, Settings, resolve};
use crate::kafka::record::BatchBuilder;
use crate::shard::ProduceEntry;

/// What runs on a shard's behalf.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Disk {
    /// All drivers.
    Works,
    /// All but the one that writes blocks: nothing becomes durable.
    StandsStill,
}

/// Shards and their drivers.
pub(super) struct Rig {
    pub shards: Vec<ShardHandle>,
    drivers: Vec<Driver>,
}

/// On a machine that is busy with other tests.
const PATIENCE_MS: u64 = 10_000;
const TOPIC: TopicId = TopicId([7; 16]);

/// A partition that `shard` of `shards` owns.
pub(super) fn partition_of(shard: &ShardHandle) -> TopicPartition {
    let partitions = (0..).map(|partition| TopicPartition {
        topic: TOPIC,
        partition,
    });
    let mut own = partitions.filter(|tp| shard.owner(*tp) == shard.id());
    own.next().expect("one of the first few")
}

/// A batch with one record of `bytes`.
pub(super) fn entry(tp: TopicPartition, bytes: usize) -> ProduceEntry {
    let batch = BatchBuilder::new(0).record(0, None, Some(&vec![7; bytes]));
    ProduceEntry {
        tp,
        batch: batch.build(),
    }
}

/// Runs `test` with as many shards as `disks`, each with a topic of as many partitions.
pub(super) fn run<F: Future<Output = ()>>(disks: &[Disk], test: impl FnOnce(Rc<Rig>) -> F) {
    let dir = tempfile::tempdir().unwrap();
    let executor = LocalExecutorBuilder::new(Placement::Unbound)
        .io_memory(MIB)
        .ring_depth(64)
        .make();
    executor.unwrap().run(async {
        let rig = Rc::new(Rig::start(dir.path(), disks).await);
        test(rig.clone()).await;
        for shard in &rig.shards {
            shard.begin_stop();
        }
        let Some(rig) = Rc::into_inner(rig) else {
            panic!("the test has kept the rig");
        };
        for driver in rig.drivers {
            driver.end().await;
        }
    });
}

impl Rig {
    async fn start(dir: &Path, disks: &[Disk]) -> Rig {
        let count = disks.len() as u16;
        let settings = settings(count);
        let data_dir = DataDir::open(dir, count, process::random()).unwrap();
        let found = recover::all(&data_dir, usize::MAX).unwrap();
        let configs = plan::shard_configs(&settings, data_dir.incarnation());
        let recovered = found
            .assembly
            .finish(settings.broker_defaults(), clock::now(), &configs);
        let starts = plan::shard_starts(&settings, recovered.unwrap(), found.wals, MIB);
        let mut rig = Rig {
            shards: Vec::new(),
            drivers: Vec::new(),
        };
        for ((start, part), disk) in starts.into_iter().zip(mesh::weave(count)).zip(disks) {
            let core = start
                .recovered
                .open(start.wal_config, start.wal, start.adopted)
                .unwrap();
            let files = Files::new(dir, disk::WriteMode::Buffered, core.id(), Arc::default());
            let shard = ShardHandle::new(core, Mesh::new(part), files, start.budget);
            let mesh = shard.mesh.clone();
            rig.drivers.extend([
                tasks::drive(async move { mesh.deliver_replies().await }),
                tasks::drive(segments::drive(shard.clone())),
                tasks::drive(inbox::drive(shard.clone())),
                tasks::drive(inbox::drive_parked(shard.clone())),
            ]);
            if *disk == Disk::Works {
                rig.drivers.push(tasks::drive(wal::drive(shard.clone())));
            }
            rig.shards.push(shard);
        }
        rig.create_topic(count);
        rig
    }

    fn create_topic(&self, shards: u16) {
        let created = CatalogRecord::TopicCreated {
            topic: TOPIC,
            name: "rig".into(),
            partitions: i32::from(shards),
            configs: BTreeMap::new(),
            created_ms: 0,
        };
        let records = [Bytes::from(created.encode())];
        for shard in &self.shards {
            shard.with(|core, _| core.apply_catalog(&records)).unwrap();
        }
    }
}

/// So many shards with 64 MiB of memory and WAL each.
fn settings(shards: u16) -> Settings {
    let mib = format!("{}MiB", u32::from(shards) * 64);
    let mut given = Layer::default();
    for (key, value) in [
        ("cores", &*shards.to_string()),
        ("memory", &mib),
        ("wal-disk", &mib),
    ] {
        given.set(key, value).unwrap();
    }
    let host = Host {
        cpus: vec![0],
        parallelism: 1,
        memory: 1 << 36,
    };
    resolve(given, &host, |_| Ok(0)).unwrap()
}

/// Waits until `is_so`, which must not take long.
pub(super) async fn soon(what: &str, is_so: impl Fn() -> bool) {
    assert!(super::within(PATIENCE_MS, is_so).await, "{what}");
}

/// What `future` gives, which must not take long.
pub(super) async fn promptly<T>(what: &str, future: impl Future<Output = T>) -> T {
    let late = async {
        sleep_ms(PATIENCE_MS).await;
        None
    };
    let result = futures_lite::future::or(async { Some(future.await) }, late).await;
    result.unwrap_or_else(|| panic!("it takes too long: {what}"))
}
