//! The signals that ask for a clean stop: SIGTERM and SIGINT (Ctrl-C).

use std::io;

use glommio::signal::{self, Signals};

use super::process;

const STOP: [libc::c_int; 2] = [libc::SIGTERM, libc::SIGINT];

/// Keeps the signals from ending the process by themselves. Before any thread is started,
/// so that all inherit it.
pub fn block() -> io::Result<()> {
    signal::block(&STOP).map_err(io::Error::from)
}

/// Resolves when the process is asked to stop.
pub async fn wait_for_stop() {
    let stopped = match Signals::new(&STOP) {
        Ok(signals) => signals.recv().await,
        Err(error) => Err(error),
    };
    if let Err(error) = stopped {
        process::abort("cannot wait for signals", &io::Error::from(error));
    }
}
