//! Counts what connections complete while a measurement runs. It lives on the
//! one core of a load generator; its connections share it by `Rc`.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use hdrhistogram::Histogram;

/// Longest latency told apart: a minute.
const LATENCY_US_MAX: u64 = 60_000_000;

/// Counters that stand still until the warm-up is over.
pub struct Meter {
    running: Cell<bool>,
    totals: Cell<Totals>,
    latency_us: RefCell<Histogram<u64>>,
}

/// What was counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Requests answered.
    pub requests: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes in them.
    pub bytes: u64,
}

impl Meter {
    /// A meter that does not count yet.
    pub fn new() -> Meter {
        let latency_us = Histogram::new_with_max(LATENCY_US_MAX, 3)
            .unwrap_or_else(|_| unreachable!("three digits up to a minute are within bounds"));
        Meter {
            running: Cell::new(false),
            totals: Cell::new(Totals::default()),
            latency_us: RefCell::new(latency_us),
        }
    }

    /// Counts from now on, or stops counting.
    pub fn set_running(&self, running: bool) {
        self.running.set(running);
    }

    /// Counts one answered request.
    pub fn count(&self, latency: Duration, records: u64, bytes: u64) {
        if !self.running.get() {
            return;
        }
        let mut totals = self.totals.get();
        totals.requests += 1;
        totals.records += records;
        totals.bytes += bytes;
        self.totals.set(totals);
        let latency_us = (latency.as_micros() as u64).min(LATENCY_US_MAX);
        self.latency_us.borrow_mut().saturating_record(latency_us);
    }

    /// What was counted so far.
    pub fn totals(&self) -> Totals {
        self.totals.get()
    }

    /// The latency, in microseconds, that `quantile` (0 to 1) of the requests stayed within.
    pub fn latency_us(&self, quantile: f64) -> u64 {
        self.latency_us.borrow().value_at_quantile(quantile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_only_while_running() {
        let meter = Meter::new();
        meter.count(Duration::from_micros(9), 1, 1);
        meter.set_running(true);
        for latency in 1..=1000 {
            meter.count(Duration::from_micros(latency), 64, 65_536);
        }
        meter.set_running(false);
        meter.count(Duration::from_secs(9), 1, 1);
        let totals = Totals {
            requests: 1000,
            records: 64_000,
            bytes: 65_536_000,
        };
        assert_eq!(meter.totals(), totals);
        assert_eq!(meter.latency_us(0.5), 500);
        assert_eq!(meter.latency_us(1.0), 1000);
    }
}
