//! The result of one run, as text and as JSON. MB and GB are powers of ten;
//! bytes are those of record values, the protocol's own bytes not counted.

use std::fmt::Write;

use super::meter::{Meter, Totals};
use super::procstat::Usage;

/// One measured interval.
#[derive(Clone, Debug)]
pub struct Report {
    /// `produce` or `fetch`.
    pub what: &'static str,
    /// Length of the interval, seconds.
    pub seconds: f64,
    /// What was counted.
    pub totals: Totals,
    /// Latency at 0.5, 0.99, 0.999 and 1.0, microseconds, in a closed loop.
    pub latency_us: [u64; 4],
    /// The load generator's own use of the machine.
    pub own: Usage,
    /// The server's, when its process id is known.
    pub server: Option<Usage>,
}

impl Report {
    /// Takes the counters of `meter`, which has stopped.
    pub fn new(
        what: &'static str,
        seconds: f64,
        meter: &Meter,
        own: Usage,
        server: Option<Usage>,
    ) -> Report {
        let latency_us = [0.5, 0.99, 0.999, 1.0].map(|quantile| meter.latency_us(quantile));
        Report {
            what,
            seconds,
            totals: meter.totals(),
            latency_us,
            own,
            server,
        }
    }

    /// Megabytes per second.
    pub fn mb_per_second(&self) -> f64 {
        self.totals.bytes as f64 / 1e6 / self.seconds
    }

    /// Requests per second.
    pub fn requests_per_second(&self) -> f64 {
        self.totals.requests as f64 / self.seconds
    }

    /// Records per second.
    pub fn records_per_second(&self) -> f64 {
        self.totals.records as f64 / self.seconds
    }

    /// CPU-seconds of the server per gigabyte.
    pub fn server_cpu_per_gb(&self) -> Option<f64> {
        self.server
            .map(|usage| usage.cpu_seconds / (self.totals.bytes as f64 / 1e9))
    }

    /// Lines for people.
    pub fn text(&self) -> String {
        let [p50, p99, p999, max] = self.latency_us;
        let mut out = format!(
            "{}: {:.1} MB/s, {:.0} requests/s, {:.0} records/s over {:.2} s\n\
             latency (closed loop): p50 {p50} us, p99 {p99} us, p99.9 {p999} us, max {max} us\n\
             generator: {:.0}% of a CPU",
            self.what,
            self.mb_per_second(),
            self.requests_per_second(),
            self.records_per_second(),
            self.seconds,
            100.0 * self.own.cpu_seconds / self.seconds,
        );
        if let (Some(server), Some(per_gb)) = (self.server, self.server_cpu_per_gb()) {
            // Writing to a String cannot fail.
            let _ = write!(
                out,
                "\nserver: {:.0}% of a CPU, {per_gb:.3} CPU-seconds/GB, \
                 {} voluntary and {} involuntary context switches",
                100.0 * server.cpu_seconds / self.seconds,
                server.voluntary_switches,
                server.involuntary_switches,
            );
        }
        out
    }

    /// One JSON object on one line.
    pub fn json(&self) -> String {
        let [p50, p99, p999, max] = self.latency_us;
        let Totals {
            requests,
            records,
            bytes,
        } = self.totals;
        let server = match (self.server, self.server_cpu_per_gb()) {
            (Some(server), Some(per_gb)) => format!(
                r#"{{"cpu_seconds":{:.3},"cpu_seconds_per_gb":{per_gb:.4},"voluntary_switches":{},"involuntary_switches":{}}}"#,
                server.cpu_seconds, server.voluntary_switches, server.involuntary_switches
            ),
            _ => "null".to_owned(),
        };
        format!(
            r#"{{"what":"{}","seconds":{:.3},"requests":{requests},"records":{records},"bytes":{bytes},"mb_per_second":{:.2},"requests_per_second":{:.1},"latency_us":{{"loop":"closed","p50":{p50},"p99":{p99},"p999":{p999},"max":{max}}},"generator_cpu_seconds":{:.3},"server":{server}}}"#,
            self.what,
            self.seconds,
            self.mb_per_second(),
            self.requests_per_second(),
            self.own.cpu_seconds,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_follow_from_totals() {
        let report = Report {
            what: "produce",
            seconds: 2.0,
            totals: Totals {
                requests: 1000,
                records: 64_000,
                bytes: 4_000_000_000,
            },
            latency_us: [1, 2, 3, 4],
            own: Usage::default(),
            server: Some(Usage {
                cpu_seconds: 1.6,
                ..Usage::default()
            }),
        };
        assert_eq!(report.mb_per_second(), 2000.0);
        assert_eq!(report.requests_per_second(), 500.0);
        assert_eq!(report.server_cpu_per_gb(), Some(0.4));
        let json = report.json();
        assert!(json.contains(r#""cpu_seconds_per_gb":0.4000"#), "{json}");
        assert_eq!(json.matches('{').count(), json.matches('}').count());
        let text = report.text();
        assert!(
            text.contains("2000.0 MB/s") && text.contains("p99.9 3 us"),
            "{text}"
        );
    }
}
