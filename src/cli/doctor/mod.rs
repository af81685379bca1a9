//! `corelane doctor`: what of this host keeps the broker from starting or from
//! running well, and what to change. One function per check, one line each.

mod disk;
mod kernel;
mod procfs;

use std::fmt;

use anyhow::bail;

use crate::config::{Host, Settings};

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Severity {
    /// The broker does not start.
    Fatal,
    /// It runs, but slower, with less, or less safely.
    Warning,
}

/// One check and what it found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Check {
    name: &'static str,
    /// What is so where all is well, else the finding.
    result: Result<String, Finding>,
}

/// Something to change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Finding {
    severity: Severity,
    what: String,
    advice: String,
}

/// A finding that keeps nothing from starting. What can find nothing worse has this as its type,
/// so that `serve` may do without it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Warning {
    what: String,
    advice: String,
}

impl From<Warning> for Finding {
    fn from(Warning { what, advice }: Warning) -> Finding {
        Finding {
            severity: Severity::Warning,
            what,
            advice,
        }
    }
}

fn fatal(what: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding {
        severity: Severity::Fatal,
        what: what.into(),
        advice: advice.into(),
    }
}

fn warning(what: impl Into<String>, advice: impl Into<String>) -> Warning {
    Warning {
        what: what.into(),
        advice: advice.into(),
    }
}

/// All checks of one examination.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Report {
    checks: Vec<Check>,
}

/// How a check is done.
enum CheckFn {
    /// What it finds may be fatal: `serve` does it as well.
    MayStop(fn(&Settings) -> Result<String, Finding>),
    /// It warns at most.
    Warns(fn(&Settings, &Host) -> Result<String, Warning>),
}
use CheckFn::{MayStop, Warns};

/// Every check.
const CHECKS: &[(&str, CheckFn)] = &[
    ("kernel", MayStop(|_| kernel::version())),
    ("io_uring", MayStop(|_| kernel::io_uring())),
    ("memlock", Warns(|settings, _| kernel::memlock(settings))),
    ("open files", MayStop(|_| kernel::open_files())),
    ("cpus", Warns(kernel::cpus)),
    ("memory", Warns(kernel::memory)),
    (
        "data dir",
        MayStop(|settings| disk::writable(&settings.data_dir)),
    ),
    (
        "file system",
        Warns(|settings, _| disk::file_system(&settings.data_dir)),
    ),
    (
        "direct I/O",
        Warns(|settings, _| disk::direct_io(&settings.data_dir)),
    ),
    (
        "write cache",
        Warns(|settings, _| disk::write_cache(&settings.data_dir)),
    ),
    (
        "free space",
        Warns(|settings, _| disk::free_space(settings)),
    ),
];

/// Runs every check.
pub(super) fn examine(settings: &Settings) -> Report {
    let host = Host::read();
    let run = |(name, check): &(&'static str, CheckFn)| Check {
        name,
        result: match check {
            MayStop(check) => check(settings),
            Warns(check) => check(settings, &host).map_err(Finding::from),
        },
    };
    Report {
        checks: CHECKS.iter().map(run).collect(),
    }
}

/// Runs the checks that can be fatal, as `serve` does before it starts.
///
/// # Errors
/// The first fatal finding, with what to change.
pub(super) fn check_fatal(settings: &Settings) -> anyhow::Result<()> {
    for (name, check) in CHECKS {
        let MayStop(check) = check else { continue };
        if let Err(Finding {
            severity: Severity::Fatal,
            what,
            advice,
        }) = check(settings)
        {
            bail!("{name}: {what}; {advice}");
        }
    }
    Ok(())
}

impl Report {
    /// Whether the broker could not start.
    pub(super) fn is_fatal(&self) -> bool {
        self.count(Severity::Fatal) > 0
    }

    fn count(&self, severity: Severity) -> usize {
        let is_such = |check: &&Check| {
            check
                .result
                .as_ref()
                .is_err_and(|finding| finding.severity == severity)
        };
        self.checks.iter().filter(is_such).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Check { name, result } in &self.checks {
            match result {
                Ok(detail) => writeln!(f, "ok       {name:<12} {detail}")?,
                Err(Finding {
                    severity,
                    what,
                    advice,
                }) => {
                    let word = match severity {
                        Severity::Fatal => "FATAL",
                        Severity::Warning => "warning",
                    };
                    writeln!(f, "{word:<8} {name:<12} {what}; {advice}")?;
                }
            }
        }
        match (self.count(Severity::Fatal), self.count(Severity::Warning)) {
            (0, 0) => writeln!(f, "corelane can run here."),
            (0, warnings) => writeln!(f, "corelane can run here, with {warnings} warning(s)."),
            (fatal, _) => writeln!(f, "corelane cannot run here: {fatal} fatal finding(s)."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_a_line_per_check_and_a_verdict() {
        let check = |result| Check {
            name: "disk",
            result,
        };
        let table = [
            (
                vec![check(Ok("large".to_owned()))],
                "ok       disk         large\n",
                "can run here.\n",
            ),
            (
                vec![check(Err(warning("small", "buy one").into()))],
                "warning  disk         small; buy one\n",
                "can run here, with 1 warning(s).\n",
            ),
            (
                vec![
                    check(Err(fatal("none", "buy one"))),
                    check(Err(warning("x", "y").into())),
                ],
                "FATAL    disk         none; buy one\n",
                "cannot run here: 1 fatal finding(s).\n",
            ),
        ];
        for (checks, first, verdict) in table {
            let report = Report { checks };
            let text = report.to_string();
            assert!(text.starts_with(first) && text.ends_with(verdict), "{text}");
            assert_eq!(report.is_fatal(), first.starts_with("FATAL"));
        }
    }
}
