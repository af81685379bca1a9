//! The deterministic simulation: several shards, clients, a disk and a clock on one thread,
//! with every choice drawn from one seed, and the very code of `wal`, `partition`, `catalog`
//! and `shard` that runs in production. See `tests/README.md` for how to run it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the tests measure time")]

#[path = "../common/random.rs"]
#[allow(dead_code, reason = "each test binary uses its own part of it")]
mod random;

mod clients;
mod dice;
mod disk;
mod drivers;
mod executor;
mod lookup;
mod marks;
mod model;
mod node;
mod plan;
mod process;
mod report;
mod run;
mod shrink;
mod sync;
mod world;

use std::time::{Duration, Instant};

use plan::Plan;
use report::Report;

/// Seeds that found something once; a change of the simulation itself gives them other lives.
const FIXED: &[u64] = &[
    2, 4, 43, 62, 75, 81, 95, 103, 120, 123, 148, 187, 391, 1041, 1277, 1_001_038, 1_001_162,
    1_001_411, 1_004_252, 1_004_857,
];

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..20 {
        let (one, two) = (run::run(&Plan::of(seed)), run::run(&Plan::of(seed)));
        assert_eq!(one.failure, two.failure, "seed {seed}");
        assert_eq!(one.report.steps, two.report.steps, "steps of seed {seed}");
        assert_eq!(one.trace, two.trace, "trace of seed {seed}");
    }
}

#[test]
fn fixed_seeds_hold() {
    let mut report = Report::default();
    for seed in FIXED {
        report.add(&hold(*seed));
    }
    println!("{report}");
}

/// Some seconds of seeds that nobody has seen; as many seconds as `CORELANE_SIM_SECONDS` says.
#[test]
fn fresh_seeds_hold() {
    let seconds = number("CORELANE_SIM_SECONDS").unwrap_or(20);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut seed = number("CORELANE_SIM_FIRST_SEED").unwrap_or_else(random::fresh);
    let mut report = Report::default();
    while Instant::now() < end {
        report.add(&hold(seed));
        seed = seed.wrapping_add(1);
    }
    println!("{report}{}", marks::report());
}

/// `CORELANE_SIM_SEED=123 cargo test --test sim -- replay --nocapture`
#[test]
fn replay() {
    let Some(seed) = number("CORELANE_SIM_SEED") else {
        return;
    };
    let outcome = run::run(&shrink::from_environment(seed));
    println!("{}trace {:016x}", outcome.report, outcome.trace);
    if let Some(failure) = outcome.failure {
        panic!("seed {seed}: {failure}");
    }
}

/// Many seeds, whatever they find: each failure with its seed, for whoever hunts bugs.
/// `CORELANE_SIM_SURVEY=1000 cargo test --test sim -- survey --nocapture`
#[test]
fn survey() {
    let Some(count) = number("CORELANE_SIM_SURVEY") else {
        return;
    };
    let first = number("CORELANE_SIM_FIRST_SEED").unwrap_or(1);
    let mut report = Report::default();
    let mut failed = 0;
    for seed in first..first + count {
        let outcome = run::run(&Plan::of(seed));
        report.add(&outcome.report);
        if let Some(failure) = outcome.failure {
            failed += 1;
            println!("seed {seed}: {failure}");
        }
    }
    println!("{report}{}{failed} seeds failed", marks::report());
}

/// Seeds from 1 on until one fails: how soon a bug is caught. Fails if none does.
/// `CORELANE_SIM_HUNT=5000 cargo test --test sim -- hunt --nocapture`
#[test]
fn hunt() {
    let Some(count) = number("CORELANE_SIM_HUNT") else {
        return;
    };
    for seed in 1..=count {
        if let Some(failure) = run::run(&Plan::of(seed)).failure {
            let first = failure.lines().next().unwrap_or_default();
            println!("caught by seed {seed}: {first}");
            return;
        }
    }
    panic!("not caught by {count} seeds");
}

/// Runs a seed; on failure says how to see it again, with as little as is needed for it.
fn hold(seed: u64) -> Report {
    let plan = Plan::of(seed);
    let outcome = run::run(&plan);
    if let Some(failure) = outcome.failure {
        let command = shrink::shrink(plan, &failure);
        panic!("{failure}\nto see it again: {command}");
    }
    outcome.report
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be a number")),
    )
}
