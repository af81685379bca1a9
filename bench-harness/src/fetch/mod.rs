//! `corelane-bench fetch`: consumers that read partitions as fast as they are
//! served, check the CRC of every batch and that no offset is missing. One
//! fetch in flight per connection, as a Kafka consumer has it.

use std::rc::Rc;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::cluster::Broker;
use crate::codec::{admin, fetch as codec};
use crate::executor;
use crate::load::{Load, Timeline};
use crate::measure::Report;
use crate::net::SharedStream;

mod connection;

/// Where reading begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum From {
    /// The end of the log: only what is produced from now on.
    Tail,
    /// The start of the log, to the end that it has at the beginning.
    Earliest,
    /// This many records before the end, over and over.
    Back(i64),
}

impl FromStr for From {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<From> {
        match (text, text.strip_prefix("back:")) {
            ("tail", _) => Ok(From::Tail),
            ("earliest", _) => Ok(From::Earliest),
            (_, Some(records)) => match records.parse() {
                Ok(records) if records > 0 => Ok(From::Back(records)),
                _ => bail!("{records} is not a number of records"),
            },
            _ => bail!("{text} is none of tail, earliest and back:RECORDS"),
        }
    }
}

/// What is fetched, without from whom and for how long.
#[derive(Args, Clone, Debug)]
pub struct Shape {
    /// Topic, which must be there
    #[arg(long, default_value = "bench")]
    pub topic: String,
    /// Connections; each fetches every n-th partition, one after the other
    #[arg(long, default_value_t = 4)]
    pub connections: usize,
    /// `tail`: what is produced from now on; `earliest`: all there is, then end;
    /// `back:RECORDS`: the last RECORDS records of each partition, over and over
    #[arg(long, default_value = "tail")]
    pub from: From,
    /// Most bytes in one fetch
    #[arg(long, default_value_t = 1 << 20)]
    pub fetch_bytes: i32,
    /// Longest wait of one fetch in milliseconds
    #[arg(long, default_value_t = 500)]
    pub wait_ms: i32,
}

/// What `corelane-bench fetch` takes.
#[derive(Args, Clone, Debug)]
pub struct FetchArgs {
    /// Address of any broker
    #[arg(long, default_value = "127.0.0.1:9092")]
    pub bootstrap: String,
    #[command(flatten)]
    pub shape: Shape,
    /// Seconds to measure; with `--from earliest` the run ends with the log instead
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
    /// Seconds before measuring; none with `--from earliest`
    #[arg(long, default_value_t = 1.0)]
    pub warmup: f64,
    /// CPU to pin the generator to
    #[arg(long)]
    pub cpu: Option<usize>,
    /// Process id of the server, to report its CPU time and context switches
    #[arg(long)]
    pub pid: Option<u32>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// A partition and the part of it to read.
#[derive(Clone, Debug)]
pub struct Source {
    partition: i32,
    leader: String,
    start: i64,
    /// `None` reads on as the log grows.
    end: Option<i64>,
}

/// Runs the consumers and prints their report.
pub fn run(args: &FetchArgs) -> Result<()> {
    let report = measure(args)?;
    println!(
        "{}",
        if args.json {
            report.json()
        } else {
            report.text()
        }
    );
    Ok(())
}

/// Runs the consumers on the calling thread.
pub fn measure(args: &FetchArgs) -> Result<Report> {
    let sources = prepare(&args.bootstrap, &args.shape)?;
    let seconds = Duration::from_secs_f64(args.seconds);
    let timeline = Timeline {
        warmup: Duration::from_secs_f64(args.warmup),
        measured: (args.shape.from != From::Earliest).then_some(seconds),
        server: args.pid,
    };
    executor::run(executor::Settings::plain(args.cpu), async {
        let load = Load::new();
        let start = start(&load, &sources, &args.shape);
        let report = load.measure("fetch", timeline, start).await?;
        load.stop().await?;
        Ok(report)
    })?
}

/// Finds the leaders and the offsets to read between.
pub fn prepare(bootstrap: &str, shape: &Shape) -> Result<Vec<Source>> {
    ensure!(shape.connections > 0, "no connection");
    ensure!(
        shape.fetch_bytes > 0 && shape.wait_ms >= 0,
        "nothing to fetch"
    );
    let mut broker = Broker::connect(bootstrap)?;
    broker.check_fetch_version()?;
    let leaders = broker.leaders(&shape.topic)?;
    let mut sources = Vec::new();
    for (leader, partition) in leaders.into_iter().zip(0..) {
        let mut broker = Broker::connect(&leader)?;
        let mut offset = |at| {
            broker
                .offset(&shape.topic, partition, at)
                .context("the ends of a partition")
        };
        let (earliest, latest) = (offset(admin::EARLIEST)?, offset(admin::LATEST)?);
        let (start, end) = match shape.from {
            From::Tail => (latest, None),
            From::Earliest => (earliest, Some(latest)),
            From::Back(records) => ((latest - records).max(earliest), Some(latest)),
        };
        sources.push(Source {
            partition,
            leader,
            start,
            end,
        });
    }
    let bounded = shape.from != From::Tail;
    let empty = sources
        .iter()
        .all(|source| source.end == Some(source.start));
    ensure!(!(bounded && empty), "{} is empty", shape.topic);
    Ok(sources)
}

/// Connects everything and starts to fetch.
pub async fn start(load: &Rc<Load>, sources: &[Source], shape: &Shape) -> Result<()> {
    let limits = codec::Limits {
        wait_ms_max: shape.wait_ms,
        bytes_max: shape.fetch_bytes,
    };
    // One connection leads to one broker: partitions of a leader share its connections.
    let mut leaders: Vec<&str> = sources
        .iter()
        .map(|source| source.leader.as_str())
        .collect();
    leaders.sort_unstable();
    leaders.dedup();
    let per_leader = shape.connections.div_ceil(leaders.len());
    for leader in leaders {
        let led: Vec<&Source> = sources
            .iter()
            .filter(|source| source.leader == leader)
            .collect();
        for index in 0..per_leader.min(led.len()) {
            let cursors = led.iter().skip(index).step_by(per_leader).map(|source| {
                let request = codec::Request::new(&shape.topic, source.partition, limits);
                connection::Cursor::new(request, source.start, source.end)
            });
            let stream = SharedStream::connect(leader).await?;
            let again = matches!(shape.from, From::Back(_));
            let cursors: Vec<_> = cursors.collect();
            load.spawn(connection::run(Rc::clone(load), stream, cursors, again));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_read_from_text() {
        for (text, from) in [
            ("tail", Some(From::Tail)),
            ("earliest", Some(From::Earliest)),
            ("back:100", Some(From::Back(100))),
            ("back:0", None),
            ("back:", None),
            ("latest", None),
        ] {
            assert_eq!(text.parse::<From>().ok(), from, "{text}");
        }
    }
}
