//! Starts as a user begins: without a word, and on hosts that give too little.

use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use corelane::config::Host;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::clean;
use crate::common::batches::one;
use crate::common::broker::{Broker, Options};
use crate::common::client::Client;
use crate::common::ops::{create_topic, fetch, must_produce};
use crate::common::skip::skip;

/// Kafka's port, where a broker listens that nobody told where.
const PORT: u16 = 9092;
/// How long a start or a stop may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Set where the test runs in a network of its own.
const OWN_NETWORK: &str = "CORELANE_TEST_OWN_NETWORK";

fn address(shard: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], PORT + shard))
}

/// `cargo run --release` and nothing more: it works where one is, on Kafka's port. Others may use
/// that port, so this runs in a network of its own where the host allows it.
#[test]
fn without_a_word_it_serves_on_kafkas_port_with_data_below() {
    if std::env::var_os(OWN_NETWORK).is_none() {
        let this = std::env::current_exe().unwrap();
        let script = "ip link set lo up && exec \"$0\" --exact \
            starts::without_a_word_it_serves_on_kafkas_port_with_data_below";
        let output = Command::new("unshare")
            .args(["-n", "sh", "-c", script])
            .arg(this)
            .env(OWN_NETWORK, "1")
            .output();
        if let Ok(output) = output {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            // That it got as far as the test; without the means it did not.
            if said.contains("running 1 test") {
                let errors = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{said}{errors}");
                return;
            }
        }
    }
    let shards = u16::try_from(Host::read().parallelism).unwrap();
    let is_free = |shard| TcpListener::bind(address(shard)).is_ok();
    if !(0..shards).all(is_free) {
        return skip("there is no network of its own here, and another has Kafka's port");
    }
    serve_without_a_word(shards);
}

fn serve_without_a_word(shards: u16) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut broker = clean(Command::new(env!("CARGO_BIN_EXE_corelane")))
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    for shard in 0..shards {
        while !Client::is_served_at(address(shard)) {
            assert!(Instant::now() < deadline, "shard {shard} does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    let mut client = Client::connect(address(0));
    create_topic(&mut client, "first", 1, &[]);
    assert_eq!(must_produce(&mut client, "first", 0, one(b"word")), 0);
    let found = fetch(&mut client, "first", 0, 0);
    assert_eq!(found.batches()[0].values(), [Some(b"word".to_vec())]);
    let made = std::fs::read_dir(dir.path()).unwrap();
    let made: Vec<_> = made.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(made, ["data"]);
    // Ctrl-C.
    let id = Pid::from_raw(i32::try_from(broker.id()).unwrap()).unwrap();
    kill_process(id, Signal::INT).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        match broker.try_wait().unwrap() {
            Some(status) => break status,
            None => assert!(Instant::now() < deadline, "it does not stop"),
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(status.code(), Some(0));
}

#[test]
fn too_few_open_files_stop_a_start() {
    let dir = super::temp();
    let script = "ulimit -n 64 && exec \"$0\" serve";
    let output = clean(Command::new("sh"))
        .args(["-c", script, env!("CARGO_BIN_EXE_corelane")])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    let expected = "error: this host cannot run corelane: open files: only 64 may be open, ";
    assert!(error.starts_with(expected), "{error}");
    assert!(error.contains("LimitNOFILE="), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// A broker without CAP_IPC_LOCK that may lock so much, KiB.
fn with_locked_kib(locked_kib: u32, cores: u16) -> (Broker, TempDir) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let options = Options {
        cores,
        memory_mib: 64 * u32::from(cores),
        wal_disk_mib: 64 * u32::from(cores),
        locked_kib: Some(locked_kib),
        ..Options::default()
    };
    (Broker::stopped_in(dir.path(), options), dir)
}

/// One after the other: what all processes of a user lock counts together, but for those with
/// CAP_IPC_LOCK, which the other tests' brokers have as root.
#[test]
fn locked_memory_decides_whether_and_how_it_starts() {
    if !rustix::process::geteuid().is_root() {
        return skip("what other brokers of this user have locked counts as well");
    }
    if Command::new("setpriv").arg("--version").output().is_err() {
        return skip("no setpriv(1) to give up CAP_IPC_LOCK with");
    }
    without_enough_for_a_ring_it_says_what_to_do();
    without_enough_for_all_shards_it_ends_instead_of_waiting();
    with_little_it_says_so_once_and_serves(1, 512);
    with_little_it_says_so_once_and_serves(3, 6 * 1024);
}

fn without_enough_for_a_ring_it_says_what_to_do() {
    let (mut broker, _dir) = with_locked_kib(511, 1);
    let (status, log) = broker.start_in_vain();
    assert_eq!(status.code(), Some(1), "{log}");
    let expected = "error: this host cannot run corelane: io_uring: no ring could be created: ";
    assert!(log.contains(expected), "{log}");
    assert!(log.contains("raise the memlock limit"), "{log}");
    assert!(!broker.data_dir().exists());
}

fn without_enough_for_all_shards_it_ends_instead_of_waiting() {
    let (mut broker, _dir) = with_locked_kib(512, 3);
    let (status, log) = broker.start_in_vain();
    assert_eq!(status.code(), Some(1), "{log}");
    let expected = "error: cannot start the executor of shard ";
    assert!(log.contains(expected), "{log}");
    assert!(log.contains("run `corelane doctor`"), "{log}");
}

fn with_little_it_says_so_once_and_serves(cores: u16, locked_kib: u32) {
    let (mut broker, _dir) = with_locked_kib(locked_kib, cores);
    broker.start_again();
    create_topic(&mut broker.client(), "locked", i32::from(cores), &[]);
    for partition in 0..i32::from(cores) {
        for size in [10, 300_000] {
            let batch = one(&vec![1; size]);
            must_produce(&mut broker.client(), "locked", partition, batch);
        }
    }
    let said = broker.log().matches("the limit of locked memory").count();
    assert_eq!(said, 1, "{}", broker.log());
    broker.stop();
}
