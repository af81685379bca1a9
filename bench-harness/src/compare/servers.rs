//! The servers under measurement: the sink and, unless it runs already, the
//! broker are child processes pinned to one CPU, killed when dropped.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::CompareArgs;
use crate::cluster::Broker;
use crate::{clock, executor};

const LOOPBACK: [u8; 4] = [127, 0, 0, 1];

/// A server that answers.
pub struct Server {
    /// `host:port`.
    pub address: String,
    /// Process id.
    pub pid: u32,
    /// Killed, and its data removed, when this is dropped.
    _child: Option<Running>,
}

struct Running {
    child: Child,
    data: Option<PathBuf>,
}

impl Server {
    /// Starts the sink.
    pub fn sink(args: &CompareArgs) -> Result<Server> {
        let address = free_address()?.to_string();
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["ceiling", "--listen", &address]);
        command.arg("--dir").arg(&args.dir);
        command.arg("--cpu").arg(args.server_cpu.to_string());
        command.arg("--file-bytes").arg(args.file_bytes.to_string());
        let child = Running {
            child: spawn_on(command, args.server_cpu)?,
            data: None,
        };
        Server::ready(args, address, child)
    }

    /// Starts the broker, or takes the one that runs already.
    pub fn broker(args: &CompareArgs) -> Result<Server> {
        if let (Some(address), Some(pid)) = (&args.bootstrap, args.broker_pid) {
            return Ok(Server {
                address: address.clone(),
                pid,
                _child: None,
            });
        }
        let command = args
            .broker_cmd
            .as_deref()
            .context("no broker to compare with")?;
        let data = args.dir.join("broker-data");
        if data.exists() {
            bail!("{} is there already; remove it first", data.display());
        }
        std::fs::create_dir_all(&data)?;
        let address = free_address()?;
        let command = command
            .replace("{data}", &data.display().to_string())
            .replace("{port}", &address.port().to_string());
        let mut shell = Command::new("sh");
        // exec: the process measured is the broker, not the shell.
        shell
            .arg("-c")
            .arg(format!("exec {command}"))
            .stdin(Stdio::null());
        let child = Running {
            child: spawn_on(shell, args.server_cpu)?,
            data: Some(data),
        };
        Server::ready(args, address.to_string(), child)
    }

    fn ready(args: &CompareArgs, address: String, mut running: Running) -> Result<Server> {
        let deadline = clock::now() + Duration::from_secs(args.start_seconds);
        loop {
            if let Some(status) = running.child.try_wait()? {
                bail!("the server at {address} ended: {status}");
            }
            match Broker::connect(&address) {
                Ok(_) => break,
                Err(error) if clock::now() >= deadline => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
        let pid = running.child.id();
        Ok(Server {
            address,
            pid,
            _child: Some(running),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Either may fail when the process is gone, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(data) = &self.data
            && let Err(error) = std::fs::remove_dir_all(data)
        {
            eprintln!("{} was not removed: {error}", data.display());
        }
    }
}

/// Starts `command` from a thread that is pinned to `cpu`: a child inherits the
/// CPUs of the thread that starts it.
fn spawn_on(mut command: Command, cpu: usize) -> Result<Child> {
    command.stdout(Stdio::null());
    let pinned = std::thread::spawn(move || {
        executor::run(executor::Settings::plain(Some(cpu)), async move {
            command.spawn()
        })
    });
    match pinned.join() {
        Ok(child) => child?.context("starting a server"),
        Err(_) => bail!("the thread that starts a server panicked"),
    }
}

/// A port that was free a moment ago.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(SocketAddr::from((LOOPBACK, 0)))?.local_addr()?)
}
