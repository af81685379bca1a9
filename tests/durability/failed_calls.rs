//! Calls to the file system that fail, one at a time: a start is refused, or the process ends at
//! once, or it says so and goes on, whichever is right for the call. Nothing acknowledged is lost
//! and the next start works. (Blocks of the WAL are written by way of io_uring, which
//! `failed_write.rs` is about.)

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use crate::common::matrix::{Setup, matrix};
use crate::story::Story;

matrix! {
    own shards, "it goes from one number of shards to another":
        a_failed_call_to_the_file_system_loses_nothing;
}

/// What the broker does about a failed call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Then {
    /// It does not start.
    Refuses,
    /// It ends at once.
    Aborts,
    /// It tries again or does without.
    GoesOn,
}
use Then::{Aborts, GoesOn, Refuses};

impl Then {
    fn of(end: Option<ExitStatus>) -> Then {
        match end {
            None => GoesOn,
            Some(status) if status.code() == Some(1) => Refuses,
            Some(status) if status.signal() == Some(libc::SIGABRT) => Aborts,
            Some(status) => panic!("it ended with {status}"),
        }
    }
}

const EIO: i32 = libc::EIO;
const ENOSPC: i32 = libc::ENOSPC;

/// The call and the end of its path, the error, after how many starts, what the broker does, and
/// what it says.
#[rustfmt::skip] // One call to a line.
const CALLS: &[(&str, &str, i32, usize, Then, &str)] = &[
    // The file that names the cluster.
    ("write", "/lock", EIO, 0, Refuses, "/lock: "),
    ("write", "/corelane.tmp", EIO, 0, Refuses, "/corelane.toml: "),
    ("fsync", "/corelane.tmp", EIO, 1, Refuses, "/corelane.toml: "),
    ("rename", "/corelane.tmp", EIO, 1, Refuses, "/corelane.toml: "),
    ("fsync", "/data", EIO, 0, Refuses, "/wal: "),
    // Manifests: of a new WAL, and of one with records.
    ("fsync", "/manifest.tmp", EIO, 0, Refuses, "/wal/shard-000: "),
    ("fsync", "/manifest.tmp", EIO, 1, Aborts, "writing the manifest of a WAL failed"),
    ("rename", "/manifest.tmp", EIO, 1, Aborts, "writing the manifest of a WAL failed"),
    // For this there is a reserve.
    ("fsync", "/shard-000/manifest.tmp", ENOSPC, 1, GoesOn, ""),
    // Segments.
    ("write", "/000000.wal", EIO, 0, GoesOn, "cannot create a WAL segment"),
    ("write", "/000001.wal", ENOSPC, 0, GoesOn, "cannot create a WAL segment"),
    ("fsync", "/000000.wal", EIO, 0, GoesOn, "cannot create a WAL segment"),
    ("ftruncate", "/000000.wal", EIO, 1, Aborts, "shortening "),
    ("ftruncate", "/000000.wal", ENOSPC, 1, GoesOn, "cannot give back what is unused"),
    ("unlink", "/000000.wal", EIO, 1, GoesOn, "cannot remove a WAL segment"),
    // What recovery found must be durable before it is shown.
    ("fdatasync", ".wal", EIO, 2, Refuses, "cannot recover "),
];

fn a_failed_call_to_the_file_system_loses_nothing(setup: Setup) {
    for &(call, path, error, from, then, says) in CALLS {
        let fault = format!("{call}:{path}:1:{error}");
        let mut story = Story::new(setup, from, "FAIL_CALL", &fault).once();
        if !says.is_empty() {
            story.broker.announce(says);
        }
        let (end, log) = story.tell();
        assert_eq!(Then::of(end), then, "{fault}\n{log}");
        assert!(log.contains(says), "{fault}: {says:?} is missing in\n{log}");
        let twice = |line: &str| line.matches("os error").count() > 1;
        assert!(!log.lines().any(twice), "a cause is told twice in\n{log}");
    }
}
