//! From the settings to what each shard starts with: its share of the memory, its WAL's
//! share of the disk, its CPU.

use super::arena;
use super::handle::Budget;
use super::launch::ShardStart;
use super::process;
use crate::base::ShardId;
use crate::base::limits::{
    CHECKPOINT_PRODUCER_BYTES, COLD_READS_BYTES_MAX, DECOMPRESSED_BYTES_MAX, GROUP_STATE_BYTES_MAX,
    MIB, OFFSETS_PARTITIONS, PRODUCER_BYTES, PRODUCERS_PER_SHARD_MAX, READ_CHUNKS_BYTES_MAX,
    REQUEST_MEMORY_PARTS, WAL_ALIGN, WAL_SEGMENT_BYTES_MAX, WAL_SEGMENT_BYTES_MIN,
};
use crate::config::Settings;
use crate::group::{Assignors, ConsumerConfig, GroupConfig};
use crate::shard::{RecoveredShard, ShardConfig, deal_wals};
use crate::wal::{Recovered, WalConfig};

/// A WAL's budget is divided into this many segments, within the limits of their size.
const SEGMENTS_PER_WAL: u64 = 64;
/// What of a shard's memory goes to the tail and to what sockets are read into, in eighths.
/// Reads from the WAL, requests that fit no chunk and responses have one each. The last one is for
/// the index, the producers, the connections and the program, and lookups by time, which are few and
/// short, may use it too. What groups may have (see `GROUP_MEMORY_PART`) is kept from nobody.
const TAIL_AND_CHUNKS_EIGHTHS: u64 = 4;

/// The index's part of a shard's memory before it takes from the tail's: half of what is left.
const INDEX_MEMORY_PART: u64 = 16;

/// Fetch sessions and remembered producers have such a part of a shard's memory each.
const SESSION_MEMORY_PART: u64 = 32;

/// The part of a WAL's disk budget that the state of producers may take.
const PRODUCER_DISK_PART: u64 = 8;

/// The part of a shard's memory that groups and their offsets may come to, if all coordinators
/// have as much as they may. Nothing is kept for that: a thousand groups take a few MiB.
const GROUP_MEMORY_PART: u64 = 2;

/// The configuration of each shard's core in the start number `incarnation`.
pub fn shard_configs(settings: &Settings, incarnation: u32) -> Vec<ShardConfig> {
    (0..settings.cores)
        .map(|id| shard_config(settings, id, incarnation))
        .collect()
}

fn shard_config(settings: &Settings, id: u16, incarnation: u32) -> ShardConfig {
    ShardConfig {
        id: ShardId(id),
        shards: settings.cores,
        leader_epoch: i32::try_from(incarnation).unwrap_or(i32::MAX),
        index_bytes: (settings.memory_per_shard() / INDEX_MEMORY_PART) as usize,
        tail_bytes: tail_bytes(settings),
        read_ahead_bytes: read_ahead_bytes(settings) as usize,
        producer_expiration_ms: settings.producer_id_expiration_ms,
        producers_max: producers_max(settings),
        groups: group_config(settings),
    }
}

/// How many producers a shard remembers: what their part of the memory has room for, and their
/// state its part of the WAL's disk. All of it must be written again before segments can go.
fn producers_max(settings: &Settings) -> usize {
    let in_memory = settings.memory_per_shard() / SESSION_MEMORY_PART / PRODUCER_BYTES as u64;
    let on_disk =
        settings.wal_disk_per_shard() / PRODUCER_DISK_PART / CHECKPOINT_PRODUCER_BYTES as u64;
    (in_memory.min(on_disk) as usize).min(PRODUCERS_PER_SHARD_MAX)
}

/// The same for all shards together, which is what a start may remember before it deals them out.
pub fn producers_in_all_max(settings: &Settings) -> usize {
    producers_max(settings) * usize::from(settings.cores)
}

fn group_config(settings: &Settings) -> GroupConfig {
    let groups = &settings.groups;
    let unsigned = |number: i32| u64::try_from(number).unwrap_or(0);
    GroupConfig {
        offsets_retention_ms: i64::from(groups.offsets_retention_minutes) * 60 * 1000,
        offset_metadata_bytes_max: unsigned(groups.offset_metadata_max_bytes) as usize,
        initial_rebalance_delay_ms: unsigned(groups.initial_rebalance_delay_ms),
        members_max: unsigned(groups.max_size) as usize,
        session_timeout_ms_min: groups.min_session_timeout_ms,
        session_timeout_ms_max: groups.max_session_timeout_ms,
        state_bytes_max: group_state_bytes(settings),
        consumer: consumer_config(settings),
    }
}

fn consumer_config(settings: &Settings) -> ConsumerConfig {
    let groups = &settings.consumer_groups;
    let names = groups.assignors.iter();
    ConsumerConfig {
        session_timeout_ms: u64::try_from(groups.session_timeout_ms).unwrap_or(0),
        heartbeat_interval_ms: groups.heartbeat_interval_ms,
        members_max: usize::try_from(groups.max_size).unwrap_or(0),
        assignors: Assignors::of(names.filter_map(|name| name.parse().ok())),
    }
}

/// One coordinator's part of what the coordinators of its shard may have together.
fn group_state_bytes(settings: &Settings) -> usize {
    let coordinators = OFFSETS_PARTITIONS as u64 / u64::from(settings.cores) + 1;
    let part = settings.memory_per_shard() / GROUP_MEMORY_PART / coordinators;
    (part as usize).min(GROUP_STATE_BYTES_MAX)
}

fn tail_bytes(settings: &Settings) -> usize {
    let both = settings.memory_per_shard() * TAIL_AND_CHUNKS_EIGHTHS / 8;
    (both - chunk_bytes(settings)) as usize
}

/// What the fetch sessions of a shard may take together, bytes.
pub fn fetch_session_bytes(settings: &Settings) -> usize {
    (settings.memory_per_shard() / SESSION_MEMORY_PART) as usize
}

/// Bytes of registered memory that each shard should have for its WAL blocks.
pub fn arena_bytes_wanted(settings: &Settings) -> usize {
    arena::wanted_bytes(tail_bytes(settings))
}

/// What each shard starts from: its recovered state, its WAL, and the WALs of shards that
/// are no more, each of which one shard empties.
pub fn shard_starts(
    settings: &Settings,
    recovered: Vec<RecoveredShard>,
    wals: Vec<Recovered>,
    arena_bytes: usize,
) -> Vec<ShardStart> {
    let wals = deal_wals(wals, settings.cores);
    let seed = u64::from_le_bytes(process::random());
    let shards = recovered.into_iter().zip(wals).zip(0..settings.cores);
    shards
        .map(|((recovered, wals), id)| ShardStart {
            recovered,
            wal_config: wal_config(settings, id, seed),
            wal: wals.own,
            adopted: wals.adopted,
            cpu: settings
                .cpus
                .as_ref()
                .and_then(|cpus| cpus.get(usize::from(id)).copied()),
            arena_bytes,
            budget: budget(settings),
        })
        .collect()
}

/// More would only be in use while the disk is far behind.
fn chunk_bytes(settings: &Settings) -> u64 {
    (settings.memory_per_shard() / 8).min(READ_CHUNKS_BYTES_MAX)
}

fn budget(settings: &Settings) -> Budget {
    let share = settings.memory_per_shard();
    let request_bytes = share / REQUEST_MEMORY_PARTS as u64;
    Budget {
        cold_bytes: COLD_READS_BYTES_MAX as u64,
        lookup_bytes: (share / 8).min(DECOMPRESSED_BYTES_MAX as u64),
        chunk_bytes: chunk_bytes(settings),
        request_bytes,
        large_request_bytes: request_bytes,
        parked_bytes: share / 32,
        response_bytes: share / 8,
    }
}

/// What is read ahead has all of the memory for cold reads but that for disk reads under way:
/// reads that a consumer waits for never wait for it.
fn read_ahead_bytes(settings: &Settings) -> u64 {
    settings.memory_per_shard() / 8 - COLD_READS_BYTES_MAX as u64
}

fn wal_config(settings: &Settings, wal: u16, seed: u64) -> WalConfig {
    let disk_bytes_max = settings.wal_disk_per_shard();
    let (min, max) = (WAL_SEGMENT_BYTES_MIN as u64, WAL_SEGMENT_BYTES_MAX as u64);
    let segment_bytes = (disk_bytes_max / SEGMENTS_PER_WAL).clamp(min, max);
    let unit = if segment_bytes >= 16 * MIB as u64 {
        MIB
    } else {
        WAL_ALIGN
    } as u64;
    let run_seed = seed ^ (u64::from(wal) << 48);
    WalConfig {
        wal,
        segment_bytes: (segment_bytes / unit * unit) as u32,
        disk_bytes_max,
        run_seed,
    }
}
