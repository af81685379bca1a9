//! The only place that names glommio: carries bytes between the pure core and
//! the world. Owns executors, clocks, sockets, WAL files, the mesh between
//! shards and the drivers that poll the core, perform its I/O and report back.
//! One set per core; never decides anything about data.

pub mod ahead;
pub mod arena;
pub mod audit;
pub mod buffer;
pub mod catalog;
pub mod clock;
pub mod data_dir;
pub mod disk;
pub mod event;
pub mod files;
pub mod gate;
pub mod groups;
pub mod handle;
pub mod inbox;
pub mod launch;
pub mod lookup;
pub mod mesh;
pub mod net;
pub mod pace;
pub mod plan;
pub mod probe;
pub mod process;
pub mod read;
pub mod read_buffer;
pub mod read_pool;
pub mod recover;
pub mod segments;
pub mod serve;
pub mod signals;
pub mod trim;
pub mod units;
pub mod upkeep;
pub mod wal;

use std::future::Future;
use std::time::Duration;

/// Starts a task on this core that goes on by itself.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    glommio::spawn_local(future).detach();
}

/// As [`spawn`], for a task whose end is waited for. `None` if it was cancelled.
pub fn start<T: 'static>(
    future: impl Future<Output = T> + 'static,
) -> impl Future<Output = Option<T>> {
    glommio::spawn_local(future).detach()
}

/// Lets other tasks of this core run if this one has had its share.
pub async fn yield_if_needed() {
    glommio::yield_if_needed().await;
}

/// Lets every other task of this core that is ready run first.
pub async fn yield_now() {
    glommio::executor().yield_now().await;
}

/// Resolves after `ms` milliseconds.
pub async fn sleep_ms(ms: u64) {
    glommio::timer::sleep(Duration::from_millis(ms)).await;
}
