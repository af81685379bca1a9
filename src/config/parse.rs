//! The syntax of values: sizes, durations, addresses, words.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Kafka's port.
const PORT: u16 = 9092;

/// What clients are told: a host, and a port unless it is the listening one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advertise {
    /// Host name or IP address, without brackets.
    pub host: String,
    /// The port of shard 0, if given.
    pub port: Option<u16>,
}

/// Bytes: a whole number, alone or with `KiB`, `MiB`, `GiB` or `TiB`.
///
/// # Errors
/// What is expected.
pub fn size(text: &str) -> Result<u64, String> {
    let expected = || "expected bytes, like 1073741824, 512MiB or 4GiB".to_owned();
    let (number, unit) = split_unit(text).ok_or_else(expected)?;
    let shift = match unit {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return Err(expected()),
    };
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| "it is too large".to_owned())
}

/// A duration in milliseconds: a whole number with `ms`, `s`, `m`, `h` or `d`.
///
/// # Errors
/// What is expected.
pub fn duration_ms(text: &str) -> Result<u64, String> {
    let expected = || "expected a duration, like 500ms, 30s, 5m, 1h or 7d".to_owned();
    let (number, unit) = split_unit(text).ok_or_else(expected)?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => 24 * 60 * 60 * 1000,
        _ => return Err(expected()),
    };
    number
        .checked_mul(unit_ms)
        .ok_or_else(|| "it is too long".to_owned())
}

/// A number and the unit behind it, with or without a space between.
fn split_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit.trim_start()))
}

/// `true` or `false`.
///
/// # Errors
/// What is expected.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

/// A whole number from `least` to `most`.
///
/// # Errors
/// What is expected.
pub fn number(text: &str, least: i64, most: i64) -> Result<i64, String> {
    match text.trim().parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ if most == i64::MAX => Err(format!("expected a whole number from {least}")),
        _ => Err(format!("expected a whole number from {least} to {most}")),
    }
}

/// An address to listen on: `IP` or `IP:PORT`, IPv6 in brackets, or `localhost`.
///
/// # Errors
/// What is expected.
pub fn listen(text: &str) -> Result<SocketAddr, String> {
    let expected =
        || "expected IP:PORT, like 127.0.0.1:9092, 0.0.0.0:9092 or [::1]:9092".to_owned();
    let Advertise { host, port } = host_and_port(text).ok_or_else(expected)?;
    let ip = match host.as_str() {
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        host => host.parse().map_err(|_| expected())?,
    };
    Ok(SocketAddr::new(ip, port.unwrap_or(PORT)))
}

/// An address for clients: `HOST` or `HOST:PORT`, IPv6 in brackets.
///
/// # Errors
/// What is expected, or that no client can connect there.
pub fn advertise(text: &str) -> Result<Advertise, String> {
    let address = host_and_port(text)
        .ok_or("expected HOST or HOST:PORT, like broker.example.com or 10.0.0.7:9092")?;
    match address.host.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() => Err(format!(
            "no client can connect to {ip}; name an address of this host"
        )),
        _ => Ok(address),
    }
}

fn host_and_port(text: &str) -> Option<Advertise> {
    let text = text.trim();
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        (
            host,
            if rest.is_empty() {
                None
            } else {
                Some(rest.strip_prefix(':')?)
            },
        )
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let is_bracketed = text.starts_with('[');
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if host.is_empty() || host.len() > 255 || !(is_bracketed || host.chars().all(is_name)) {
        return None;
    }
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|port| *port > 0)?),
        None => None,
    };
    Some(Advertise {
        host: host.to_owned(),
        port,
    })
}

/// What to log: a level (`error`, `warn`, `info`, `debug`, `trace`, `off`), and
/// after commas levels of single targets, like `info,glommio=warn`.
///
/// # Errors
/// What is expected.
pub fn log_level(text: &str) -> Result<String, String> {
    let is_level =
        |word: &str| matches!(word, "error" | "warn" | "info" | "debug" | "trace" | "off");
    let is_target = |word: &str| {
        !word.is_empty()
            && word
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-'))
    };
    let is_directive = |word: &str| match word.split_once('=') {
        Some((target, level)) => is_target(target) && is_level(level),
        None => is_level(word),
    };
    let text = text.trim();
    if text.split(',').all(is_directive) {
        return Ok(text.to_owned());
    }
    Err(
        "expected error, warn, info, debug, trace or off, or a list like \
         info,glommio=warn"
            .to_owned(),
    )
}
