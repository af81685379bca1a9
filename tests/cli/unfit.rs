//! Settings that read well and do not fit the others or the host: refused as bad values are, with
//! the place where they were given.

use super::{corelane, temp, with_file};

/// A setting with its value, those that go with it, and what is wrong.
type Row = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static str,
);

#[rustfmt::skip] // One setting to a line.
const TABLE: &[Row] = &[
    ("memory", "1MiB", &["--cores=2"], "2 cores need at least 64 MiB, 32 MiB each"),
    ("wal-disk", "1MiB", &["--cores=2"], "2 cores need at least "),
    ("listen", "0.0.0.0:9092", &[], "clients cannot connect to 0.0.0.0; say with 'advertise' "),
    ("listen", "127.0.0.1:65535", &["--cores=2"], "2 cores need the ports from 65535 on, "),
    ("advertise", "a:65534", &["--cores=3"], "3 cores need the ports from 65534 on, "),
    ("group-min-session-timeout-ms", "1800001", &[], "that is more than group-max-session-"),
    ("group-max-session-timeout-ms", "5999", &[], "that is less than group-min-session-"),
];

#[test]
fn a_setting_that_does_not_fit_is_refused_with_its_source() {
    for (key, value, others, reason) in TABLE {
        let variable = format!("CORELANE_{}", key.replace('-', "_").to_uppercase());
        let by_flag = format!("--{key}={value}");
        let by_flag = corelane(temp().path(), &[&[&*by_flag], *others].concat(), &[]);
        let by_variable = corelane(temp().path(), others, &[(&variable, value)]);
        let file = format!("# ours\n\n{key} = \"{value}\"\n");
        let args = [&["--config=corelane.toml"], *others].concat();
        let by_file = with_file(&file, &args, &[]);
        // What overrides it is to blame, not what it overrides.
        let file = format!("{key} = \"{}\"\n", value.replace("65534", "65533"));
        let overrides = with_file(&file, &args, &[(&variable, value)]);
        for (run, given) in [
            (by_flag, format!("--{key} = {value}")),
            (by_variable, format!("{variable} = {value}")),
            (by_file, format!("corelane.toml:3: {key} = {value}")),
            (overrides, format!("{variable} = {value}")),
        ] {
            let expected = format!("error: {given}: {reason}");
            assert_eq!((run.code, run.out.as_str()), (2, ""), "{expected}");
            assert!(run.err.starts_with(&expected), "{expected} in {}", run.err);
        }
    }
}
