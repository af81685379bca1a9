//! What the documents say of the tree: nothing that is not there, and nothing left out.

use std::fs;
use std::path::Path;

use super::IMPORTS;

/// What is told about the tree, with the folders that it leaves out of its paths.
const DOCUMENTS: &[(&str, &[&str])] = &[
    ("README.md", &[]),
    ("src/ARCHITECTURE.md", &["src"]),
    (
        "tests/README.md",
        &["src", "tests", "tests/durability", "tests/sim"],
    ),
];

/// Words of a text that are paths of this tree: those in backticks with a folder or with the end
/// of a file's name, and those that begin with a folder of the top level.
fn paths_in(text: &str) -> Vec<String> {
    let is_path = |word: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        word.chars().all(is_plain) && !word.starts_with(['/', '-', '.'])
    };
    let tops = ["src/", "tests/", "bench-harness/"];
    let ends = [".rs", ".md", ".c"];
    let mut found = Vec::new();
    for (i, part) in text.split('`').enumerate() {
        for word in part.split([' ', '\n', '(', ')', ',', ';', ':', '|']) {
            let word = word.trim_end_matches(['.', '/']);
            let is_code = i % 2 == 1 && ends.iter().any(|end| word.ends_with(end));
            if is_path(word) && (is_code || tops.iter().any(|top| word.starts_with(top))) {
                found.push(word.to_owned());
            }
        }
    }
    found
}

#[test]
fn documents_name_what_is_there() {
    let mut missing = Vec::new();
    for (document, folders) in DOCUMENTS {
        let paths = paths_in(&fs::read_to_string(document).unwrap());
        assert!(paths.len() > 3, "{document}: {paths:?}");
        for path in paths {
            let places = folders.iter().chain(&["."]);
            if !places
                .into_iter()
                .any(|folder| Path::new(folder).join(&path).exists())
            {
                missing.push(format!("{document}: {path}"));
            }
        }
    }
    assert!(missing.is_empty(), "not there:\n{}", missing.join("\n"));
}

#[test]
fn documents_name_all_that_is_there() {
    let architecture = fs::read_to_string("src/ARCHITECTURE.md").unwrap();
    let layers = architecture.lines().find(|line| line.contains(" <- {"));
    let layers = layers.expect("the line of the layers");
    for (layer, _) in IMPORTS
        .iter()
        .filter(|(name, _)| !["main", "lib"].contains(name))
    {
        let words = layers.split(|c: char| !c.is_alphanumeric());
        assert!(words.into_iter().any(|word| word == *layer), "{layer}");
    }
    let about_tests = fs::read_to_string("tests/README.md").unwrap();
    for entry in fs::read_dir("tests").unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let named = format!("`tests/{name}`");
        assert!(
            name == "README.md" || about_tests.contains(&named),
            "{named}"
        );
    }
}
