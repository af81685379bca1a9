//! The broker as its user runs it: the program, on a data directory and ports of its
//! own. A test fails when the broker logs a WARN or ERROR that it did not announce.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::client::Client;
use super::faults;
pub use super::host::resident_bytes_of;
use super::host::takes_direct_writes;
use super::log::Log;
use super::ports::Ports;
use super::skip::skip;

/// How long a start may take before the test fails.
const START_MAX: Duration = Duration::from_secs(30);
/// How long a stop on SIGTERM may take before the test fails.
const STOP_MAX: Duration = Duration::from_secs(20);
/// What it says, once a start, where it writes buffered, and nowhere else.
const REFUSES_DIRECT_IO: &str = "refuses O_DIRECT";

/// As root, without what makes the kernel forget a limit of locked memory.
const GIVE_UP_RIGHTS: &str =
    "exec setpriv --bounding-set=-ipc_lock,-sys_resource --inh-caps=-ipc_lock,-sys_resource";

/// What a broker is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// `--cores`.
    pub cores: u16,
    /// Whether `--cores` is left out: the broker is to come to that number by itself.
    pub counts_cores: bool,
    /// The cgroup that it runs in, a directory.
    pub cgroup: Option<PathBuf>,
    /// `--topology single` instead of `per-core`.
    pub single: bool,
    /// As on a file system that refuses O_DIRECT.
    pub buffered: bool,
    /// `--memory`, MiB.
    pub memory_mib: u32,
    /// `--wal-disk`, MiB.
    pub wal_disk_mib: u32,
    /// Most open files that the process may have, as `ulimit -n` sets it.
    pub open_files: Option<u32>,
    /// Most memory that the process may lock, KiB, as `ulimit -l` sets it; without the right to
    /// lock more.
    pub locked_kib: Option<u32>,
    /// Largest file that the process may write, KiB.
    pub file_kib: Option<u32>,
    /// Whether a write beyond the limit of file sizes is an error instead of a signal.
    pub ignores_file_size_signal: bool,
    /// Variables of its environment that are to bring it into trouble.
    pub trouble: Vec<(&'static str, String)>,
    /// Further arguments.
    pub extra: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            cores: 2,
            counts_cores: false,
            cgroup: None,
            single: false,
            buffered: false,
            memory_mib: 128,
            wal_disk_mib: 128,
            open_files: None,
            locked_kib: None,
            file_kib: None,
            ignores_file_size_signal: false,
            trouble: Vec::new(),
            extra: Vec::new(),
        }
    }
}

impl Options {
    fn command(&self) -> Command {
        const BROKER: &str = env!("CARGO_BIN_EXE_corelane");
        let mut script = String::new();
        if let Some(cgroup) = &self.cgroup {
            script += &format!("echo $$ > '{}' && ", cgroup.join("cgroup.procs").display());
        }
        if let Some(open_files) = self.open_files {
            script += &format!("ulimit -n {open_files} && ");
        }
        if self.ignores_file_size_signal {
            script += "trap '' XFSZ && ";
        }
        if let Some(file_kib) = self.file_kib {
            // In blocks of 512 bytes, says POSIX.
            script += &format!("ulimit -f {} && ", 2 * file_kib);
        }
        if let Some(locked_kib) = self.locked_kib {
            script += &format!("ulimit -l {locked_kib} && {GIVE_UP_RIGHTS} ");
        } else if script.is_empty() {
            return Command::new(BROKER);
        } else {
            script += "exec ";
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", &(script + "\"$0\" \"$@\""), BROKER]);
        shell
    }

    /// The same with one more argument and its value.
    pub fn with(mut self, flag: &str, value: &str) -> Options {
        self.extra.push(format!("{flag}={value}"));
        self
    }
}

/// A broker, running or not, and its data.
pub struct Broker {
    options: Options,
    dir: PathBuf,
    /// Removes the directory in the end.
    own_dir: Option<TempDir>,
    ports: Ports,
    process: Option<Process>,
    log: Log,
    /// Whether it has to write buffered, because the file system here gives it no choice.
    never_direct: bool,
}

struct Process {
    child: Child,
    reader: JoinHandle<()>,
    /// Whether it has to write buffered.
    buffered: bool,
}

impl Broker {
    /// A running broker with the default options and an empty data directory.
    pub fn start() -> Broker {
        Broker::start_with(Options::default())
    }

    /// A running broker with an empty data directory.
    pub fn start_with(options: Options) -> Broker {
        let dir = tempfile::Builder::new()
            .prefix("broker-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .expect("a directory for the broker's data");
        let mut broker = Broker::stopped_in(dir.path(), options);
        broker.own_dir = Some(dir);
        broker.start_again();
        broker
    }

    /// A broker that does not run yet, on a directory that the caller has.
    pub fn stopped_in(dir: &Path, options: Options) -> Broker {
        let never_direct = !takes_direct_writes(dir);
        if never_direct && !options.buffered {
            skip("direct writes: this file system refuses O_DIRECT, so they are buffered");
        }
        Broker {
            options,
            dir: dir.join("data"),
            own_dir: None,
            ports: Ports::reserve(),
            process: None,
            log: Log::default(),
            never_direct,
        }
    }

    /// Lets the broker say `text` in a WARN or ERROR from here on.
    pub fn announce(&mut self, text: &str) {
        self.log.announce(text);
    }

    /// What the broker is started with next time.
    pub fn options(&mut self) -> &mut Options {
        &mut self.options
    }

    /// What it has as `--memory`, MiB.
    pub fn memory_mib(&self) -> u32 {
        self.options.memory_mib
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        &self.dir
    }

    /// Where shard `shard` listens. Numbers beyond the last shard begin again, so that a test
    /// may ask for another shard and be content with the only one.
    pub fn address(&self, shard: u16) -> SocketAddr {
        let step = match self.options.single {
            true => 0,
            false => shard % self.options.cores,
        };
        SocketAddr::from(([127, 0, 0, 1], self.ports.at(step)))
    }

    /// What a Kafka client is given as `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        self.address(0).to_string()
    }

    /// A connection to shard 0.
    pub fn client(&self) -> Client {
        Client::connect(self.address(0))
    }

    /// A connection to shard `shard`; see [`Broker::address`].
    pub fn client_of(&self, shard: u16) -> Client {
        Client::connect(self.address(shard))
    }

    /// Begins a start without waiting for it.
    pub fn spawn(&mut self) {
        assert!(self.process.is_none(), "the broker runs already");
        let mut command = self.options.command();
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CORELANE_") {
                command.env_remove(name);
            }
        }
        let options = &self.options;
        if options.buffered {
            command.env("NO_DIRECT_IO", "1");
        }
        if options.buffered || !options.trouble.is_empty() {
            command.env("LD_PRELOAD", faults::library());
        }
        command.envs(options.trouble.iter().cloned());
        command
            .args(["--listen", &self.address(0).to_string()])
            .args([
                "--topology",
                if options.single { "single" } else { "per-core" },
            ])
            .args(["--memory", &format!("{}MiB", options.memory_mib)])
            .args(["--wal-disk", &format!("{}MiB", options.wal_disk_mib)])
            .arg("--data-dir")
            .arg(&self.dir)
            .args(&options.extra);
        if !options.counts_cores {
            command.args(["--cores", &options.cores.to_string()]);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the broker's program starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        // It is said once in each start.
        self.log.forget(REFUSES_DIRECT_IO);
        let buffered = !self.writes_directly();
        let reader = self.log.read(stderr);
        self.process = Some(Process {
            child,
            reader,
            buffered,
        });
    }

    /// Starts with variables that may make it end by itself: `DIE_AT_STEP` (see
    /// `src/runtime/steps.rs`) or those of `faults.c`. Whether every shard answers; if not, it
    /// has ended or is about to.
    pub fn start_in_trouble(&mut self, variables: &[(&'static str, String)]) -> bool {
        self.options.trouble = variables.to_vec();
        self.spawn();
        self.options.trouble.clear();
        self.is_ready()
    }

    /// Starts, and waits until every shard answers.
    pub fn start_again(&mut self) {
        self.spawn();
        self.wait_until_ready();
    }

    /// A start that the broker must end by itself: how it ended, and what it said.
    pub fn start_in_vain(&mut self) -> (ExitStatus, String) {
        self.log.clear();
        self.spawn();
        let deadline = Instant::now() + START_MAX;
        let status = loop {
            if let Some(status) = self.exited() {
                break status;
            }
            assert!(Instant::now() < deadline, "it goes on\n{}", self.log());
            std::thread::sleep(Duration::from_millis(1));
        };
        let process = self.process.take().expect("it was started");
        process.reader.join().expect("the log's reader");
        let log = self.log();
        self.log.clear();
        (status, log)
    }

    /// Waits until every shard answers ApiVersions.
    pub fn wait_until_ready(&mut self) {
        if !self.is_ready() {
            let status = self.exited();
            panic!(
                "the broker ended during its start: {status:?}\n{}",
                self.log()
            );
        }
    }

    /// Waits until every shard answers ApiVersions, or the process has ended.
    fn is_ready(&mut self) -> bool {
        let deadline = Instant::now() + START_MAX;
        let listeners = if self.options.single {
            1
        } else {
            self.options.cores
        };
        for shard in 0..listeners {
            while !Client::is_served_at(self.address(shard)) {
                if self.exited().is_some() {
                    return false;
                }
                assert!(
                    Instant::now() < deadline,
                    "no start in {START_MAX:?}\n{}",
                    self.log()
                );
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let buffered = self.process.as_ref().is_some_and(|p| p.buffered);
        let said = self.log.count(REFUSES_DIRECT_IO);
        assert_eq!(said, usize::from(buffered), "{}", self.log());
        true
    }

    /// Whether it writes past the page cache: it was started that way, and the file system lets
    /// it.
    pub fn writes_directly(&self) -> bool {
        !self.options.buffered && !self.never_direct
    }

    /// Whether it was started and nobody has seen its end.
    pub fn is_started(&self) -> bool {
        self.process.is_some()
    }

    /// How the process ended, if it did.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        let process = self.process.as_mut()?;
        process.child.try_wait().expect("the state of our child")
    }

    /// Fails unless the process runs.
    pub fn assert_running(&mut self) {
        assert!(self.process.is_some(), "the broker was not started");
        if let Some(status) = self.exited() {
            panic!("the broker has ended: {status}\n{}", self.log());
        }
    }

    /// SIGKILL, and waits for the end of the process.
    pub fn kill(&mut self) {
        self.assert_running();
        let mut process = self.process.take().expect("it runs");
        process.child.kill().expect("SIGKILL");
        process.child.wait().expect("the end of our child");
        process.reader.join().expect("the log's reader");
        self.check_log();
    }

    /// Waits for the end of a process that gives up by itself.
    pub fn wait_for_abort(&mut self) {
        let status = self.wait_for_end();
        assert_eq!(status.signal(), Some(libc::SIGABRT), "{}", self.log());
        self.check_log();
    }

    /// SIGTERM; fails unless the broker ends by itself, in time and with success.
    pub fn stop(&mut self) {
        self.stop_on(Signal::TERM);
    }

    /// The same on another signal.
    pub fn stop_on(&mut self, signal: Signal) {
        self.assert_running();
        self.signal(signal);
        let status = self.wait_for_end();
        assert!(status.success(), "the stop: {status}\n{}", self.log());
        self.check_log();
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().expect("it was started");
        let id = Pid::from_raw(process.child.id() as i32);
        // Its end has not been waited for, so the id is still its own.
        kill_process(id.expect("a process id"), signal).expect("a signal to our child");
    }

    /// Waits for the end of the process, which must come in time.
    pub fn wait_for_end(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        let deadline = Instant::now() + STOP_MAX;
        let status = loop {
            match process.child.try_wait().expect("the state of our child") {
                Some(status) => break status,
                None if Instant::now() > deadline => {
                    process.child.kill().expect("SIGKILL");
                    panic!("no end in {STOP_MAX:?}\n{}", self.log());
                }
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        process.reader.join().expect("the log's reader");
        status
    }

    /// Everything the broker has written to stderr, all its starts together.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Whether a line of the log has `text`.
    pub fn has_logged(&self, text: &str) -> bool {
        self.log.count(text) > 0
    }

    /// The process id.
    pub fn process_id(&self) -> u32 {
        self.process.as_ref().expect("it runs").child.id()
    }

    /// Resident memory, bytes.
    pub fn resident_bytes(&self) -> u64 {
        resident_bytes_of(self.process_id()).expect("it runs")
    }

    /// Runs `corelane inspect wal --summary` on the data: what it says, and whether it
    /// found everything sound.
    pub fn inspect(&self) -> (String, bool) {
        let output = Command::new(env!("CARGO_BIN_EXE_corelane"))
            .args(["inspect", "wal", "--summary"])
            .arg(&self.dir)
            .output()
            .expect("the program starts");
        let text = [output.stdout, output.stderr].concat();
        (
            String::from_utf8_lossy(&text).into_owned(),
            output.status.success(),
        )
    }

    /// Fails if the broker has logged what it should not have.
    pub fn check_log(&self) {
        let is_buffered = !self.writes_directly();
        self.log.check(is_buffered.then_some(REFUSES_DIRECT_IO));
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if !std::thread::panicking() && self.process.is_some() {
            // What a stop finds left behind fails the test.
            self.stop();
        }
        if let Some(mut process) = self.process.take() {
            // Either fails only if the process is gone already.
            let _ = process.child.kill();
            let _ = process.child.wait();
            let _ = process.reader.join();
        }
        if std::thread::panicking() {
            if std::env::var_os("CORELANE_TEST_KEEP").is_some() {
                let kept = self.own_dir.take().map(TempDir::keep);
                eprintln!("the broker's data is kept: {kept:?}");
            }
            eprintln!("--- the broker's log ---\n{}\n---", self.log());
        } else {
            self.check_log();
        }
    }
}
