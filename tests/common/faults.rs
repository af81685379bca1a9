//! A stand-in for hosts that this one is not: a library that is preloaded into the broker and
//! answers calls as they do. The first lines of its source tell what it can do.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const SOURCE: &str = include_str!("faults.c");

/// The library, built once.
pub fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build)
}

/// With the C compiler that the tests' own dependencies are built with.
fn build() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // Several test binaries may run at once.
    let unfinished = tempfile::Builder::new().prefix("faults-").tempdir_in(dir);
    let unfinished = unfinished.expect("a directory for the library");
    let (source, built) = (
        unfinished.path().join("faults.c"),
        unfinished.path().join("faults.so"),
    );
    std::fs::write(&source, SOURCE).expect("the library's source");
    let output = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .args([&built, &source])
        .output()
        .expect("cc(1) starts");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cc: {complaints}");
    let library = dir.join("faults.so");
    std::fs::rename(&built, &library).expect("the library gets its name");
    library
}
