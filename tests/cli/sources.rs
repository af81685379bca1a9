//! Every setting from every source: flag, variable, file. The flags are read from the help,
//! which clap makes from the very table that it parses by, so that none can be forgotten here.

use super::{corelane, temp, with_file};

/// A value that no setting takes.
const BAD: &str = "?";

/// A value that each setting takes, and that the others here go together with.
const GOOD: &[(&str, &str)] = &[
    ("listen", "127.0.0.1:22"),
    ("advertise", "broker.example:7"),
    ("topology", "single"),
    ("cores", "1"),
    ("data-dir", "elsewhere"),
    ("memory", "100MiB"),
    ("wal-disk", "100MiB"),
    ("auto-create-topics", "false"),
    ("default-partitions", "2"),
    ("retention-check-interval", "1s"),
    ("log-retention-ms", "-1"),
    ("log-retention-bytes", "-1"),
    ("log-message-timestamp-before-max-ms", "0"),
    ("log-message-timestamp-after-max-ms", "0"),
    ("message-max-bytes", "2MiB"),
    ("producer-id-expiration-ms", "1000"),
    ("offsets-retention-minutes", "1"),
    ("offset-metadata-max-bytes", "0"),
    ("group-initial-rebalance-delay-ms", "0"),
    ("group-max-size", "1"),
    ("group-min-session-timeout-ms", "1"),
    ("group-max-session-timeout-ms", "6000"),
    ("group-consumer-session-timeout-ms", "50000"),
    ("group-consumer-min-session-timeout-ms", "40000"),
    ("group-consumer-max-session-timeout-ms", "50000"),
    ("group-consumer-heartbeat-interval-ms", "6000"),
    ("group-consumer-min-heartbeat-interval-ms", "4000"),
    ("group-consumer-max-heartbeat-interval-ms", "6000"),
    ("group-consumer-max-size", "1"),
    ("group-consumer-assignors", "range"),
    ("connections-max-idle-ms", "-1"),
    ("log-level", "warn"),
];

const OF_EVERY_PROGRAM: [&str; 2] = ["help", "version"];

/// The flags of a command with the variables that its help names.
fn flags(command: &[&str]) -> Vec<(String, String)> {
    let help = corelane(temp().path(), &[command, &["--help"]].concat(), &[]);
    let mut flags = Vec::new();
    let mut open = None;
    for word in help.out.split_whitespace() {
        if let Some(flag) = word
            .strip_prefix("--")
            .filter(|flag| !OF_EVERY_PROGRAM.contains(flag))
        {
            assert_eq!(open, None, "a flag without a variable, before --{flag}");
            open = Some(flag.to_owned());
        } else if word == "[env:" {
            flags.push((open.take().expect("a flag"), String::new()));
        } else if let Some((_, variable)) = flags.last_mut().filter(|(_, name)| name.is_empty()) {
            *variable = word.trim_end_matches(']').to_owned();
        }
    }
    assert_eq!(open, None, "a flag without a variable");
    flags
}

/// The settings: flags, and their variables.
fn settings() -> Vec<(String, String)> {
    let mut settings = flags(&["serve"]);
    settings.retain(|(flag, _)| flag != "config");
    settings
}

fn good(flag: &str) -> &'static str {
    let found = GOOD.iter().find(|(name, _)| *name == flag);
    found.unwrap_or_else(|| panic!("--{flag} is new")).1
}

#[test]
fn every_flag_has_its_variable_with_every_command() {
    let of_serve = flags(&["serve"]);
    for (flag, variable) in &of_serve {
        let expected = format!("CORELANE_{}", flag.replace('-', "_").to_uppercase());
        assert_eq!(*variable, expected);
    }
    assert_eq!(of_serve.len(), GOOD.len() + 1, "--config and the settings");
    assert_eq!(flags(&["doctor"]), of_serve);
    assert_eq!(flags(&[]), of_serve);
}

#[test]
fn every_setting_is_taken_from_every_source() {
    let settings = settings();
    let lines = settings.iter().map(|(flag, _)| {
        let value = good(flag);
        format!("{flag} = \"{value}\"\n")
    });
    let file: String = lines.collect();
    let by_file = with_file(&file, &["doctor", "--config", "corelane.toml"], &[]);
    let variables: Vec<_> = settings
        .iter()
        .map(|(flag, variable)| (variable.as_str(), good(flag)))
        .collect();
    let by_variables = corelane(temp().path(), &["doctor"], &variables);
    let args = settings
        .iter()
        .map(|(flag, _)| format!("--{flag}={}", good(flag)));
    let args: Vec<String> = args.collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let by_flags = corelane(temp().path(), &[&["doctor"], &args[..]].concat(), &[]);
    for run in [by_file, by_variables, by_flags] {
        assert_ne!(run.code, 2, "{}", run.err);
        assert!(run.out.contains("a budget of 100 MiB"), "{}", run.out);
        assert!(run.out.contains("elsewhere can be created"), "{}", run.out);
    }
}

#[test]
fn a_bad_value_is_refused_with_its_source() {
    for (flag, variable) in settings() {
        // Any text is a directory, but for none; and an empty variable is none at all.
        let bad = if flag == "data-dir" { "" } else { BAD };
        let by_flag = corelane(temp().path(), &["serve", &format!("--{flag}={bad}")], &[]);
        let file = format!("# ours\n{flag} = \"{bad}\"\n");
        let by_file = with_file(&file, &["serve", "--config", "corelane.toml"], &[]);
        let mut refused = vec![
            (by_flag, format!("--{flag} = {bad}: ")),
            (by_file, format!("corelane.toml:2: {flag} = {bad}: ")),
        ];
        if flag != "data-dir" {
            let run = corelane(temp().path(), &["serve"], &[(&variable, bad)]);
            refused.push((run, format!("{variable} = {bad}: ")));
        }
        for (run, given) in refused {
            assert_eq!((run.code, run.out.as_str()), (2, ""), "{given}{}", run.err);
            let reason = run.err.strip_prefix(&format!("error: {given}"));
            let reason = reason.unwrap_or_else(|| panic!("{given} in {}", run.err));
            assert!(reason.starts_with("expected "), "{}", run.err);
        }
    }
}

/// What the flag overrides is not even looked at; that a variable overrides the file, key by
/// key, is the layers' own test.
#[test]
fn a_flag_overrides_its_variable() {
    for (flag, variable) in settings() {
        let args = ["doctor", &format!("--{flag}={}", good(&flag)), "--cores=1"];
        let args = if flag == "cores" { &args[..2] } else { &args };
        let run = corelane(temp().path(), args, &[(&variable, BAD)]);
        assert_ne!(run.code, 2, "{}", run.err);
    }
}

#[test]
fn what_is_no_setting_is_refused_by_every_source() {
    let file = "cores = 1\ncolour = \"red\"\n";
    let table = [
        (
            corelane(temp().path(), &["serve", "--colour", "red"], &[]),
            "unexpected argument '--colour'",
        ),
        (
            corelane(temp().path(), &["serve"], &[("CORELANE_COLOUR", "red")]),
            "CORELANE_COLOUR: there is no such variable",
        ),
        (
            with_file(file, &["serve", "--config", "corelane.toml"], &[]),
            "corelane.toml:2: unknown key 'colour'",
        ),
        // The file cannot name another one.
        (
            with_file(
                "config = \"x\"\n",
                &["serve", "--config", "corelane.toml"],
                &[],
            ),
            "corelane.toml:1: unknown key 'config'",
        ),
    ];
    for (run, reason) in table {
        assert_eq!(run.code, 2, "{}", run.err);
        assert!(
            run.err.starts_with(&format!("error: {reason}")),
            "{}",
            run.err
        );
    }
}
