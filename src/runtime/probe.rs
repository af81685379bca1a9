//! Whether this host can run the broker at all, asked by trying.

use glommio::{LocalExecutorBuilder, Placement};

use super::arena::NO_ARENA_BYTES;
use super::launch::RING_DEPTH;
use super::process;

/// Creates an executor as a shard would, and says why if the kernel refuses.
pub fn io_uring() -> Result<(), String> {
    process::raise_locked_memory().map_err(|e| e.to_string())?;
    LocalExecutorBuilder::new(Placement::Unbound)
        .io_memory(NO_ARENA_BYTES)
        .ring_depth(RING_DEPTH)
        .make()
        .map(|executor| executor.run(async {}))
        .map_err(|e| e.to_string())
}
