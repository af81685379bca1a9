//! `corelane-bench`: what a durable broker core can reach on this machine, and
//! how near a broker comes. It speaks Kafka's protocol with its own small codec
//! and never imports the broker.

use anyhow::Result;
use clap::{Parser, Subcommand};

mod clock;
mod cluster;
mod codec;
mod compare;
mod executor;
mod fetch;
mod load;
mod measure;
mod net;
mod produce;
mod sink;
#[cfg(test)]
mod testing;

/// Load generator and comparisons for Kafka-compatible brokers
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The bare sink of one core: what a broker is measured against
    Ceiling(sink::CeilingArgs),
    /// Produce as fast as the server answers
    Produce(produce::ProduceArgs),
    /// Fetch as fast as the server serves
    Fetch(fetch::FetchArgs),
    /// Alternate between the sink and a broker and print the ratios
    Compare(compare::CompareArgs),
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Ceiling(args) => sink::run(args),
        Command::Produce(args) => produce::run(&args),
        Command::Fetch(args) => fetch::run(&args),
        Command::Compare(args) => compare::run(&args),
    }
}
