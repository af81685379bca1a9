//! `corelane-bench ceiling`: the least that a durable broker core can do.
//! Receive, CRC-32C, one copy into an aligned block, one O_DIRECT|O_DSYNC write
//! per group, acknowledge in order. It keeps no index, checks no batch and
//! serves no reads, so what it reaches is what a broker on this machine and
//! this executor is measured against.
//!
//! Everything here lives on one executor, pinned to one core.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use glommio::net::TcpListener;

use crate::executor;

mod file;
mod log;
mod session;

/// What `corelane-bench ceiling` takes.
#[derive(Args, Clone, Debug)]
pub struct CeilingArgs {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:9400")]
    pub listen: SocketAddr,
    /// Directory of the file that is written; it needs a file system with O_DIRECT
    #[arg(long)]
    pub dir: PathBuf,
    /// Size of that file in bytes; writing starts over at its end
    #[arg(long, default_value_t = 1 << 30)]
    pub file_bytes: u64,
    /// CPU to pin the executor to; unpinned when absent
    #[arg(long)]
    pub cpu: Option<usize>,
    /// Most writes in flight
    #[arg(long, default_value_t = 4)]
    pub writes_in_flight: usize,
    /// Size of a block in bytes: the most that one write carries
    #[arg(long, default_value_t = 1 << 20)]
    pub block_bytes: usize,
    /// While writes are in flight, a block waits until it holds this many bytes
    #[arg(long, default_value_t = 512 << 10)]
    pub group_bytes: usize,
    /// Size of a connection's read buffer in bytes
    #[arg(long, default_value_t = 256 << 10)]
    pub read_bytes: usize,
    /// Microseconds to spin before the executor sleeps
    #[arg(long, default_value_t = 0)]
    pub spin_us: u64,
    /// Bytes of glommio's arena, which blocks are taken from; twice what can be in use when absent
    #[arg(long)]
    pub io_memory: Option<usize>,
    /// Microseconds after which the executor looks for completions though tasks are ready
    #[arg(long, default_value_t = 10_000)]
    pub preempt_us: u64,
    /// Exit after this many seconds; without it the sink runs until it is killed
    #[arg(long)]
    pub seconds: Option<u64>,
    /// Exit once this many connections have come and gone
    #[arg(long)]
    pub connections_done: Option<usize>,
}

/// Runs the sink until its time is up or its connections are done.
pub fn run(args: CeilingArgs) -> Result<()> {
    ensure!(
        args.writes_in_flight > 0,
        "--writes-in-flight must be at least 1"
    );
    ensure!(
        args.block_bytes > 0 && args.block_bytes.is_multiple_of(file::ALIGN),
        "--block-bytes must be a multiple of {}",
        file::ALIGN
    );
    let blocks_max = args.writes_in_flight + 1;
    ensure!(
        (blocks_max * args.block_bytes) as u64 <= args.file_bytes,
        "--file-bytes must hold {blocks_max} blocks, or writes in flight would overlap"
    );
    let settings = executor::Settings {
        cpu: args.cpu,
        spin: Duration::from_micros(args.spin_us),
        io_memory: args.io_memory.unwrap_or_else(|| arena_bytes(&args)),
        preempt: Duration::from_micros(args.preempt_us),
    };
    executor::run(settings, serve(args))?
}

/// Blocks must come from memory that is used again: an aligned allocation of
/// this size from the heap is mapped, faulted in and unmapped each time, which
/// doubles the CPU time per byte. The arena rounds sizes up to powers of two
/// and keeps its bookkeeping inside, hence the factor.
fn arena_bytes(args: &CeilingArgs) -> usize {
    2 * (args.writes_in_flight + 1) * args.block_bytes.next_power_of_two()
}

async fn serve(args: CeilingArgs) -> Result<()> {
    let file = file::open(&args.dir, args.file_bytes).await?;
    let log = Rc::new(log::Log::new(file, &args));
    for _ in 0..args.writes_in_flight {
        glommio::spawn_local(log::write_blocks(Rc::clone(&log))).detach();
    }
    let listener =
        TcpListener::bind(args.listen).with_context(|| format!("listening on {}", args.listen))?;
    eprintln!("the sink listens on {}", listener.local_addr()?);
    let accepting = accept(listener, log, args.clone());
    match args.seconds {
        None => accepting.await,
        Some(seconds) => {
            let time_up = async {
                glommio::timer::sleep(Duration::from_secs(seconds)).await;
                Ok(())
            };
            futures_lite::future::or(accepting, time_up).await
        }
    }
}

/// Accepts connections until `connections_done` of them have ended.
async fn accept(listener: TcpListener, log: Rc<log::Log>, args: CeilingArgs) -> Result<()> {
    let ended = Rc::new(std::cell::Cell::new(0));
    let signal = Rc::new(crate::net::Signal::default());
    let all_ended = {
        let (ended, signal) = (Rc::clone(&ended), Rc::clone(&signal));
        async move {
            signal
                .until(|| (Some(ended.get()) == args.connections_done).then_some(()))
                .await;
            Ok(())
        }
    };
    let accepting = async move {
        loop {
            let stream = listener.accept().await?;
            let (log, ended, signal) = (Rc::clone(&log), Rc::clone(&ended), Rc::clone(&signal));
            glommio::spawn_local(async move {
                if let Err(error) = session::run(stream, log, args.read_bytes).await {
                    eprintln!("connection closed: {error:#}");
                }
                ended.set(ended.get() + 1);
                signal.wake();
            })
            .detach();
        }
    };
    futures_lite::future::or(accepting, all_ended).await
}
