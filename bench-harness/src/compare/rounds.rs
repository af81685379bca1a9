//! One round: the sink and the broker under each load, one after the other.

use std::time::Duration;

use anyhow::{Context, Result};

use super::CompareArgs;
use super::servers::Server;
use crate::cluster::Broker;
use crate::load::{Load, Timeline};
use crate::measure::Report;
use crate::produce::Target;
use crate::{executor, fetch, produce};

/// Record values are of this size throughout.
pub const RECORD_BYTES: usize = 1 << 10;
/// Request sizes compared, in bytes of record values.
const LARGE_BYTES: usize = 64 << 10;
const SMALL_BYTES: usize = 1 << 10;

/// What one round measured.
#[derive(Clone, Debug)]
pub struct Round {
    /// The sink, 64 KiB requests.
    pub sink_large: Report,
    /// The broker, 64 KiB requests.
    pub broker_large: Report,
    /// The sink, 1 KiB requests.
    pub sink_small: Report,
    /// The broker, 1 KiB requests.
    pub broker_small: Report,
    /// The broker, 64 KiB requests, while every record is fetched as well.
    pub followed: Report,
    /// The consumers of `followed`.
    pub following: Report,
    /// The broker, fetching the end of the log over and over, nothing else going on.
    pub fetch_tail: Report,
}

impl Round {
    /// Every measurement with its name.
    pub fn steps(&self) -> [(&'static str, &Report); 7] {
        [
            ("sink-64k", &self.sink_large),
            ("broker-64k", &self.broker_large),
            ("sink-1k", &self.sink_small),
            ("broker-1k", &self.broker_small),
            ("broker-64k-followed", &self.followed),
            ("broker-following", &self.following),
            ("broker-fetch-tail", &self.fetch_tail),
        ]
    }
}

/// Measures everything once.
pub fn measure(args: &CompareArgs, broker: &Server, number: usize) -> Result<Round> {
    let large = |topic: String| shape(args, topic, LARGE_BYTES, args.window);
    let small = |topic: String| shape(args, topic, SMALL_BYTES, args.small_window);
    let topic = |step: &str| format!("compare-{number}-{step}");
    let sink_large = on_sink(args, large(topic("sink")))?;
    let broker_large = on_broker(args, broker, large(topic("large")))?;
    let sink_small = on_sink(args, small(topic("sink")))?;
    let broker_small = on_broker(args, broker, small(topic("small")))?;
    let shape = large(topic("follow"));
    let (followed, following) = followed(args, broker, &shape).context("producing and fetching")?;
    let fetch_tail = fetch_tail(args, broker, &shape.topic).context("fetching the tail")?;
    Broker::connect(&broker.address)?.delete_topic(&shape.topic)?;
    Ok(Round {
        sink_large,
        broker_large,
        sink_small,
        broker_small,
        followed,
        following,
        fetch_tail,
    })
}

fn shape(args: &CompareArgs, topic: String, request_bytes: usize, window: usize) -> produce::Shape {
    produce::Shape {
        topic,
        partitions: None,
        connections: args.connections,
        request_bytes,
        record_bytes: RECORD_BYTES,
        window,
        configs: args.configs.clone(),
        not_alone: false,
    }
}

fn on_sink(args: &CompareArgs, shape: produce::Shape) -> Result<Report> {
    let sink = Server::sink(args)?;
    on(args, Target::Sink, &sink, shape).context("producing to the sink")
}

/// The topic is deleted afterwards, so that the broker can use its space again.
fn on_broker(args: &CompareArgs, broker: &Server, shape: produce::Shape) -> Result<Report> {
    let topic = shape.topic.clone();
    let report = on(args, Target::Kafka, broker, shape).context("producing to the broker")?;
    Broker::connect(&broker.address)?.delete_topic(&topic)?;
    Ok(report)
}

fn on(
    args: &CompareArgs,
    target: Target,
    server: &Server,
    shape: produce::Shape,
) -> Result<Report> {
    produce::measure(&produce::ProduceArgs {
        target,
        bootstrap: server.address.clone(),
        shape,
        seconds: args.seconds,
        bytes: None,
        warmup: args.warmup,
        cpu: Some(args.generator_cpu),
        pid: Some(server.pid),
        json: false,
    })
}

/// Produces and follows the tail at once, on the generator's one core.
fn followed(
    args: &CompareArgs,
    broker: &Server,
    shape: &produce::Shape,
) -> Result<(Report, Report)> {
    let destination = produce::prepare(Target::Kafka, &broker.address, shape)?;
    let consumers = fetching(args, &shape.topic, fetch::From::Tail);
    let sources = fetch::prepare(&broker.address, &consumers)?;
    let timeline = Timeline {
        warmup: Duration::from_secs_f64(args.warmup),
        measured: Some(Duration::from_secs_f64(args.seconds)),
        server: Some(broker.pid),
    };
    executor::run(executor::Settings::plain(Some(args.generator_cpu)), async {
        let (producing, fetching) = (Load::new(), Load::new());
        let produce = produce::start(&producing, &destination, shape, None);
        let fetch = fetch::start(&fetching, &sources, &consumers);
        let (followed, following) = futures_lite::future::zip(
            producing.measure("produce", timeline, produce),
            fetching.measure("fetch", timeline, fetch),
        )
        .await;
        producing.stop().await?;
        fetching.stop().await?;
        Ok((followed?, following?))
    })?
}

fn fetch_tail(args: &CompareArgs, broker: &Server, topic: &str) -> Result<Report> {
    let records = args.tail_bytes / (RECORD_BYTES * args.connections) as u64;
    fetch::measure(&fetch::FetchArgs {
        bootstrap: broker.address.clone(),
        shape: fetching(args, topic, fetch::From::Back(records.max(1) as i64)),
        seconds: args.seconds,
        warmup: args.warmup,
        cpu: Some(args.generator_cpu),
        pid: Some(broker.pid),
        json: false,
    })
}

fn fetching(args: &CompareArgs, topic: &str, from: fetch::From) -> fetch::Shape {
    fetch::Shape {
        topic: topic.to_owned(),
        connections: args.connections,
        from,
        fetch_bytes: 1 << 20,
        wait_ms: 500,
    }
}
