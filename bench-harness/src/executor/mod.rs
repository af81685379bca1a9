//! Starts a glommio executor on the calling thread, with the settings that the
//! sink and the load generators share.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result};
use glommio::{LocalExecutorBuilder, Placement};

mod pacemaker;

/// Registered memory when nothing needs more; glommio's default of 10 MiB per
/// ring set counts against RLIMIT_MEMLOCK, which is often 8 MiB.
pub const IO_MEMORY_BYTES: usize = 64 << 10;

/// How an executor runs.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// CPU to pin to.
    pub cpu: Option<usize>,
    /// How long to look for work before sleeping; only a pinned executor spins.
    pub spin: Duration,
    /// Bytes registered with io_uring.
    pub io_memory: usize,
    /// After how long an executor with ready tasks looks for completions.
    pub preempt: Duration,
}

impl Settings {
    /// No spinning, little registered memory.
    pub fn plain(cpu: Option<usize>) -> Settings {
        Settings {
            cpu,
            spin: Duration::ZERO,
            io_memory: IO_MEMORY_BYTES,
            preempt: Duration::from_millis(10),
        }
    }
}

/// Runs `future` to its end on the calling thread, which stays pinned afterwards.
pub fn run<T>(settings: Settings, future: impl Future<Output = T>) -> Result<T> {
    let placement = settings.cpu.map_or(Placement::Unbound, Placement::Fixed);
    let executor = LocalExecutorBuilder::new(placement)
        .spin_before_park(settings.spin)
        .io_memory(settings.io_memory)
        .preempt_timer(settings.preempt)
        .make()
        .map_err(std::io::Error::from)
        .context("starting a glommio executor")?;
    Ok(executor.run(async {
        let _pacemaker = pacemaker::start();
        future.await
    }))
}
