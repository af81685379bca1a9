//! The ratios of all rounds: the median, and how far apart they lie.

use std::fmt::Write;

use super::rounds::Round;
use crate::measure::Report;

/// What a ratio should be at least, or at most.
#[derive(Clone, Copy, Debug)]
enum Target {
    AtLeast(f64),
    AtMost(f64),
    None,
}

/// One line: a figure of the broker against the same of its reference.
struct Line {
    name: &'static str,
    target: Target,
    broker: fn(&Round) -> f64,
    reference: fn(&Round) -> f64,
}

const LINES: &[Line] = &[
    Line {
        name: "produce 64 KiB, MB/s, of the sink's",
        target: Target::AtLeast(0.6),
        broker: |round| round.broker_large.mb_per_second(),
        reference: |round| round.sink_large.mb_per_second(),
    },
    Line {
        name: "produce 64 KiB, CPU-s/GB, of the sink's",
        target: Target::AtMost(1.6),
        broker: |round| cpu_per_gb(&round.broker_large),
        reference: |round| cpu_per_gb(&round.sink_large),
    },
    Line {
        name: "produce 1 KiB, requests/s, of the sink's",
        target: Target::AtLeast(0.4),
        broker: |round| round.broker_small.requests_per_second(),
        reference: |round| round.sink_small.requests_per_second(),
    },
    Line {
        name: "produce 1 KiB, CPU-us/request, of the sink's",
        target: Target::None,
        broker: |round| cpu_us_per_request(&round.broker_small),
        reference: |round| cpu_us_per_request(&round.sink_small),
    },
    Line {
        name: "fetch from the tail, records/s, of produce",
        target: Target::AtLeast(1.0),
        broker: |round| round.fetch_tail.records_per_second(),
        reference: |round| round.broker_large.records_per_second(),
    },
    Line {
        name: "consumers that follow, records/s, of produce",
        target: Target::None,
        broker: |round| round.following.records_per_second(),
        reference: |round| round.followed.records_per_second(),
    },
];

fn cpu_per_gb(report: &Report) -> f64 {
    report.server_cpu_per_gb().unwrap_or(f64::NAN)
}

fn cpu_us_per_request(report: &Report) -> f64 {
    let seconds = report.server.map_or(f64::NAN, |server| server.cpu_seconds);
    seconds * 1e6 / report.totals.requests as f64
}

/// The table, and a word on the generator if it was what limited a round.
pub fn render(rounds: &[Round]) -> String {
    let mut out = format!(
        "{:46} {:>11} {:>11} {:>7} {:>15} {:>8}\n",
        "", "broker", "reference", "ratio", "lowest-highest", "target"
    );
    for line in LINES {
        let ratios: Vec<f64> = rounds
            .iter()
            .map(|round| (line.broker)(round) / (line.reference)(round))
            .collect();
        let ratio = Spread::of(&ratios);
        let broker = Spread::of(&rounds.iter().map(line.broker).collect::<Vec<_>>());
        let reference = Spread::of(&rounds.iter().map(line.reference).collect::<Vec<_>>());
        let (target, met) = match line.target {
            Target::AtLeast(least) => (format!(">= {least}"), ratio.median >= least),
            Target::AtMost(most) => (format!("<= {most}"), ratio.median <= most),
            Target::None => (String::new(), true),
        };
        let spread = format!("{:.2}-{:.2}", ratio.lowest, ratio.highest);
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{:46} {:>11} {:>11} {:>7.2} {spread:>15} {target:>8}{}",
            line.name,
            figure(broker.median),
            figure(reference.median),
            ratio.median,
            if met { "" } else { "  missed" }
        );
    }
    out.push_str("Medians of the rounds; the ratio is taken within each round first.\n");
    for (name, share) in busy_generators(rounds) {
        let _ = writeln!(
            out,
            "The generator used {share:.0}% of its CPU in {name}: its limit."
        );
    }
    out
}

/// Steps in which the generator had hardly any CPU time left.
fn busy_generators(rounds: &[Round]) -> Vec<(&'static str, f64)> {
    let all = rounds.iter().flat_map(Round::steps);
    let shares = all.map(|(name, report)| (name, 100.0 * report.own.cpu_seconds / report.seconds));
    let mut busy: Vec<(&str, f64)> = shares.filter(|(_, share)| *share > 90.0).collect();
    busy.sort_by(|a, b| a.0.cmp(b.0).then(b.1.total_cmp(&a.1)));
    busy.dedup_by_key(|(name, _)| *name);
    busy
}

fn figure(value: f64) -> String {
    if value < 10.0 {
        format!("{value:.3}")
    } else {
        format!("{value:.0}")
    }
}

struct Spread {
    lowest: f64,
    median: f64,
    highest: f64,
}

impl Spread {
    /// Of at least one value.
    fn of(values: &[f64]) -> Spread {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => (at(middle.saturating_sub(1)) + at(middle)) / 2.0,
            _ => at(middle),
        };
        Spread {
            lowest: at(0),
            median,
            highest: at(sorted.len().saturating_sub(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::meter::Totals;
    use crate::measure::procstat::Usage;

    fn report(what: &'static str, mb: u64, cpu_seconds: f64) -> Report {
        let bytes = mb * 1_000_000;
        let totals = Totals {
            requests: bytes / 65_536,
            records: bytes / 1024,
            bytes,
        };
        let server = Some(Usage {
            cpu_seconds,
            ..Usage::default()
        });
        let own = Usage {
            cpu_seconds: 0.5,
            ..Usage::default()
        };
        Report {
            what,
            seconds: 1.0,
            totals,
            latency_us: [1, 2, 3, 4],
            own,
            server,
        }
    }

    fn round(broker_mb: u64) -> Round {
        let broker = report("produce", broker_mb, 0.5);
        let sink = report("produce", 2000, 0.5);
        Round {
            sink_large: sink.clone(),
            broker_large: broker.clone(),
            sink_small: sink.clone(),
            broker_small: broker.clone(),
            followed: broker.clone(),
            following: broker.clone(),
            fetch_tail: report("fetch", 1000, 0.5),
        }
    }

    #[test]
    fn ratios_are_judged_by_their_median() {
        let table = render(&[round(1000), round(1400), round(1500)]);
        let lines: Vec<&str> = table.lines().collect();
        assert!(
            lines[1].contains("0.70") && lines[1].contains("0.50-0.75"),
            "{table}"
        );
        assert!(!lines[1].contains("missed"), "{table}");
        assert!(
            lines[2].contains("1.43") && !lines[2].contains("missed"),
            "{table}"
        );
        assert!(
            lines[5].contains("0.71") && lines[5].contains("missed"),
            "{table}"
        );
    }

    #[test]
    fn a_busy_generator_is_named() {
        let mut busy = round(1000);
        busy.sink_small.own.cpu_seconds = 0.97;
        let table = render(&[round(1000), busy]);
        assert!(table.contains("used 97% of its CPU in sink-1k"), "{table}");
        assert!(!render(&[round(1000)]).contains("its limit"));
    }

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        let spread = Spread::of(&[4.0, 1.0, 2.0, 3.0]);
        assert_eq!(
            (spread.lowest, spread.median, spread.highest),
            (1.0, 2.5, 4.0)
        );
    }
}
