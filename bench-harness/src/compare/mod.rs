//! `corelane-bench compare`: the sink and a broker in turn, on the same core,
//! under the same load, several times over. What counts is the ratio within a
//! round, because the machine itself changes from minute to minute.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

mod rounds;
mod servers;
mod table;

/// What `corelane-bench compare` takes.
#[derive(Args, Clone, Debug)]
pub struct CompareArgs {
    /// Directory for the sink's file and the broker's data, on the disk to be measured
    #[arg(long)]
    pub dir: PathBuf,
    /// Shell command that starts the broker; {data} is replaced by an empty
    /// directory, {port} by a port that is free
    #[arg(long, required_unless_present = "bootstrap")]
    pub broker_cmd: Option<String>,
    /// Address of a broker that runs already, instead of --broker-cmd
    #[arg(long, conflicts_with = "broker_cmd", requires = "broker_pid")]
    pub bootstrap: Option<String>,
    /// Process id of the broker that runs already
    #[arg(long)]
    pub broker_pid: Option<u32>,
    /// CPU of the sink and of a broker started here
    #[arg(long, default_value_t = 1)]
    pub server_cpu: usize,
    /// CPU of the load generator
    #[arg(long, default_value_t = 0)]
    pub generator_cpu: usize,
    /// Times that everything is measured
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
    /// Seconds before each measurement
    #[arg(long, default_value_t = 1.0)]
    pub warmup: f64,
    /// Connections, and partitions of each topic
    #[arg(long, default_value_t = 4)]
    pub connections: usize,
    /// Most requests of 64 KiB in flight on one connection
    #[arg(long, default_value_t = 16)]
    pub window: usize,
    /// Most requests of 1 KiB in flight on one connection; 5 is the default of Kafka's producers
    #[arg(long, default_value_t = 5)]
    pub small_window: usize,
    /// Bytes of record values at the end of the log that are fetched over and over
    #[arg(long, default_value_t = 16 << 20)]
    pub tail_bytes: u64,
    /// Configuration of the topics, name=value; may be repeated
    #[arg(long = "config", value_parser = crate::produce::parse_config)]
    pub configs: Vec<(String, String)>,
    /// Size of the sink's file in bytes
    #[arg(long, default_value_t = 1 << 30)]
    pub file_bytes: u64,
    /// Seconds that a server may take to start
    #[arg(long, default_value_t = 60)]
    pub start_seconds: u64,
    /// Print each measurement as a JSON object on its own line instead of the table
    #[arg(long)]
    pub json: bool,
}

/// Runs all rounds and prints them.
pub fn run(args: &CompareArgs) -> Result<()> {
    ensure!(args.rounds > 0, "no round");
    ensure!(
        args.server_cpu != args.generator_cpu,
        "server and generator need a CPU each"
    );
    let broker = servers::Server::broker(args)?;
    let mut all = Vec::new();
    for number in 0..args.rounds {
        let round = rounds::measure(args, &broker, number)?;
        for (step, report) in round.steps() {
            if args.json {
                println!(
                    r#"{{"round":{number},"step":"{step}","report":{}}}"#,
                    report.json()
                );
            } else {
                eprintln!(
                    "round {} {step}: {}",
                    number + 1,
                    report.text().replace('\n', "; ")
                );
            }
        }
        all.push(round);
    }
    if !args.json {
        print!("{}", table::render(&all));
    }
    Ok(())
}
