//! A stand-in for file systems that refuse O_DIRECT, on hosts that have none: a library that is
//! preloaded into the broker and answers such an open(2) as they do. The broker asks by an
//! ordinary call at its start and goes by the answer from then on.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const SOURCE: &str = include_str!("no_direct_io.c");

/// The library, built once.
pub fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build)
}

/// With the C compiler that the tests' own dependencies are built with.
fn build() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // Several test binaries may run at once.
    let unfinished = tempfile::Builder::new()
        .prefix("no_direct_io-")
        .tempdir_in(dir);
    let unfinished = unfinished.expect("a directory for the library");
    let (source, built) = (
        unfinished.path().join("no_direct_io.c"),
        unfinished.path().join("no_direct_io.so"),
    );
    std::fs::write(&source, SOURCE).expect("the library's source");
    let output = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .args([&built, &source])
        .output()
        .expect("cc(1) starts");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cc: {complaints}");
    let library = dir.join("no_direct_io.so");
    std::fs::rename(&built, &library).expect("the library gets its name");
    library
}
