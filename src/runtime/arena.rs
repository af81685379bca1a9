//! How large the executors' arenas are. An arena is registered with the kernel, so that a
//! write from it need not look up and pin its pages; registered memory counts against
//! RLIMIT_MEMLOCK.

use crate::base::limits::{
    ARENA_BYTES_MAX, ARENA_BYTES_MIN, ARENA_REGISTRATIONS, LOCKED_BYTES_PER_SHARD,
};

/// The arena of an executor that needs none: as little as glommio takes without asking for more.
pub const NO_ARENA_BYTES: usize = 128 << 10;

/// Bytes of the arena that a shard should have whose tail may take `tail_bytes`: its blocks
/// are the tail's.
pub fn wanted_bytes(tail_bytes: usize) -> usize {
    match tail_bytes.min(ARENA_BYTES_MAX) {
        bytes if bytes < ARENA_BYTES_MIN => NO_ARENA_BYTES,
        bytes => 1 << bytes.ilog2(),
    }
}

/// As much of `wanted` as each of `shards` may have when the process may lock `lockable` bytes.
pub fn affordable_bytes(wanted: usize, shards: u16, lockable: u64) -> usize {
    let share = (lockable / u64::from(shards.max(1))).saturating_sub(LOCKED_BYTES_PER_SHARD as u64);
    let mut bytes = wanted;
    while bytes >= ARENA_BYTES_MIN {
        if (bytes * ARENA_REGISTRATIONS) as u64 <= share {
            return bytes;
        }
        bytes /= 2;
    }
    NO_ARENA_BYTES
}

/// Bytes that each shard locks with an arena of `wanted` bytes.
pub fn locked_bytes(wanted: usize) -> u64 {
    (LOCKED_BYTES_PER_SHARD + wanted * ARENA_REGISTRATIONS) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn an_arena_is_a_power_of_two_within_the_tail() {
        for (tail, arena) in [
            (3 * MIB, NO_ARENA_BYTES),
            (16 * MIB, 16 * MIB),
            (31 * MIB, 16 * MIB),
            (3 << 30, ARENA_BYTES_MAX),
        ] {
            assert_eq!(wanted_bytes(tail), arena);
        }
    }

    #[test]
    fn what_may_not_be_locked_is_not_asked_for() {
        for (shards, lockable, arena) in [
            (4, u64::MAX, 64 * MIB),
            (1, 193 << 20, 64 * MIB),
            (1, 192 << 20, 32 * MIB),
            (16, 16 * (13 << 20), 4 * MIB),
            (2, 8 << 20, NO_ARENA_BYTES),
            (0, 0, NO_ARENA_BYTES),
        ] {
            assert_eq!(affordable_bytes(64 * MIB, shards, lockable), arena);
        }
        assert_eq!(
            affordable_bytes(NO_ARENA_BYTES, 1, u64::MAX),
            NO_ARENA_BYTES
        );
        assert_eq!(locked_bytes(64 * MIB), 193 << 20);
    }
}
