//! The broker as its user runs it: the program, on a data directory and ports of its
//! own. A test fails when the broker logs a WARN or ERROR that it did not announce.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::client::Client;
use super::faults;
use super::ports::Ports;

/// How long a start may take before the test fails.
const START_MAX: Duration = Duration::from_secs(30);
/// How long a stop on SIGTERM may take before the test fails.
const STOP_MAX: Duration = Duration::from_secs(20);
/// Log lines kept, the newest.
const LOG_LINES_MAX: usize = 20_000;
/// What the broker may always say: it is about the host that the test happens to run on.
const ABOUT_THE_HOST: [&str; 3] = [REFUSES_DIRECT_IO, "open files", "locked memory"];
/// What it says where it writes buffered.
const REFUSES_DIRECT_IO: &str = "refuses O_DIRECT";

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
        if script.is_empty() {
            return Command::new(BROKER);
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", &(script + "exec \"$0\" \"$@\""), BROKER]);
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
    log: Arc<Mutex<Vec<String>>>,
    announced: Vec<String>,
}

struct Process {
    child: Child,
    reader: JoinHandle<()>,
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
        Broker {
            options,
            dir: dir.join("data"),
            own_dir: None,
            ports: Ports::reserve(),
            process: None,
            log: Arc::default(),
            announced: Vec::new(),
        }
    }

    /// Lets the broker say `text` in a WARN or ERROR from here on.
    pub fn announce(&mut self, text: &str) {
        self.announced.push(text.to_owned());
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
        let log = self.log.clone();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = log.lock().expect("the log's lock");
                if log.len() >= LOG_LINES_MAX {
                    log.drain(..LOG_LINES_MAX / 2);
                }
                log.push(line);
            }
        });
        self.process = Some(Process { child, reader });
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
        self.log.lock().expect("the log's lock").clear();
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
        self.log.lock().expect("the log's lock").clear();
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
        if self.options.buffered {
            assert!(self.has_logged(REFUSES_DIRECT_IO), "{}", self.log());
        }
        true
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
        self.stop_on("-TERM");
    }

    /// The same on another signal, as kill(1) takes it.
    pub fn stop_on(&mut self, signal: &str) {
        self.assert_running();
        self.signal(signal);
        let status = self.wait_for_end();
        assert!(status.success(), "the stop: {status}\n{}", self.log());
        self.check_log();
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    fn signal(&self, signal: &str) {
        let process = self.process.as_ref().expect("it was started");
        let status = Command::new("kill")
            .args([signal, &process.child.id().to_string()])
            .status();
        assert!(status.expect("kill(1) starts").success());
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
        self.log.lock().expect("the log's lock").join("\n")
    }

    /// Whether a line of the log has `text`.
    pub fn has_logged(&self, text: &str) -> bool {
        let log = self.log.lock().expect("the log's lock");
        log.iter().any(|line| line.contains(text))
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
        // Without the lock, which a panic would poison for those who show the log.
        let log = self.log.lock().expect("the log's lock").clone();
        let bad: Vec<&String> = log.iter().filter(|line| self.is_unexpected(line)).collect();
        assert!(bad.is_empty(), "unexpected in the broker's log: {bad:#?}");
    }

    fn is_unexpected(&self, line: &str) -> bool {
        let is_bad = [" WARN ", " ERROR ", "panicked at", "error: "]
            .iter()
            .any(|word| line.contains(word));
        let announced = self.announced.iter().map(String::as_str);
        is_bad
            && !announced
                .chain(ABOUT_THE_HOST)
                .any(|text| line.contains(text))
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

/// Resident memory of a process, bytes, as long as it runs.
pub fn resident_bytes_of(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib = line.trim().trim_end_matches("kB").trim();
    Some(kib.parse::<u64>().ok()? * 1024)
}
