//! The program `corelane`: the command line of the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    corelane::cli::run(std::env::args_os())
}
