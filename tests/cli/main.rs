//! The command line as a user meets it: the program is run, and its output and
//! exit code are read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test waits for a process by the clock"
)]

#[path = "../common/mod.rs"]
mod common;

mod host;
mod sources;
mod starts;
mod unfit;

use std::path::Path;
use std::process::{Command, Output};

struct Run {
    code: i32,
    out: String,
    err: String,
}

/// The same without any setting from our own environment.
fn clean(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CORELANE_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs the program in a directory, without any setting from our own environment.
fn corelane(dir: &Path, args: &[&str], variables: &[(&str, &str)]) -> Run {
    let mut command = clean(Command::new(env!("CARGO_BIN_EXE_corelane")));
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .args(args)
        .envs(variables.iter().copied())
        .current_dir(dir)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run {
        code: status.code().unwrap(),
        out: text(stdout),
        err: text(stderr),
    }
}

fn temp() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Runs in a directory that is empty but for the file `corelane.toml`.
fn with_file(file: &str, args: &[&str], variables: &[(&str, &str)]) -> Run {
    let dir = temp();
    std::fs::write(dir.path().join("corelane.toml"), file).unwrap();
    corelane(dir.path(), args, variables)
}

/// The line of a doctor's report about one check.
fn line<'a>(run: &'a Run, check: &str) -> &'a str {
    let is_about = |line: &&str| line.get(9..).is_some_and(|rest| rest.starts_with(check));
    run.out
        .lines()
        .find(is_about)
        .unwrap_or_else(|| panic!("no {check} in {}{}", run.out, run.err))
}

#[test]
fn help_tells_every_flag_with_its_variable_and_default() {
    let dir = temp();
    let help = corelane(dir.path(), &["--help"], &[]);
    assert_eq!((help.code, help.err.as_str()), (0, ""));
    for word in [
        "--config <FILE>",
        "--listen <IP:PORT>",
        "[default: 127.0.0.1:9092] [env: CORELANE_LISTEN]",
        "--advertise <HOST[:PORT]>",
        "--topology <TOPOLOGY>",
        "--cores <N>",
        "--data-dir <DIR>",
        "[default: ./data] [env: CORELANE_DATA_DIR]",
        "--memory <SIZE>",
        "--wal-disk <SIZE>",
        "--auto-create-topics <true|false>",
        "--default-partitions <N>",
        "--retention-check-interval <DURATION>",
        "--log-level <LEVEL>",
        "A flag overrides its environment variable",
        "corelane doctor",
    ] {
        assert!(help.out.contains(word), "{word} is missing in {}", help.out);
    }
    let serve = corelane(dir.path(), &["serve", "--help"], &[]);
    assert!(serve.out.contains("--wal-disk <SIZE>"), "{}", serve.out);
}

#[test]
fn version_is_the_crates() {
    let version = corelane(temp().path(), &["--version"], &[]);
    assert_eq!(
        version.out,
        format!("corelane {}\n", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(version.code, 0);
}

#[test]
fn a_wrong_command_line_is_refused() {
    let table: &[(&[&str], &str)] = &[
        (&["--core", "2"], "'--cores'"),
        (&["sreve"], "'serve'"),
        (
            &["--cores", "0"],
            "--cores = 0: expected a whole number from 1 to 1024",
        ),
        (&["--cores", ""], "--cores = : expected a whole number"),
        (
            &["serve", "--memory", "lots"],
            "--memory = lots: expected bytes",
        ),
        (
            &["--topology", "ring"],
            "--topology = ring: expected per-core or single",
        ),
        (
            &["--listen", "example.com:9092"],
            "--listen = example.com:9092: expected IP:PORT",
        ),
        (&["--listen", "0.0.0.0:9092"], "'advertise'"),
        (
            &["--advertise", "0.0.0.0"],
            "no client can connect to 0.0.0.0",
        ),
        (&["--memory", "1MiB"], "--memory = 1MiB: "),
        (&["doctor", "--wal-disk", "1MiB"], "--wal-disk = 1MiB: "),
        (
            &["--cores", "2", "--cores", "3"],
            "cannot be used multiple times",
        ),
        (&["--config", "absent.toml"], "absent.toml: No such file"),
    ];
    for (args, reason) in table {
        let run = corelane(temp().path(), args, &[]);
        assert_eq!(
            (run.code, run.out.as_str()),
            (2, ""),
            "{args:?}: {}",
            run.err
        );
        assert!(
            run.err.starts_with("error: ") && run.err.contains(reason),
            "{}",
            run.err
        );
    }
}

#[test]
fn a_wrong_file_is_refused_with_the_line() {
    let table = [
        (
            "cores = 1\n\ncolour = \"red\"\n",
            "corelane.toml:3: unknown key 'colour'",
        ),
        (
            "cores = 1\ndata_dir = \"x\"\n",
            "corelane.toml:2: unknown key 'data_dir', did you mean",
        ),
        (
            "# two\n# lines\nmemory = \"lots\"\n",
            "corelane.toml:3: memory = lots: expected bytes",
        ),
        ("cores = 1\nmemory =\n", "corelane.toml:2: "),
        (
            "[server]\ncores = 1\n",
            "corelane.toml:1: unknown key 'server'",
        ),
    ];
    for (file, reason) in table {
        let run = with_file(file, &["--config", "corelane.toml"], &[]);
        assert_eq!(run.code, 2, "{}", run.err);
        assert!(
            run.err.starts_with(&format!("error: {reason}")),
            "{}",
            run.err
        );
    }
    // Also where a flag overrides the value.
    let run = with_file(
        "cores = 0\n",
        &["--cores", "1", "--config", "corelane.toml"],
        &[],
    );
    assert_eq!(run.code, 2, "{}", run.err);
}

#[test]
fn a_wrong_variable_is_refused_by_its_name() {
    let table = [
        (
            "CORELANE_CORES",
            "many",
            "CORELANE_CORES = many: expected a whole number",
        ),
        (
            "CORELANE_CORE",
            "2",
            "CORELANE_CORE: there is no such variable",
        ),
        (
            "CORELANE_CONFIG",
            "absent.toml",
            "absent.toml: No such file",
        ),
    ];
    for (name, value, reason) in table {
        let run = corelane(temp().path(), &["doctor"], &[(name, value)]);
        assert_eq!(run.code, 2, "{}", run.err);
        assert!(run.err.contains(reason), "{}", run.err);
    }
    let foreign = [
        ("CORELANE_SERVICE_HOST", "10.0.0.1"),
        ("CORELANE_PORT", "tcp://10.0.0.1:1"),
    ];
    assert_ne!(corelane(temp().path(), &["doctor"], &foreign).code, 2);
}

#[test]
fn flag_over_variable_over_file_over_default() {
    let file = "memory = \"101MiB\"\nwal-disk = \"101MiB\"\ncores = 1\n";
    let args = ["doctor", "--config", "corelane.toml", "--memory", "103MiB"];
    let variables = [
        ("CORELANE_MEMORY", "102MiB"),
        ("CORELANE_WAL_DISK", "102MiB"),
    ];
    let run = with_file(file, &args, &variables);
    assert!(
        line(&run, "memory").contains("a budget of 103 MiB"),
        "flag: {}",
        run.out
    );
    assert!(
        line(&run, "free space").contains("102 MiB for the WAL"),
        "variable: {}",
        run.out
    );
    assert!(
        line(&run, "cpus").contains("1 shard(s)"),
        "file: {}",
        run.out
    );
    assert!(
        line(&run, "data dir").contains("data can be created"),
        "default: {}",
        run.out
    );
    // The file's name can itself come from the environment, and an empty variable is none.
    let variables = [
        ("CORELANE_CONFIG", "corelane.toml"),
        ("CORELANE_MEMORY", ""),
    ];
    let run = with_file(file, &["doctor"], &variables);
    assert!(
        line(&run, "memory").contains("a budget of 101 MiB"),
        "{}",
        run.out
    );
}

#[test]
fn doctor_reports_each_check_and_leaves_nothing_behind() {
    let dir = temp();
    let run = corelane(dir.path(), &["doctor", "--cores", "1"], &[]);
    let checks = [
        "kernel",
        "io_uring",
        "memlock",
        "open files",
        "cpus",
        "memory",
        "data dir",
        "file system",
        "direct I/O",
        "write cache",
        "free space",
    ];
    for check in checks {
        let line = line(&run, check);
        assert!(
            ["ok ", "warning ", "FATAL "]
                .iter()
                .any(|word| line.starts_with(word)),
            "{line}"
        );
    }
    assert_eq!(run.out.lines().count(), checks.len() + 1, "{}", run.out);
    let verdict = run.out.lines().last().unwrap();
    let is_fatal = run.out.lines().any(|line| line.starts_with("FATAL"));
    assert_eq!(
        verdict.starts_with("corelane cannot run here"),
        is_fatal,
        "{verdict}"
    );
    assert_eq!(run.code, i32::from(is_fatal));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_fatal_finding_fails_doctor_and_stops_serve() {
    let dir = temp();
    std::fs::write(dir.path().join("data"), "in the way").unwrap();
    let run = corelane(dir.path(), &["doctor"], &[]);
    assert_eq!(run.code, 1, "{}", run.out);
    assert!(line(&run, "data dir").starts_with("FATAL"), "{}", run.out);
    assert!(
        line(&run, "data dir").contains("choose another --data-dir"),
        "{}",
        run.out
    );
    let run = corelane(dir.path(), &["serve"], &[]);
    assert_eq!(run.code, 1, "{}", run.err);
    let expected = "error: this host cannot run corelane: data dir: data is no directory; ";
    assert!(run.err.starts_with(expected), "{}", run.err);
}

#[test]
fn inspecting_nothing_fails_with_the_path() {
    let dir = temp();
    let run = corelane(dir.path(), &["inspect", "wal", "."], &[]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert_eq!(run.err, "error: .: there is no write-ahead log here\n");
    let run = corelane(dir.path(), &["inspect", "wal", "absent"], &[]);
    assert_eq!(run.code, 1);
    assert!(
        run.err.starts_with("error: absent: No such file"),
        "{}",
        run.err
    );
    assert_eq!(corelane(dir.path(), &["inspect"], &[]).code, 2);
}

#[test]
fn an_object_is_printed_and_judged() {
    let dir = temp();
    let golden = include_bytes!("../object/golden/object-v1.obj");
    std::fs::write(dir.path().join("good"), golden).unwrap();
    let run = corelane(dir.path(), &["inspect", "object", "good"], &[]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let lines: Vec<&str> = run.out.lines().collect();
    let head = "good: object 0001/00000004/00000002 of cluster BwcHBwcHBwcHBwcHBwcHBw, level 0";
    assert!(lines[0].starts_with(head), "{}", lines[0]);
    let chunk = "chunk 0: 01010101-0101-0101-0101-010101010101/0 offsets 40 to 60, 21 record(s) in \
                 3 batch(es), 198 bytes at 64";
    assert!(lines[1].starts_with(chunk), "{}", lines[1]);
    assert!(
        lines[1].ends_with("leader epoch(s) 3 from 40 4 from 60"),
        "{}",
        lines[1]
    );
    assert!(
        lines[2].starts_with("  state of chunk 0: 12 bytes at "),
        "{}",
        lines[2]
    );
    assert_eq!((lines.len(), lines[5]), (6, "sound"));
    let summary = corelane(dir.path(), &["inspect", "object", "--summary", "good"], &[]);
    assert_eq!(summary.out.lines().collect::<Vec<_>>(), [lines[0], "sound"]);

    let mut damaged = golden.to_vec();
    damaged[100] ^= 1;
    std::fs::write(dir.path().join("bad"), &damaged).unwrap();
    let run = corelane(dir.path(), &["inspect", "object", "--summary", "bad"], &[]);
    assert_eq!(run.code, 1);
    let lines: Vec<&str> = run.out.lines().collect();
    assert!(lines[1].starts_with("chunk 0: "), "{}", run.out);
    assert_eq!(
        lines[2..],
        [
            "  DAMAGED: the bytes do not match their CRC",
            "1 part(s) damaged"
        ]
    );

    std::fs::write(dir.path().join("short"), &golden[..500]).unwrap();
    let run = corelane(dir.path(), &["inspect", "object", "short"], &[]);
    assert_eq!(run.code, 1);
    assert_eq!(
        run.out,
        "short\n  DAMAGED: not an object, or cut short\n1 part(s) damaged\n"
    );
    let run = corelane(dir.path(), &["inspect", "object", "absent"], &[]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("absent"), "{}", run.err);
}
