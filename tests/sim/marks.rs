//! Which branches the faults have reached. The marks of the core are found in its sources, so
//! that none can be forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Where the core is.
const CORE: &[&str] = &[
    "src/wal",
    "src/partition",
    "src/catalog",
    "src/group",
    "src/shard",
];

/// The marks that nothing has reached yet, as a line for the report.
pub fn report() -> String {
    let (all, reached) = (in_sources(), reached());
    let missing: Vec<&str> = all
        .iter()
        .filter(|name| !reached.contains_key(name.as_str()))
        .map(String::as_str)
        .collect();
    format!(
        "marks: {} of {} reached; never: {}\n",
        all.len() - missing.len(),
        all.len(),
        match missing.is_empty() {
            true => "none".to_owned(),
            false => missing.join(", "),
        }
    )
}

#[cfg(debug_assertions)]
fn reached() -> BTreeMap<&'static str, u64> {
    corelane::base::mark::all()
}

#[cfg(not(debug_assertions))]
fn reached() -> BTreeMap<&'static str, u64> {
    BTreeMap::new()
}

/// The names of all marks.
pub fn in_sources() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in CORE {
        collect(Path::new(folder), &mut names);
    }
    names
}

fn collect(path: &Path, names: &mut BTreeSet<String>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("the sources") {
            collect(&entry.expect("a file").path(), names);
        }
        return;
    }
    let text = fs::read_to_string(path).unwrap_or_default();
    for (at, opening) in text.match_indices("mark!(\"") {
        let rest = &text[at + opening.len()..];
        let name = rest.split('"').next().unwrap_or_default();
        assert!(names.insert(name.to_owned()), "mark {name} is there twice");
    }
}
