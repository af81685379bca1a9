//! Tests, or parts of them, that cannot run on this host: they say so where everybody sees it.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Says that the running test is skipped, or what of it, and why. The line goes past the
/// capture of the test harness, which shows nothing of tests that pass; continuous integration
/// lists these lines in its summary.
pub fn skip(why: &str) {
    static SKIPPED: AtomicUsize = AtomicUsize::new(0);
    let number = SKIPPED.fetch_add(1, Ordering::SeqCst) + 1;
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let why = why.trim().replace('\n', " ");
    let said = writeln!(
        std::io::stderr().lock(),
        "skipped: {test}: {why} (number {number} of this binary)"
    );
    said.expect("a skip that nobody hears of must not pass");
}
