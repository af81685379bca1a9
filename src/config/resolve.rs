//! From what was given to settings: defaults, and checks across keys.

use std::fmt::Display;
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
        None => {
            parse::listen(LISTEN).map_err(|reason| ConfigError::unfit("listen", LISTEN, reason))?
        }
    };
    let advertise = advertised(&given, listen)?;
    let shards = match topology {
        Topology::PerCore => cores,
        Topology::Single => 1,
    };
    check_ports("listen", listen, listen.port(), shards)?;
    check_ports("advertise", &advertise.host, advertise.port, shards)?;
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
        log_message_timestamp_before_max_ms: given
            .log_message_timestamp_before_max_ms
            .unwrap_or(i64::MAX),
        log_message_timestamp_after_max_ms: given
            .log_message_timestamp_after_max_ms
            .unwrap_or(60 * 60 * 1000),
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
        None if listen.ip().is_unspecified() => {
            let reason = format!(
                "clients cannot connect to {}; say with 'advertise' under which name or address \
                 they reach this host",
                listen.ip()
            );
            Err(ConfigError::unfit("listen", listen, reason))
        }
        None => Ok(AdvertisedAddress {
            host: listen.ip().to_string(),
            port: listen.port(),
        }),
    }
}

fn check_ports(
    key: &'static str,
    address: impl Display,
    first: u16,
    ports: u16,
) -> Result<(), ConfigError> {
    if first.checked_add(ports - 1).is_some() {
        return Ok(());
    }
    let reason =
        format!("{ports} cores need the ports from {first} on, but 65535 is the last there is");
    Err(ConfigError::unfit(key, address, reason))
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
        Some(memory) => {
            let reason = too_little(cores, least, MEMORY_PER_SHARD_MIN);
            Err(ConfigError::unfit("memory", memory, reason))
        }
    }
}

fn too_little(cores: u16, least: u64, each: usize) -> String {
    let (least, each) = (least >> 20, each >> 20);
    format!("{cores} cores need at least {least} MiB, {each} MiB each")
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
            let path = data_dir.display();
            let room = wal_room(data_dir).map_err(|error| {
                let reason = format!("no free space to be had: {error}");
                ConfigError::unfit("data-dir", &path, reason)
            })?;
            let disk = (room / 2).min(WAL_DISK_DEFAULT_MAX as u64);
            (
                disk,
                format!(" (half of what the file system of {path} has)"),
            )
        }
    };
    if disk >= least {
        return Ok(disk);
    }
    let reason = too_little(cores, least, WAL_DISK_PER_SHARD_MIN);
    Err(ConfigError::unfit(
        "wal-disk",
        format!("{disk}{why}"),
        reason,
    ))
}
