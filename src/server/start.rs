//! From settings to a running broker and to its end.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::Context;

use super::broker::Broker;
use super::fetch_session::FetchSessions;
use super::producer_ids::ProducerIds;
use super::{Services, listener};
use crate::base::ShardId;
use crate::base::limits::FETCH_SESSIONS_MAX;
use crate::config::Settings;
use crate::runtime::audit::Descriptors;
use crate::runtime::data_dir::DataDir;
use crate::runtime::handle::ShardHandle;
use crate::runtime::launch::{self, Shared};
use crate::runtime::{arena, clock, disk, net, plan, process, recover, signals};

/// Runs the broker until it is told to stop.
pub fn run(settings: Settings) -> anyhow::Result<()> {
    signals::block().context("cannot block signals")?;
    process::abort_on_panic();
    process::keep_freed_memory();
    let open_files = process::raise_open_files().context("cannot raise the limit of open files")?;
    process::raise_locked_memory().context("cannot raise the limit of locked memory")?;
    for shard in (0..settings.cores).map(ShardId) {
        let address = settings.listen_of(shard);
        net::check_free(address).with_context(|| {
            format!("cannot listen on {address}; choose another address with --listen, or stop what uses it")
        })?;
    }
    let descriptors = Descriptors::now();
    let data_dir = DataDir::open(&settings.data_dir, settings.cores, process::random())?;
    let mode =
        disk::probe_mode(&data_dir.lock_path()).context("cannot write to the data directory")?;
    if mode == disk::WriteMode::Buffered {
        tracing::warn!(
            "the file system refuses O_DIRECT: the WAL is written with fdatasync, which is several times slower"
        );
    }
    let began = clock::now().mono_ms;
    tracing::info!(data_dir = %settings.data_dir.display(), wals = data_dir.wals(), "reading the data directory");
    let found = recover::all(&data_dir, plan::producers_in_all_max(&settings))?;
    let configs = plan::shard_configs(&settings, data_dir.incarnation());
    let recovered = found
        .assembly
        .finish(settings.broker_defaults(), clock::now(), &configs)?;
    tracing::info!(
        records = found.records,
        ms = clock::now().mono_ms - began,
        "recovered the data directory"
    );
    let arena_bytes = arena_bytes(&settings);
    let starts = plan::shard_starts(&settings, recovered, found.wals, arena_bytes);
    let leader_epoch = i32::try_from(data_dir.incarnation()).unwrap_or(i32::MAX);
    let cluster_id = data_dir.cluster_id().to_owned();
    let mut broker = Broker::new(cluster_id, leader_epoch, settings.clone());
    broker.share_descriptors(open_files);
    let broker = Arc::new(broker);
    tracing::info!(cluster_id = %broker.cluster_id, shards = broker.shards, listen = %settings.listen,
        data_dir = %settings.data_dir.display(), open_files, "starting");
    let retention_check_interval_ms = settings.retention_check_interval_ms;
    let shared = Shared {
        data_dir: settings.data_dir,
        mode,
        slots: Arc::new(found.slots),
        retention_check_interval_ms,
        on_shard: Arc::new(move |shard| Box::pin(listener::serve(services(shard, broker.clone())))),
    };
    launch::run(starts, &shared)?;
    drop(data_dir);
    descriptors.look_for_others();
    tracing::info!("stopped");
    Ok(())
}

/// The arena of each shard, as large as RLIMIT_MEMLOCK lets it be.
fn arena_bytes(settings: &Settings) -> usize {
    let wanted = plan::arena_bytes_wanted(settings);
    let bytes = arena::affordable_bytes(wanted, settings.cores, process::lockable_bytes());
    if bytes < wanted {
        let needed = arena::locked_bytes(wanted) * u64::from(settings.cores);
        tracing::warn!(
            memlock_bytes_needed = needed,
            "the limit of locked memory leaves less than wanted for the WAL's buffers, so writes cost more CPU time; raise it: `ulimit -l`, or LimitMEMLOCK= in a systemd unit"
        );
    }
    bytes
}

fn services(shard: ShardHandle, broker: Arc<Broker>) -> Services {
    let first_session = i32::from_le_bytes(process::random());
    let session_bytes = plan::fetch_session_bytes(&broker.settings);
    let sessions = FetchSessions::new(FETCH_SESSIONS_MAX, session_bytes, first_session);
    let producer_ids = ProducerIds::new(broker.leader_epoch, shard.id());
    Services {
        shard,
        broker,
        complaints: Rc::default(),
        fetch_sessions: Rc::new(RefCell::new(sessions)),
        producer_ids: Rc::new(producer_ids),
    }
}
