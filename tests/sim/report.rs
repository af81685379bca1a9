//! What was run, and what happened in it: for the reader, and to see that the swarm
//! reaches what it should.

use std::collections::BTreeMap;
use std::fmt;

use crate::plan::Fault;

/// Sums over the runs of some seeds.
#[derive(Clone, Default, Debug)]
pub struct Report {
    pub seeds: u64,
    pub steps: u64,
    pub virtual_ms: u64,
    pub faults: BTreeMap<Fault, u64>,
    /// Things that clients and the broker did.
    pub events: BTreeMap<&'static str, u64>,
}

impl Report {
    /// One more fault.
    pub fn fault(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
    }

    /// One more of something.
    pub fn event(&mut self, what: &'static str) {
        *self.events.entry(what).or_default() += 1;
    }

    /// Adds another report to this one.
    pub fn add(&mut self, other: &Report) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.virtual_ms += other.virtual_ms;
        for (fault, count) in &other.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        for (what, count) in &other.events {
            *self.events.entry(what).or_default() += count;
        }
    }

    /// Faults of all kinds.
    pub fn all_faults(&self) -> u64 {
        self.faults.values().sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} seeds, {} steps, {} s of simulated time, {} faults",
            self.seeds,
            self.steps,
            self.virtual_ms / 1000,
            self.all_faults()
        )?;
        write!(f, "faults:")?;
        for fault in Fault::ALL {
            let count = self.faults.get(fault).copied().unwrap_or(0);
            write!(f, " {} {count},", fault.word())?;
        }
        write!(f, "\nevents:")?;
        for (what, count) in &self.events {
            write!(f, " {what} {count},")?;
        }
        writeln!(f)
    }
}
