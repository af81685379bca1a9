//! Starting and stopping the shards: one pinned executor for each, its drivers around
//! its core, and in the middle whatever the server layer wants to run there.

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use glommio::{ExecutorJoinHandle, Latency, LocalExecutorBuilder, Placement, Shares};

use super::disk::WriteMode;
use super::files::Files;
use super::handle::{Budget, ShardHandle};
use super::mesh::{self, Mesh, MeshPart};
use super::pace::{self, Place};
use super::steps::step;
use super::tasks::Driver;
use super::{audit, groups, inbox, segments, sleep_ms, tasks, trim, upkeep, wal};
use crate::base::{Lsn, SegmentId};
use crate::shard::{RecoveredShard, Shard};
use crate::wal::{Recovered, WalConfig};

/// Entries of one executor's submission ring.
pub const RING_DEPTH: usize = 256;
/// How soon a busy task queue lets others, and wakes from other cores, through.
const PREEMPT: Duration = Duration::from_millis(1);
/// The same until the shard's task queue exists.
const PREEMPT_AT_START: Duration = Duration::from_millis(100);
/// Pause before a start tries again to create a segment, milliseconds.
const RETRY_MS: u64 = 1000;
/// How long a stop waits for connections to end, milliseconds.
const DRAIN_MS_MAX: u64 = 10_000;

/// What is to run on every shard's core once the shard is up: accepts and serves until
/// [`ShardHandle::stopped`], then ends its connections.
pub type OnShard =
    Arc<dyn Fn(ShardHandle) -> Pin<Box<dyn Future<Output = anyhow::Result<()>>>> + Send + Sync>;

/// What one shard starts from.
#[derive(Debug)]
pub struct ShardStart {
    /// Its recovered state.
    pub recovered: RecoveredShard,
    /// Its WAL's configuration.
    pub wal_config: WalConfig,
    /// What its own WAL goes on from.
    pub wal: Recovered,
    /// WALs without a shard that it empties.
    pub adopted: Vec<Recovered>,
    /// The CPU to run on, or none to let the kernel choose.
    pub cpu: Option<usize>,
    /// Bytes of its executor's registered memory, for WAL blocks.
    pub arena_bytes: usize,
    /// Its memory but for the tail.
    pub budget: Budget,
}

/// What all shards share.
#[derive(Clone)]
pub struct Shared {
    /// The data directory.
    pub data_dir: PathBuf,
    /// How WAL files are written.
    pub mode: WriteMode,
    /// Which file holds each segment of earlier starts.
    pub slots: Arc<HashMap<SegmentId, u32>>,
    /// Pause between two retention checks, milliseconds.
    pub retention_check_interval_ms: u64,
    /// What runs on each shard.
    pub on_shard: OnShard,
}

/// Runs all shards until the broker is told to stop.
pub fn run(starts: Vec<ShardStart>, shared: &Shared) -> anyhow::Result<()> {
    let count = starts.len();
    let parts = mesh::weave(count as u16);
    let phases = Phases::new(count);
    let (pacemaker, pace) = pace::maker();
    let mut executors: Vec<ExecutorJoinHandle<anyhow::Result<()>>> = Vec::new();
    for (number, (start, part)) in starts.into_iter().zip(parts).enumerate() {
        let placement = start.cpu.map_or(Placement::Unbound, Placement::Fixed);
        let (shared, phases, place) = (shared.clone(), phases.clone(), pace.place(number));
        let executor = LocalExecutorBuilder::new(placement)
            .name(&format!("shard-{number}"))
            .io_memory(start.arena_bytes)
            .ring_depth(RING_DEPTH)
            .preempt_timer(PREEMPT_AT_START)
            .spawn(move || in_latency_queue(run_shard(start, part, shared, phases), place))
            .map_err(std::io::Error::from)
            .with_context(|| cannot_start(number))?;
        executors.push(executor);
    }
    trim::start().context("cannot start a thread")?;
    if let Err(number) = pacemaker.run(count) {
        // The other shards wait for it and have served nobody yet: they end with the process.
        let executor = executors.swap_remove(number);
        return match executor.join() {
            Ok(ended) => ended.with_context(|| cannot_start(number)),
            Err(error) => Err(std::io::Error::from(error)).with_context(|| cannot_start(number)),
        };
    }
    for executor in executors {
        executor.join().map_err(std::io::Error::from)??;
    }
    Ok(())
}

fn cannot_start(shard: usize) -> String {
    format!("cannot start the executor of shard {shard}; run `corelane doctor`")
}

/// Runs `shard`, and all that it spawns, in a task queue whose tasks make way for others and
/// for I/O every millisecond. Until the pacemaker knows the executor, the preempt timer is
/// long: see [`pace`].
async fn in_latency_queue(
    shard: impl Future<Output = anyhow::Result<()>> + 'static,
    place: Place,
) -> anyhow::Result<()> {
    let paced = place.join();
    sleep_ms(1).await;
    let executor = glommio::executor();
    let queue = executor.create_task_queue(Shares::default(), Latency::Matters(PREEMPT), "shard");
    let task = glommio::spawn_local_into(shard, queue).map_err(std::io::Error::from)?;
    let result = task.await;
    paced.leave().await;
    result
}

async fn run_shard(
    start: ShardStart,
    part: MeshPart,
    shared: Shared,
    phases: Phases,
) -> anyhow::Result<()> {
    let core = start
        .recovered
        .open(start.wal_config, start.wal, start.adopted)?;
    if core.is_index_full() {
        tracing::warn!(
            shard = core.id().0,
            "the index of the batches that are here has outgrown its share of --memory: they can be read and deleted, and producers are refused until enough has expired or was deleted; raise --memory, or shorten retention"
        );
    }
    let files = Files::new(
        &shared.data_dir,
        shared.mode,
        core.id(),
        shared.slots.clone(),
    );
    let shard = ShardHandle::new(core, Mesh::new(part), files, start.budget);
    shard.gate.advance(shard.look(Shard::last_lsn));
    let mut drivers = start_drivers(&shard);
    adopt(&shard).await;
    step!("adoption.ended");
    // Until every shard has its partitions' state in its own WAL, no segment may go.
    phases.adopted.end().await;
    let retention_check_interval_ms = shared.retention_check_interval_ms;
    drivers.push(tasks::drive(upkeep::drive(
        shard.clone(),
        retention_check_interval_ms,
    )));
    drivers.push(tasks::drive(groups::drive(shard.clone())));
    let served = (shared.on_shard)(shard.clone()).await;
    if served.is_err() {
        // The others must not go on without this one.
        shard.stop_all().await;
    }
    phases.drained.end_within(DRAIN_MS_MAX).await;
    step!("stop.drained");
    close(&shard).await;
    step!("stop.closed");
    let id = shard.id().0;
    let mut left = audit::left_in_use(&shard).await;
    let buffers = shard.buffers.clone();
    left.extend(audit::left_running(shard, drivers).await);
    // What one shard has read, another may have given to its clients.
    phases.ended.end_within(DRAIN_MS_MAX).await;
    if buffers.living() > 0 {
        left.push("buffers of blocks");
    }
    if !left.is_empty() {
        tracing::warn!(
            shard = id,
            ?left,
            "something was left behind; this is a bug"
        );
    }
    served
}

fn start_drivers(shard: &ShardHandle) -> Vec<Driver> {
    let mesh = shard.mesh.clone();
    vec![
        tasks::drive(async move { mesh.deliver_replies().await }),
        tasks::drive(wal::drive(shard.clone())),
        tasks::drive(segments::drive(shard.clone())),
        tasks::drive(segments::drive_releases(shard.clone())),
        tasks::drive(inbox::drive(shard.clone())),
        tasks::drive(inbox::drive_parked(shard.clone())),
    ]
}

/// The parts of the shards' lives.
#[derive(Clone)]
struct Phases {
    /// From the start until every shard knows of its partitions from its own WAL.
    adopted: Phase,
    /// Until no shard has connections any more.
    drained: Phase,
    /// Until no shard has anything any more.
    ended: Phase,
}

impl Phases {
    fn new(shards: usize) -> Phases {
        Phases {
            adopted: Phase::new(shards),
            drained: Phase::new(shards),
            ended: Phase::new(shards),
        }
    }
}

/// A part of the shards' lives that all of them end before any goes on.
#[derive(Clone)]
struct Phase {
    ended: Arc<AtomicUsize>,
    shards: usize,
}

impl Phase {
    fn new(shards: usize) -> Phase {
        Phase {
            ended: Arc::default(),
            shards,
        }
    }

    /// Ends it for this shard, and waits for the others.
    async fn end(&self) {
        self.end_within(u64::MAX).await;
    }

    /// As [`Phase::end`], for at most `ms_max` milliseconds.
    async fn end_within(&self, ms_max: u64) {
        self.ended.fetch_add(1, Ordering::SeqCst);
        super::within(ms_max, || self.ended.load(Ordering::SeqCst) == self.shards).await;
    }
}

/// Makes this shard's WAL tell the state of partitions that came from other WALs. As nothing
/// else would before upkeep begins, it tries again what finds no room on the disk meanwhile.
async fn adopt(shard: &ShardHandle) {
    let retries = tasks::drive({
        let shard = shard.clone();
        async move {
            loop {
                sleep_ms(RETRY_MS).await;
                shard.with(|core, _| core.retry_segments());
            }
        }
    });
    while let Some(lsn) = shard.with(|core, _| core.adopt()) {
        shard.durable(lsn).await;
        step!("adoption.durable");
        // Until the first segment is ready there is nothing to wait for but time.
        sleep_ms(1).await;
    }
    retries.end().await;
}

/// Waits until everything appended is durable and the WAL says where it ends.
async fn close(shard: &ShardHandle) {
    let last: Lsn = shard.look(Shard::last_lsn);
    shard.durable(last).await;
    shard.with(|core, _| core.close_wal());
    if !super::within(DRAIN_MS_MAX, || shard.look(Shard::is_wal_closed)).await {
        tracing::warn!(
            "the WAL's manifest could not be brought up to date; the next start finds out by itself"
        );
    }
}
