//! See `bodies/wal_recovery.rs`.
#![no_main]

#[path = "../bodies/wal_recovery.rs"]
mod wal_recovery;

libfuzzer_sys::fuzz_target!(|data: &[u8]| wal_recovery::check(data));
