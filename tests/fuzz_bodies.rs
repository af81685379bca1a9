//! The fuzz targets without a fuzzer: what they check is compiled and run with every change,
//! on inputs from fixed seeds. `tests/fuzz` has them for cargo-fuzz, which finds more.
//!
//! `CORELANE_TEST_FUZZ_SECONDS` has each of them run that long, from a fresh seed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the tests measure time")]

use std::time::{Duration, Instant};

#[path = "fuzz/bodies/object.rs"]
mod object;
#[path = "fuzz/bodies/record_batch.rs"]
mod record_batch;
#[path = "fuzz/bodies/requests.rs"]
mod requests;
#[path = "fuzz/bodies/wal_recovery.rs"]
mod wal_recovery;

#[path = "common/random.rs"]
#[allow(dead_code, reason = "other tests use all of it")]
mod random;

use random::Random;

/// Bytes that decoders take for something: mostly small numbers, so that lengths and counts
/// are plausible, here and there what is at an edge.
fn plausible(random: &mut Random, len: u64) -> Vec<u8> {
    let byte = |random: &mut Random| match random.below(16) {
        0..7 => 0,
        7..12 => random.below(4) as u8,
        12 => 0xff,
        13 => 0x80 | random.below(4) as u8,
        _ => random.next() as u8,
    };
    (0..len).map(|_| byte(random)).collect()
}

/// An input of up to `len_max` bytes: plausible ones, or an earlier one with some changed.
fn next_input(random: &mut Random, kept: &[Vec<u8>], len_max: u64) -> Vec<u8> {
    let len = 1 + random.below(len_max);
    if kept.is_empty() || random.one_in(4) {
        return plausible(random, len);
    }
    let mut input = kept[random.below(kept.len() as u64) as usize].clone();
    for _ in 0..=random.below(4) {
        let at = random.below(input.len() as u64) as usize;
        match random.below(4) {
            0 => input[at] ^= 1 << random.below(8),
            1 => input[at] = random.below(4) as u8,
            2 => input.truncate(at + 1),
            _ => {
                let len = random.below(16);
                input.extend(plausible(random, len));
            }
        }
    }
    input.truncate(len_max as usize);
    input
}

fn run(check: fn(&[u8]), count: u64, len_max: u64) {
    let time = std::env::var("CORELANE_TEST_FUZZ_SECONDS").ok();
    let time = time.map(|text| Duration::from_secs(text.parse().unwrap()));
    let seed = if time.is_some() { Random::seed() } else { 1 };
    println!("seed: CORELANE_TEST_SEED={seed}");
    let random = &mut Random::new(seed);
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let began = Instant::now();
    let mut inputs = 0;
    while time.map_or(inputs < count, |time| began.elapsed() < time) {
        let input = next_input(random, &kept, len_max);
        let result = std::panic::catch_unwind(|| check(&input));
        assert!(result.is_ok(), "the input is {input:?}");
        inputs += 1;
        // Nothing tells which inputs are good ones, so it is chance and a short memory.
        if kept.len() < 512 {
            kept.push(input);
        } else {
            kept[random.below(512) as usize] = input;
        }
    }
    println!("{inputs} inputs in {:.1?}", began.elapsed());
}

#[test]
fn requests() {
    run(requests::check, 600_000, 300);
}

#[test]
fn record_batches() {
    run(record_batch::check, 200_000, 400);
}

#[test]
fn objects() {
    run(object::check, 200_000, 400);
}

#[test]
fn wal_recovery() {
    run(wal_recovery::check, 6000, 200);
}

/// What an API makes of its own empty request, and of arrays that announce more than there is.
#[test]
fn every_api_and_version_decodes() {
    let count = corelane::kafka::ApiKey::ALL.len() as u8;
    for api in 1..=count {
        for version in 0..20 {
            requests::check(&[api, version]);
            for byte in [0, 1, 2, 0x7f, 0xff] {
                let mut input = vec![api, version];
                input.resize(100_000, byte);
                requests::check(&input);
            }
        }
    }
}

/// The most memory for the fewest bytes: an array that really has as many elements as it
/// says, each as small as can be, wherever in the request an array may begin.
#[test]
fn long_arrays_of_small_elements_take_memory_in_proportion() {
    const COUNT: u16 = 4000;
    let count = corelane::kafka::ApiKey::ALL.len() as u8;
    let mut compact = Vec::new();
    corelane::kafka::varint::write_u32(&mut compact, u32::from(COUNT) + 1);
    let plain = i32::from(COUNT).to_be_bytes().to_vec();
    for api in 1..=count {
        for version in 0..14 {
            for (length, byte) in [(&compact, 0), (&compact, 1), (&plain, 0)] {
                for at in 0..24 {
                    let mut input = vec![byte; 2 + at];
                    input[..2].copy_from_slice(&[api, version]);
                    input.extend_from_slice(length);
                    input.resize(input.len() + 4 * usize::from(COUNT), byte);
                    requests::check(&input);
                }
            }
        }
    }
}
