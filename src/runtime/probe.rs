//! Whether this host can run the broker at all, asked by trying.

use glommio::{LocalExecutorBuilder, Placement};

/// Creates an executor as a shard would, and says why if the kernel refuses.
pub fn io_uring() -> Result<(), String> {
    LocalExecutorBuilder::new(Placement::Unbound)
        .io_memory(1 << 20)
        .make()
        .map(|executor| executor.run(async {}))
        .map_err(|error| error.to_string())
}
