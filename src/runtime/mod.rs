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
pub mod fetch;
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
#[cfg(test)]
mod rig;
pub mod segments;
pub mod serve;
pub mod signals;
pub mod steps;
pub mod tasks;
pub mod trim;
pub mod units;
pub mod upkeep;
pub mod wal;
pub mod watch;

use std::time::Duration;

pub use tasks::{drive, spawn, start};

/// Lets other tasks of this core run if this one has had its share.
pub async fn yield_if_needed() {
    glommio::yield_if_needed().await;
}

/// Lets every other task of this core that is ready run first.
pub async fn yield_now() {
    glommio::executor().yield_now().await;
}

/// Pause between two looks at what is waited for, milliseconds.
const LOOK_MS: u64 = 2;

/// Waits until `is_so`, for at most `ms_max` milliseconds by the clock: on a busy host a pause
/// lasts longer than it should. Whether it came to be so.
pub async fn within(ms_max: u64, is_so: impl Fn() -> bool) -> bool {
    let end_ms = clock::now().mono_ms.saturating_add(ms_max);
    while !is_so() {
        if clock::now().mono_ms >= end_ms {
            return false;
        }
        sleep_ms(LOOK_MS).await;
    }
    true
}

/// Resolves after `ms` milliseconds.
pub async fn sleep_ms(ms: u64) {
    glommio::timer::sleep(Duration::from_millis(ms)).await;
}
