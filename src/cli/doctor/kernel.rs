//! Checks of the kernel, its limits, CPUs and memory.

use std::fs;

use super::procfs::{Limit, kernel_version, limit};
use super::{Finding, Warning, fatal, warning};
use crate::base::limits::{OPEN_FILES_MIN, OPEN_FILES_WANTED};
use crate::config::{Host, Settings};
use crate::runtime::{arena, plan, probe, process};

/// The oldest kernel whose io_uring does all that the executors ask of it.
const KERNEL_MIN: (u32, u32) = (5, 8);

pub(super) fn version() -> Result<String, Finding> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    judge_version(release.trim())
}

fn judge_version(release: &str) -> Result<String, Finding> {
    let (major, minor) = KERNEL_MIN;
    match kernel_version(release) {
        Some(version) if version >= KERNEL_MIN => Ok(release.to_owned()),
        Some(_) => Err(fatal(
            format!("Linux {release} is too old"),
            format!("run Linux {major}.{minor} or newer"),
        )),
        None => Err(warning(
            format!("its version cannot be told from '{release}'"),
            format!("make sure that it is Linux {major}.{minor} or newer"),
        )
        .into()),
    }
}

pub(super) fn io_uring() -> Result<String, Finding> {
    let sysctl = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok();
    judge_io_uring(sysctl.as_deref().map(str::trim), probe::io_uring())
}

fn judge_io_uring(sysctl: Option<&str>, probed: Result<(), String>) -> Result<String, Finding> {
    let Err(error) = probed else {
        return Ok("a ring could be created".to_owned());
    };
    let advice = match sysctl {
        Some("2") => "set sysctl kernel.io_uring_disabled to 0: it is 2, off for everybody",
        Some("1") => {
            "set sysctl kernel.io_uring_disabled to 0, or put this user's group into \
             kernel.io_uring_group: it is 1, off for ordinary users"
        }
        _ => {
            "in a container allow the io_uring system calls (a seccomp profile that has them, or \
             --security-opt seccomp=unconfined), and raise the memlock limit"
        }
    };
    Err(fatal(format!("no ring could be created: {error}"), advice))
}

pub(super) fn memlock(settings: &Settings) -> Result<String, Warning> {
    let per_shard = arena::locked_bytes(plan::arena_bytes_wanted(settings));
    judge_memlock(process::lockable_bytes(), settings.cores, per_shard)
}

fn judge_memlock(lockable: u64, cores: u16, per_shard: u64) -> Result<String, Warning> {
    let wanted = per_shard * u64::from(cores);
    match lockable {
        u64::MAX => Ok("unlimited".to_owned()),
        bytes if bytes >= wanted => Ok(format!("{} may be locked", kib(bytes))),
        bytes => Err(warning(
            format!(
                "{} may be locked, {cores} shards would lock {} for the WAL's buffers; with less, \
                 writes cost more CPU time",
                kib(bytes),
                kib(wanted)
            ),
            "raise it: 'ulimit -l unlimited', LimitMEMLOCK=infinity in a systemd unit, or \
             --ulimit memlock=-1 of docker",
        )),
    }
}

fn kib(bytes: u64) -> String {
    format!("{} KiB", bytes / 1024)
}

pub(super) fn open_files() -> Result<String, Finding> {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    judge_open_files(limit(&limits, "Max open files"))
}

fn judge_open_files(limit: Option<Limit>) -> Result<String, Finding> {
    let Some(Limit { soft, hard }) = limit else {
        return Ok("the limit is not known".to_owned());
    };
    let target = hard.min(1 << 20);
    let advice = format!(
        "raise it: 'ulimit -n {target}', LimitNOFILE= in a systemd unit, or --ulimit nofile= of \
         docker"
    );
    match soft {
        u64::MAX => Ok("unlimited".to_owned()),
        soft if soft < OPEN_FILES_MIN => Err(fatal(
            format!("only {soft} may be open, {OPEN_FILES_MIN} are needed"),
            advice,
        )),
        soft if soft < OPEN_FILES_WANTED => Err(warning(
            format!("only {soft} may be open, and each connection is one"),
            advice,
        )
        .into()),
        soft => Ok(format!("{soft} may be open")),
    }
}

pub(super) fn cpus(settings: &Settings, host: &Host) -> Result<String, Warning> {
    let (shards, cpus, usable) = (settings.cores, host.cpus.len(), host.parallelism);
    if let Some(pinned) = &settings.cpus {
        return Ok(format!("{shards} shard(s), pinned to CPU {pinned:?}"));
    }
    if usize::from(shards) > usable {
        return Err(warning(
            format!("{shards} shards on {usable} CPU(s) run unpinned and in turns"),
            format!("set --cores to at most {usable}"),
        ));
    }
    Err(warning(
        format!("{shards} shard(s) run unpinned: a quota of {usable} CPU(s) on a set of {cpus}"),
        "give the broker CPUs of its own (cpuset, docker --cpuset-cpus) rather than a quota",
    ))
}

pub(super) fn memory(settings: &Settings, host: &Host) -> Result<String, Warning> {
    let (budget, available) = (settings.memory >> 20, host.memory >> 20);
    // Sockets, code and the kernel's own caches need room beside the budget.
    if budget > available / 4 * 3 {
        return Err(warning(
            format!("a budget of {budget} MiB leaves little of {available} MiB"),
            format!("set --memory to at most {}MiB", available / 4 * 3),
        ));
    }
    Ok(format!("a budget of {budget} MiB of {available} MiB"))
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;

    /// What a judgement amounts to, for tables.
    fn verdict<F: Clone + Into<Finding>>(result: &Result<String, F>) -> Option<Severity> {
        let finding = result.as_ref().err().cloned().map(F::into);
        finding.map(|finding| finding.severity)
    }

    #[test]
    fn versions_are_judged() {
        let table = [
            ("5.7.19", Some(Severity::Fatal)),
            ("4.18.0-553.el8", Some(Severity::Fatal)),
            ("5.8.0", None),
            ("6.18.0-rc1", None),
            ("", Some(Severity::Warning)),
        ];
        for (release, expected) in table {
            assert_eq!(verdict(&judge_version(release)), expected, "{release}");
        }
    }

    #[test]
    fn io_uring_is_judged_by_trying_and_advised_by_sysctl() {
        assert!(
            judge_io_uring(Some("2"), Ok(())).is_ok(),
            "what works, works"
        );
        let table = [
            (Some("2"), "off for everybody"),
            (Some("1"), "io_uring_group"),
            (Some("0"), "seccomp"),
            (None, "seccomp"),
        ];
        for (sysctl, advice) in table {
            let finding = judge_io_uring(sysctl, Err("EPERM".to_owned())).unwrap_err();
            assert_eq!(finding.severity, Severity::Fatal);
            assert!(finding.advice.contains(advice) && finding.what.contains("EPERM"));
        }
    }

    #[test]
    fn limits_are_judged() {
        let limit = |soft| {
            Some(Limit {
                soft,
                hard: 1 << 16,
            })
        };
        let locked = [
            (u64::MAX, None),
            (64 << 10, Some(Severity::Warning)),
            (799 << 20, Some(Severity::Warning)),
            (800 << 20, None),
        ];
        for (lockable, expected) in locked {
            let result = judge_memlock(lockable, 4, 200 << 20);
            assert_eq!(verdict(&result), expected, "{result:?}");
        }
        let files = [
            (limit(100), Some(Severity::Fatal)),
            (limit(1024), Some(Severity::Warning)),
            (limit(65_536), None),
            (limit(u64::MAX), None),
            (None, None),
        ];
        for (limit, expected) in files {
            let result = judge_open_files(limit);
            assert_eq!(verdict(&result), expected, "{result:?}");
        }
        let finding = judge_open_files(limit(1024)).unwrap_err();
        assert!(
            finding.advice.contains("ulimit -n 65536"),
            "{}",
            finding.advice
        );
    }
}
