//! CPU time and context switches of a process, from /proc.

use std::fs;
use std::ops::Sub;

use anyhow::{Context, Result};

/// Linux counts CPU time for user space in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// Totals since the process began, all threads together.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Usage {
    /// Seconds of CPU time, user and system.
    pub cpu_seconds: f64,
    /// Switches because a thread waited.
    pub voluntary_switches: u64,
    /// Switches because another thread took the CPU.
    pub involuntary_switches: u64,
}

impl Usage {
    /// Reads the totals of `pid`.
    pub fn of(pid: u32) -> Result<Usage> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
            .with_context(|| format!("process {pid}"))?;
        let mut usage = Usage {
            cpu_seconds: cpu_seconds(&stat)?,
            ..Usage::default()
        };
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            // A thread may end between listing and reading.
            if let Ok(status) = fs::read_to_string(thread?.path().join("status")) {
                usage.voluntary_switches += switches(&status, "voluntary_ctxt_switches:");
                usage.involuntary_switches += switches(&status, "nonvoluntary_ctxt_switches:");
            }
        }
        Ok(usage)
    }
}

impl Sub for Usage {
    type Output = Usage;

    fn sub(self, earlier: Usage) -> Usage {
        Usage {
            cpu_seconds: self.cpu_seconds - earlier.cpu_seconds,
            voluntary_switches: self
                .voluntary_switches
                .saturating_sub(earlier.voluntary_switches),
            involuntary_switches: self
                .involuntary_switches
                .saturating_sub(earlier.involuntary_switches),
        }
    }
}

/// utime and stime: fields 14 and 15, counted after the name in parentheses,
/// which may itself hold spaces and parentheses.
fn cpu_seconds(stat: &str) -> Result<f64> {
    let (_, fields) = stat
        .rsplit_once(')')
        .context("/proc/PID/stat has no name")?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let mut ticks = || -> Result<f64> {
        Ok(fields
            .next()
            .context("/proc/PID/stat is short")?
            .parse::<u64>()? as f64)
    };
    Ok((ticks()? + ticks()?) / TICKS_PER_SECOND)
}

fn switches(status: &str, name: &str) -> u64 {
    let value = status.lines().find_map(|line| line.strip_prefix(name));
    value
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_may_hold_anything() {
        let stat = "7 (a) b ( c) S 1 7 7 0 -1 4194560 100 0 0 0 250 150 0 0 20 0 1 0 99";
        assert_eq!(cpu_seconds(stat).unwrap(), 4.0);
        assert!(cpu_seconds("7 (a) S 1").is_err());
        assert!(cpu_seconds("").is_err());
    }

    #[test]
    fn switches_are_told_apart_by_their_whole_name() {
        let status = "Threads:\t1\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n";
        assert_eq!(switches(status, "voluntary_ctxt_switches:"), 12);
        assert_eq!(switches(status, "nonvoluntary_ctxt_switches:"), 3);
    }

    #[test]
    fn this_process_uses_time() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.voluntary_switches + usage.involuntary_switches > 0);
        assert!(Usage::of(u32::MAX).is_err());
    }
}
