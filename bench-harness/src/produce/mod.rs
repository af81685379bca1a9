//! `corelane-bench produce`: prebuilt requests through a window per connection,
//! as fast as the server answers (a closed loop). Everything runs on one
//! executor; nothing is allocated per request.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};

use crate::cluster::Broker;
use crate::codec::{batch, produce as codec};
use crate::load::{Load, Timeline};
use crate::measure::Report;
use crate::{clock, executor};

mod chunk;
mod connection;

/// What is driven.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Target {
    /// `corelane-bench ceiling`, which answers Produce and nothing else
    Sink,
    /// Any broker that speaks Kafka's protocol
    Kafka,
}

/// What is produced, without where and for how long.
#[derive(Args, Clone, Debug)]
pub struct Shape {
    /// Topic, created when it is absent
    #[arg(long, default_value = "bench")]
    pub topic: String,
    /// Partitions to create; as many as connections when absent
    #[arg(long)]
    pub partitions: Option<i32>,
    /// Connections, each producing to one partition's leader
    #[arg(long, default_value_t = 4)]
    pub connections: usize,
    /// Bytes of record values in a request
    #[arg(long, default_value_t = 64 << 10)]
    pub request_bytes: usize,
    /// Bytes of a record's value
    #[arg(long, default_value_t = 1 << 10)]
    pub record_bytes: usize,
    /// Most requests in flight on one connection
    #[arg(long, default_value_t = 16)]
    pub window: usize,
    /// Topic configuration, name=value; may be repeated
    #[arg(long = "config", value_parser = parse_config)]
    pub configs: Vec<(String, String)>,
    /// Others produce to these partitions as well: offsets need only rise
    #[arg(long)]
    pub not_alone: bool,
}

/// What `corelane-bench produce` takes.
#[derive(Args, Clone, Debug)]
pub struct ProduceArgs {
    /// What listens at the address
    #[arg(long, value_enum, default_value_t = Target::Kafka)]
    pub target: Target,
    /// Address of the sink or of any broker
    #[arg(long, default_value = "127.0.0.1:9092")]
    pub bootstrap: String,
    #[command(flatten)]
    pub shape: Shape,
    /// Seconds to measure
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
    /// Produce this many bytes of record values instead of measuring for a time
    #[arg(long)]
    pub bytes: Option<u64>,
    /// Seconds before measuring
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

/// Where each partition is led, and how to produce there.
#[derive(Clone, Debug)]
pub struct Destination {
    leaders: Vec<String>,
    version: i16,
}

/// Runs the generator and prints its report.
pub fn run(args: &ProduceArgs) -> Result<()> {
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

/// Runs the generator on the calling thread.
pub fn measure(args: &ProduceArgs) -> Result<Report> {
    let destination = prepare(args.target, &args.bootstrap, &args.shape)?;
    let per_request = args.shape.request_bytes as u64;
    let requests_max = args.bytes.map(|bytes| bytes.div_ceil(per_request));
    let timeline = match requests_max {
        Some(_) => Timeline {
            warmup: Duration::ZERO,
            measured: None,
            server: args.pid,
        },
        None => Timeline {
            warmup: Duration::from_secs_f64(args.warmup),
            measured: Some(Duration::from_secs_f64(args.seconds)),
            server: args.pid,
        },
    };
    executor::run(executor::Settings::plain(args.cpu), async {
        let load = Load::new();
        let start = start(&load, &destination, &args.shape, requests_max);
        let report = load.measure("produce", timeline, start).await?;
        load.stop().await?;
        Ok(report)
    })?
}

/// Creates the topic and finds the leaders; the sink needs neither.
pub fn prepare(target: Target, bootstrap: &str, shape: &Shape) -> Result<Destination> {
    ensure!(
        shape.connections > 0 && shape.window > 0,
        "no connection or no window"
    );
    ensure!(
        shape.record_bytes > 0 && shape.request_bytes >= shape.record_bytes,
        "--request-bytes must hold at least one record"
    );
    ensure!(
        shape.request_bytes.is_multiple_of(shape.record_bytes),
        "--request-bytes must be a multiple of --record-bytes"
    );
    let partitions = shape.partitions.unwrap_or(shape.connections as i32);
    ensure!(partitions > 0, "no partition");
    if target == Target::Sink {
        let leaders = vec![bootstrap.to_owned(); partitions as usize];
        return Ok(Destination {
            leaders,
            version: *codec::VERSIONS.end(),
        });
    }
    let mut broker = Broker::connect(bootstrap)?;
    let version = broker.produce_version()?;
    let configs: Vec<_> = shape
        .configs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    broker.create_topic(&shape.topic, partitions, &configs)?;
    Ok(Destination {
        leaders: broker.leaders(&shape.topic)?,
        version,
    })
}

/// Connects everything and starts to produce, `requests_max` requests at most.
pub async fn start(
    load: &Rc<Load>,
    destination: &Destination,
    shape: &Shape,
    requests_max: Option<u64>,
) -> Result<()> {
    let records = shape.request_bytes / shape.record_bytes;
    let batch = batch::build(records, shape.record_bytes, clock::unix_ms());
    let remaining = Rc::new(Cell::new(requests_max.unwrap_or(u64::MAX)));
    let partitions = destination.leaders.len();
    // Two connections to one partition cannot both see dense offsets.
    let dense = !shape.not_alone && shape.connections <= partitions;
    for index in 0..shape.connections {
        let partition = index % partitions;
        let request = codec::request(destination.version, &shape.topic, partition as i32, &batch);
        let plan = connection::Plan {
            partition: partition as i32,
            chunk: chunk::Chunk::new(&request, shape.window),
            window: shape.window,
            records: records as u64,
            value_bytes: shape.request_bytes as u64,
            dense,
            remaining: Rc::clone(&remaining),
        };
        let stream = crate::net::SharedStream::connect(&destination.leaders[partition]).await?;
        connection::start(load, stream, plan);
    }
    Ok(())
}

/// Reads `name=value`.
pub fn parse_config(text: &str) -> Result<(String, String)> {
    match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => anyhow::bail!("{text} is not name=value"),
    }
}
