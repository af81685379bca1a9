//! The rules of the codebase as one test: who may import whom, how long a file
//! may be, where `unsafe` and glommio may be named, what the top level shows.

#![allow(
    clippy::unwrap_used,
    reason = "a tree that cannot be read fails the test"
)]

mod documents;

use std::fs;
use std::path::{Path, PathBuf};

use corelane::kafka::api::ApiKey;

/// Each folder (or file) of `src` and what it may import from the crate. `base <- kafka <-
/// {wal, partition, catalog, group, object} <- shard <- runtime <- server <- cli`; siblings never meet.
const IMPORTS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("kafka", &["base"]),
    ("wal", &["base", "kafka"]),
    ("partition", &["base", "kafka"]),
    ("catalog", &["base", "kafka"]),
    ("group", &["base", "kafka"]),
    ("object", &["base", "kafka"]),
    (
        "shard",
        &["base", "kafka", "wal", "partition", "catalog", "group"],
    ),
    ("config", &["base", "kafka", "catalog"]),
    (
        "runtime",
        &[
            "base",
            "kafka",
            "wal",
            "partition",
            "catalog",
            "group",
            "shard",
            "config",
        ],
    ),
    (
        "server",
        &[
            "base", "kafka", "catalog", "group", "shard", "runtime", "config",
        ],
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

/// Folders that decide and do nothing else: all of `tests/sim` runs on this.
const PURE: &[&str] = &[
    "base",
    "kafka",
    "wal",
    "partition",
    "catalog",
    "group",
    "object",
    "shard",
];

/// What does something, or knows what was not told. (The clock is denied by `.clippy.toml`.)
const IMPURE: &[&str] = &[
    ".await",
    "async fn",
    "async move",
    "tracing::",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "Instant::now",
    "SystemTime",
    "getrandom",
    "libc::",
    "rustix",
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
        let code: Vec<_> = code_lines(&file)
            .into_iter()
            .map(|(_, line)| line)
            .collect();
        for (number, imported) in imports(&code.join("\n"), depth_of(&file)) {
            let known = IMPORTS.iter().any(|(name, _)| *name == imported);
            if known && imported != module && !allowed.contains(&imported.as_str()) {
                broken.push(format!(
                    "{}:{number}: {module} may not import {imported}",
                    file.display()
                ));
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
fn pure_folders_only_decide() {
    let mut broken = Vec::new();
    for folder in PURE {
        for file in rust_files(&Path::new("src").join(folder)) {
            for (number, line) in code_lines(&file) {
                let found = IMPURE.iter().find(|word| line.contains(*word));
                broken.extend(found.map(|word| format!("{}:{number}: {word}", file.display())));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    for (layer, _) in IMPORTS {
        let is_driver = ["config", "runtime", "server", "cli", "main", "lib"].contains(layer);
        assert_ne!(PURE.contains(layer), is_driver, "{layer}");
    }
}

#[test]
fn every_api_has_its_file_of_messages_and_its_handler() {
    for api in ApiKey::ALL {
        let mut name = String::new();
        for c in api.spec().name.chars() {
            if c.is_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.extend(c.to_lowercase());
        }
        for folder in ["src/kafka/messages", "src/server/api"] {
            let file = format!("{folder}/{name}.rs");
            assert!(Path::new(&file).is_file(), "{api:?} has no {file}");
        }
    }
}

#[test]
fn cargo_test_means_all_members() {
    let manifest = fs::read_to_string("Cargo.toml").unwrap();
    let list = |key: &str| {
        let start = format!("\n{key} = [");
        let rest = &manifest[manifest.find(&start).unwrap() + start.len()..];
        let names = rest[..rest.find(']').unwrap()].split(',');
        let names = names.map(|name| name.trim().trim_matches('"').to_owned());
        names.collect::<Vec<_>>()
    };
    let mut expected = vec![".".to_owned()];
    expected.extend(list("members"));
    assert_eq!(list("default-members"), expected);
    // What `cargo run` means then.
    assert!(manifest.contains("\ndefault-run = \"corelane\"\n"));
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

/// How many modules a file is below the crate's root: `src/wal/frame.rs` two, `src/wal/mod.rs`
/// and `src/wal.rs` one, `src/lib.rs` none.
fn depth_of(file: &Path) -> usize {
    let below = file.strip_prefix("src").unwrap();
    let is_own = !["mod.rs", "lib.rs", "main.rs"]
        .iter()
        .any(|name| below.ends_with(name));
    below.components().count() - 1 + usize::from(is_own)
}

/// The modules of the crate's root that code names, each with its line: behind `crate::`,
/// `corelane::`, or as many `super::` as lead there from a file `depth` modules below it.
fn imports(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let starts = ["crate::", "corelane::", "super::"];
    let starts = starts.iter().flat_map(|start| code.match_indices(start));
    for (at, start) in starts {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let ups = match start {
            "super::" => depth + inline_modules_around(code, at),
            _ => 0,
        };
        let from = if start == "super::" {
            at
        } else {
            at + start.len()
        };
        below_the_root(code, from, ups, &mut found);
    }
    let line_of = |at| 1 + code[..at].matches('\n').count();
    let mut found: Vec<_> = found
        .into_iter()
        .map(|(at, name)| (line_of(at), name))
        .collect();
    found.sort();
    found
}

/// The first names of a path or of a group of paths that are below the root, which is `ups`
/// times `super` away.
fn below_the_root(code: &str, at: usize, ups: usize, found: &mut Vec<(usize, String)>) {
    let at = at + code[at..].len() - code[at..].trim_start().len();
    let rest = &code[at..];
    if rest.starts_with('{') {
        let mut open = 0;
        for (i, c) in rest.char_indices() {
            let is_next = (c == '{' && open == 0) || (c == ',' && open == 1);
            open += usize::from(c == '{');
            open -= usize::from(c == '}');
            if open == 0 {
                return;
            }
            if is_next {
                below_the_root(code, at + i + 1, ups, found);
            }
        }
    } else if let Some(above) = rest.strip_prefix("super::") {
        if ups > 0 {
            below_the_root(code, code.len() - above.len(), ups - 1, found);
        }
    } else if ups == 0 {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        let name = &rest[..end.unwrap_or(rest.len())];
        if !name.is_empty() {
            found.push((at, name.to_owned()));
        }
    }
}

/// How many `mod name {` of this file the place is in. The code is formatted: such a module
/// ends with a brace that stands as far in as its beginning.
fn inline_modules_around(code: &str, at: usize) -> usize {
    let mut open: Vec<usize> = Vec::new();
    for line in code[..at].lines() {
        let code = line.trim();
        let indent = line.len() - line.trim_start().len();
        if code == "}" && open.last() == Some(&indent) {
            open.pop();
        }
        let words: Vec<_> = code.split_whitespace().collect();
        if code.ends_with('{') && words.len() >= 3 && words[words.len() - 3] == "mod" {
            open.push(indent);
        }
    }
    open.len()
}

#[test]
fn the_import_scanner_sees_every_way_to_name_a_module() {
    /// Code, how deep its file is, and what it imports from the root.
    type Row = (&'static str, usize, &'static [(usize, &'static str)]);
    let table: [Row; 13] = [
        (
            "use crate::{wal::Wal, base};",
            1,
            &[(1, "base"), (1, "wal")],
        ),
        ("let x: crate::shard::Shard;", 1, &[(1, "shard")]),
        (
            "use crate::{\n    base::{Lsn, Now},\n    shard,\n};\nuse crate::wal;",
            2,
            &[(2, "base"), (3, "shard"), (5, "wal")],
        ),
        ("use corelane::kafka::Reader;", 0, &[(1, "kafka")]),
        ("$crate::base::mark!()", 1, &[(1, "base")]),
        ("use super::units;", 2, &[]),
        ("use super::super::wal::Wal;", 2, &[(1, "wal")]),
        ("use super::super::wal::Wal;", 3, &[]),
        ("use super::wal::Wal;", 1, &[(1, "wal")]),
        (
            "use super::{units, super::{\nshard::Shard, base}};",
            2,
            &[(2, "base"), (2, "shard")],
        ),
        (
            "mod tests {\n    use super::super::shard;\n}\n",
            1,
            &[(2, "shard")],
        ),
        (
            "pub(super) mod a {\n    use super::shard;\n}\nuse super::wal;",
            1,
            &[(4, "wal")],
        ),
        ("use mycrate::wal; use a::super_::wal;", 1, &[]),
    ];
    for (code, depth, expected) in table {
        let expected: Vec<_> = expected
            .iter()
            .map(|(l, name)| (*l, (*name).to_owned()))
            .collect();
        assert_eq!(imports(code, depth), expected, "{code}");
    }
    for (file, depth) in [
        ("wal/frame.rs", 2),
        ("wal/mod.rs", 1),
        ("wal.rs", 1),
        ("lib.rs", 0),
    ] {
        assert_eq!(depth_of(&Path::new("src").join(file)), depth, "{file}");
    }
}
