//! The command line: reads the arguments, settles the settings, starts what was
//! asked for and turns its end into an exit code. Runs on the first thread,
//! before and after the shards; decides nothing about data.
//!
//! Exit codes: 0 done, 1 failed, 2 the command line or the configuration is wrong.

mod args;
mod consumer_group_args;
mod doctor;
mod group_args;
mod inspect;
mod logging;
mod settings;

use std::ffi::OsString;
use std::io::{BufWriter, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches};

use crate::config::{ConfigError, Settings};
use args::{Cli, Command, Inspect};

const FAILED: u8 = 1;
const USAGE: u8 = 2;

/// Runs the program with these arguments, the first of which is its own name.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match Cli::command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => return end_in_clap(&error),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return end_in_clap(&error),
    };
    let settled = |given: &args::SettingsArgs| {
        // The flags stand with the subcommand that they were written for.
        let own = matches.subcommand().map_or(&matches, |(_, own)| own);
        settings::settle(given, own)
    };
    let result = match &cli.command {
        None => settled(&cli.settings).map(serve),
        Some(Command::Serve(given)) => settled(given).map(serve),
        Some(Command::Doctor(given)) => settled(given).map(|settings| examine(&settings)),
        Some(Command::Inspect(what)) => Ok(inspect(what)),
    };
    match result {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => complain(&format!("{error:#}"), FAILED),
        Err(error) => complain(&wrong_settings(&error), USAGE),
    }
}

/// `--help` and `--version` are no errors; all else that clap ends in is one.
fn end_in_clap(error: &clap::Error) -> ExitCode {
    // Nobody is left to tell when the terminal is gone.
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::from(USAGE)
    } else {
        ExitCode::SUCCESS
    }
}

fn wrong_settings(error: &ConfigError) -> String {
    format!("{error}\n\nFor more information, try 'corelane --help'.")
}

fn complain(what: &str, code: u8) -> ExitCode {
    // As above.
    let _ = writeln!(std::io::stderr(), "error: {what}");
    ExitCode::from(code)
}

fn serve(settings: Settings) -> anyhow::Result<ExitCode> {
    logging::start(&settings.log_level)?;
    doctor::check_fatal(&settings).context("this host cannot run corelane")?;
    crate::server::run(settings)?;
    Ok(ExitCode::SUCCESS)
}

fn examine(settings: &Settings) -> anyhow::Result<ExitCode> {
    let report = doctor::examine(settings);
    write!(std::io::stdout(), "{report}").context("standard output")?;
    Ok(if report.is_fatal() {
        ExitCode::from(FAILED)
    } else {
        ExitCode::SUCCESS
    })
}

fn inspect(what: &Inspect) -> anyhow::Result<ExitCode> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let result = match what {
        Inspect::Wal(what) => inspect::wal(&what.path, what.summary, &mut out),
        Inspect::Object(what) => inspect::object(&what.file, what.summary, &mut out),
    };
    match result.and_then(|is_sound| Ok(out.flush().map(|()| is_sound)?)) {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::from(FAILED)),
        // The reader, `head` perhaps, has seen enough.
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = error
        .downcast_ref::<std::io::Error>()
        .map(std::io::Error::kind);
    kind == Some(std::io::ErrorKind::BrokenPipe)
}
