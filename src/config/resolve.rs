//! From what was given to settings: defaults, and checks across keys.

use std::path::{Path, PathBuf};

use super::{AdvertisedAddress, ConfigError, Host, Layer, Settings, Topology, parse};
use crate::base::limits::{
    BATCH_BYTES_DEFAULT, MEMORY_PER_SHARD_MIN, SHARDS_MAX, WAL_DISK_DEFAULT_MAX,
    WAL_DISK_PER_SHARD_MIN,
};

const LISTEN: &str = "127.0.0.1:9092";
const DATA_DIR: &str = "data";
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Fills in defaults, which partly come from the host, and checks what settings
/// mean to each other. `wal_room` tells how many bytes WALs can have in all in a
/// data directory.
///
/// # Errors
/// The settings that do not fit, and what would.
pub fn resolve(
    given: Layer,
    host: &Host,
    wal_room: impl FnOnce(&Path) -> std::io::Result<u64>,
) -> Result<Settings, ConfigError> {
    let default_cores = host.parallelism.clamp(1, usize::from(SHARDS_MAX));
    let cores = given
        .cores
        .unwrap_or(u16::try_from(default_cores).unwrap_or(SHARDS_MAX));
    let topology = given.topology.unwrap_or(Topology::PerCore);
    let listen = match given.listen {
        Some(listen) => listen,
        None => parse::listen(LISTEN).map_err(ConfigError::Unfit)?,
    };
    let advertise = advertised(&given, listen)?;
    check_ports("listen", listen.port(), topology, cores)?;
    check_ports("advertise", advertise.port, topology, cores)?;
    let data_dir = given.data_dir.unwrap_or_else(|| PathBuf::from(DATA_DIR));
    let groups = given.groups.resolve()?;
    let consumer_groups = given.consumer_groups.resolve()?;
    let memory = memory(given.memory, host.memory, cores)?;
    let wal_disk = wal_disk(given.wal_disk, cores, &data_dir, wal_room)?;
    Ok(Settings {
        listen,
        advertise,
        topology,
        cores,
        cpus: pinning(cores, host),
        data_dir,
        memory,
        wal_disk,
        auto_create_topics: given.auto_create_topics.unwrap_or(true),
        default_partitions: given.default_partitions.unwrap_or(1),
        retention_check_interval_ms: given.retention_check_interval_ms.unwrap_or(5 * 60 * 1000),
        log_retention_ms: given.log_retention_ms.unwrap_or(7 * DAY_MS as i64),
        log_retention_bytes: given.log_retention_bytes.unwrap_or(-1),
        message_max_bytes: given
            .message_max_bytes
            .unwrap_or(BATCH_BYTES_DEFAULT as u32),
        producer_id_expiration_ms: given.producer_id_expiration_ms.unwrap_or(DAY_MS),
        groups,
        consumer_groups,
        connections_max_idle_ms: given.connections_max_idle_ms.unwrap_or(10 * 60 * 1000),
        log_level: given.log_level.unwrap_or_else(|| "info".to_owned()),
    })
}

fn advertised(
    given: &Layer,
    listen: std::net::SocketAddr,
) -> Result<AdvertisedAddress, ConfigError> {
    match &given.advertise {
        Some(address) => Ok(AdvertisedAddress {
            host: address.host.clone(),
            port: address.port.unwrap_or(listen.port()),
        }),
        None if listen.ip().is_unspecified() => Err(ConfigError::Unfit(format!(
            "listen = {listen}: clients cannot connect to {}; say with 'advertise' under which \
             name or address they reach this host",
            listen.ip()
        ))),
        None => Ok(AdvertisedAddress {
            host: listen.ip().to_string(),
            port: listen.port(),
        }),
    }
}

fn check_ports(key: &str, first: u16, topology: Topology, cores: u16) -> Result<(), ConfigError> {
    if topology == Topology::Single || first.checked_add(cores - 1).is_some() {
        return Ok(());
    }
    Err(ConfigError::Unfit(format!(
        "{key}: {cores} cores need the ports from {first} on, but 65535 is the last there is"
    )))
}

/// A CPU for each shard. Under a quota smaller than the set of CPUs the scheduler
/// chooses better: pinned, all such containers would meet on the first CPUs.
fn pinning(cores: u16, host: &Host) -> Option<Vec<usize>> {
    if host.parallelism < host.cpus.len() {
        return None;
    }
    host.cpus.get(..usize::from(cores)).map(<[usize]>::to_vec)
}

fn memory(given: Option<u64>, available: u64, cores: u16) -> Result<u64, ConfigError> {
    let least = MEMORY_PER_SHARD_MIN as u64 * u64::from(cores);
    match given {
        None => Ok((available / 4).max(least)),
        Some(memory) if memory >= least => Ok(memory),
        Some(memory) => Err(ConfigError::Unfit(format!(
            "memory = {memory}: {cores} cores need at least {} MiB, {} MiB each",
            least >> 20,
            MEMORY_PER_SHARD_MIN >> 20,
        ))),
    }
}

fn wal_disk(
    given: Option<u64>,
    cores: u16,
    data_dir: &Path,
    wal_room: impl FnOnce(&Path) -> std::io::Result<u64>,
) -> Result<u64, ConfigError> {
    let least = WAL_DISK_PER_SHARD_MIN as u64 * u64::from(cores);
    let (disk, why) = match given {
        Some(disk) => (disk, String::new()),
        None => {
            let room = wal_room(data_dir).map_err(|error| {
                let path = data_dir.display();
                ConfigError::Unfit(format!(
                    "data-dir = {path}: no free space to be had: {error}"
                ))
            })?;
            let disk = (room / 2).min(WAL_DISK_DEFAULT_MAX as u64);
            (
                disk,
                format!(
                    " (half of what the file system of {} has)",
                    data_dir.display()
                ),
            )
        }
    };
    if disk >= least {
        return Ok(disk);
    }
    Err(ConfigError::Unfit(format!(
        "wal-disk = {disk}{why}: {cores} cores need at least {} MiB, {} MiB each",
        least >> 20,
        WAL_DISK_PER_SHARD_MIN >> 20,
    )))
}
