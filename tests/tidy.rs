//! The rules of the codebase as one test: who may import whom, how long a file
//! may be, where `unsafe` and glommio may be named, what the top level shows.

#![allow(
    clippy::unwrap_used,
    reason = "a tree that cannot be read fails the test"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// Each folder (or file) of `src` and what it may import from the crate. `base <- kafka <-
/// {wal, partition, catalog, object} <- shard <- runtime <- server <- cli`; siblings never meet.
const IMPORTS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("kafka", &["base"]),
    ("wal", &["base", "kafka"]),
    ("partition", &["base", "kafka"]),
    ("catalog", &["base", "kafka"]),
    ("object", &["base", "kafka"]),
    ("shard", &["base", "kafka", "wal", "partition", "catalog"]),
    ("config", &["base", "kafka", "catalog"]),
    (
        "runtime",
        &[
            "base",
            "kafka",
            "wal",
            "partition",
            "catalog",
            "shard",
            "config",
        ],
    ),
    (
        "server",
        &["base", "kafka", "catalog", "shard", "runtime", "config"],
    ),
    (
        "cli",
        &[
            "base", "kafka", "wal", "catalog", "object", "config", "runtime", "server",
        ],
    ),
    ("main", &["cli"]),
    ("lib", &[]),
];

/// The visible top level; more than this hides the architecture.
const TOP_LEVEL: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "ansible",
    "bench-harness",
    "src",
    "tests",
];

const LINES_MAX: usize = 800;
const LINES_SMELL: usize = 500;
/// Files that may pass [`LINES_SMELL`], each with its reason.
const LONG_FILES: &[&str] = &[];

#[test]
fn imports_run_one_way() {
    let mut broken = Vec::new();
    for file in rust_files(Path::new("src")) {
        let module = module_of(&file);
        let Some((_, allowed)) = IMPORTS.iter().find(|(name, _)| *name == module) else {
            broken.push(format!(
                "{}: folder {module} is not in the import table",
                file.display()
            ));
            continue;
        };
        for (number, line) in code_lines(&file) {
            for imported in imported_modules(&line) {
                let known = IMPORTS.iter().any(|(name, _)| *name == imported);
                if known && imported != module && !allowed.contains(&imported.as_str()) {
                    broken.push(format!(
                        "{}:{number}: {module} may not import {imported}",
                        file.display()
                    ));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn glommio_and_unsafe_stay_in_the_runtime() {
    let mut broken = Vec::new();
    for file in rust_files(Path::new("src")) {
        if module_of(&file) == "runtime" {
            continue;
        }
        for (number, line) in code_lines(&file) {
            if line.contains("glommio::")
                || line.contains("unsafe {")
                || line.contains("unsafe impl")
            {
                broken.push(format!("{}:{number}: {}", file.display(), line.trim()));
            }
        }
    }
    assert!(
        broken.is_empty(),
        "only src/runtime may do this:\n{}",
        broken.join("\n")
    );
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let mut broken = Vec::new();
    for file in rust_files(Path::new("src"))
        .into_iter()
        .chain(rust_files(Path::new("bench-harness")))
    {
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            if code.contains("unsafe {") || code.contains("unsafe impl") {
                let before = &lines[i.saturating_sub(8)..i];
                if !before.iter().any(|l| l.contains("SAFETY:")) {
                    broken.push(format!("{}:{}", file.display(), i + 1));
                }
            }
        }
    }
    assert!(
        broken.is_empty(),
        "no SAFETY sentence above:\n{}",
        broken.join("\n")
    );
}

#[test]
fn files_stay_small() {
    let mut broken = Vec::new();
    for root in ["src", "bench-harness", "tests", "benches"] {
        for file in rust_files(Path::new(root)) {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            let excused = LONG_FILES.iter().any(|long| file.ends_with(long));
            if lines > LINES_MAX || (lines > LINES_SMELL && !excused) {
                broken.push(format!("{}: {lines} lines", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "split these:\n{}", broken.join("\n"));
}

#[test]
fn every_module_says_what_it_owns() {
    let silent: Vec<_> = rust_files(Path::new("src"))
        .into_iter()
        .filter(|file| !fs::read_to_string(file).unwrap().starts_with("//!"))
        .map(|file| file.display().to_string())
        .collect();
    assert!(
        silent.is_empty(),
        "no //! at the top of:\n{}",
        silent.join("\n")
    );
}

#[test]
fn the_top_level_shows_the_architecture() {
    let mut extra: Vec<String> = fs::read_dir(".")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && !["target", "data"].contains(&name.as_str()))
        .filter(|name| !TOP_LEVEL.contains(&name.as_str()))
        .collect();
    extra.sort();
    assert!(
        extra.is_empty(),
        "not part of the visible top level: {extra:?}"
    );
}

/// All `.rs` files below `root`, build output left out.
fn rust_files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(root) else {
        return found;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// `src/wal/frame.rs` is in module `wal`, `src/config.rs` in `config`.
fn module_of(file: &Path) -> String {
    let below = file.strip_prefix("src").unwrap();
    let first = below
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_str()
        .unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// Lines with comments cut off, numbered from 1.
fn code_lines(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().enumerate();
    lines
        .map(|(i, line)| (i + 1, line.split("//").next().unwrap_or("").to_owned()))
        .collect()
}

/// The modules named after `crate::` or `corelane::` in a line, grouped imports included.
fn imported_modules(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for marker in ["crate::", "corelane::"] {
        for (at, _) in line.match_indices(marker) {
            let rest = &line[at + marker.len()..];
            let names = match rest.strip_prefix('{') {
                Some(group) => group.split('}').next().unwrap_or("").split(',').collect(),
                None => vec![rest],
            };
            for name in names {
                let name = name.trim();
                let end = name
                    .find(|c: char| !c.is_alphanumeric() && c != '_')
                    .unwrap_or(name.len());
                found.push(name[..end].to_owned());
            }
        }
    }
    found
}

#[test]
fn the_import_scanner_sees_grouped_and_nested_paths() {
    assert_eq!(
        imported_modules("use crate::{wal::Wal, base};"),
        ["wal", "base"]
    );
    assert_eq!(imported_modules("let x: crate::shard::Shard;"), ["shard"]);
}
