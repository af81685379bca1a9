//! SIGKILL exactly between two steps of the real drivers: while a start makes its files, while
//! segments are created, headed, cut, recycled and removed, manifests replaced, partitions
//! adopted, blocks written. The steps are found in the sources, so that none can be forgotten.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use corelane::base::checksum;

use crate::common::matrix::{Setup, matrix};
use crate::story::Story;

matrix! {
    own shards, "it goes from one number of shards to another":
        a_start_after_a_death_at_any_step_has_all_that_was_acknowledged;
}

const DRIVERS: &str = "src/runtime";
/// Only on the way of buffered writes.
const BUFFERED_ONLY: &str = "block.in-the-page-cache";

fn a_start_after_a_death_at_any_step_has_all_that_was_acknowledged(setup: Setup) {
    let mut steps = in_sources();
    if !setup.buffered {
        steps.remove(BUFFERED_ONLY);
    }
    for step in &steps {
        // At the first time of all and when the shards are others, or else at a later one.
        let later = 2 + checksum::crc32c(step.as_bytes()) % 3;
        let deaths = match setup.buffered && step != BUFFERED_ONLY {
            true => vec![(later as usize % 2 * 2, later)],
            false => vec![(0, 1), (2, 1)],
        };
        for (from, times) in deaths {
            let place = format!("{step}:{times}");
            let (end, log) = Story::new(setup, from, "DIE_AT_STEP", &place).tell();
            let has_died = end.is_some_and(|status| status.signal() == Some(libc::SIGKILL));
            assert_eq!(has_died, end.is_some(), "{step}: {end:?}\n{log}");
            assert!(has_died || (from, times) != (0, 1), "{step} is not reached");
        }
    }
    println!("{} steps", steps.len());
}

/// The names of all steps.
fn in_sources() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in std::fs::read_dir(Path::new(DRIVERS)).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap_or_default();
        for (at, opening) in text.match_indices("step!(\"") {
            let name = text[at + opening.len()..].split('"').next().unwrap();
            assert!(names.insert(name.to_owned()), "step {name} is there twice");
        }
    }
    assert!(!names.is_empty());
    names
}
