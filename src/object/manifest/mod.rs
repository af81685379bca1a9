//! Which object holds which offsets: a log of the shard. `decide_*` turns what has
//! happened into a record, [`Manifest::replay`] is the only function that changes a
//! manifest, while running and in recovery alike.
//!
//! The writer replays what it decided before it decides again. What a record allows
//! (reclaiming a WAL segment, removing an object) waits until it is durable, and
//! that wait is the shard's affair.

mod codec;
mod decide;
mod extent;
mod orphans;
mod partition;
mod rebuild;
mod record;
mod recovery;
mod snapshot;
mod state;

pub use decide::Refusal;
pub use extent::{Block, Extent};
pub use orphans::{Fenced, find_orphans, is_covered};
pub use partition::PartitionMap;
pub use rebuild::{Gap, Rebuild, Rebuilt};
pub use record::{ChunkExtent, DecodeError, ManifestRecord, ObjectInfo};
pub use recovery::{Dealt, Recovery, keeper};
pub use snapshot::{Snapshot, SnapshotError};
pub use state::{Contradiction, Manifest, Object};
