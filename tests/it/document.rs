//! What `docs/guarantees.md` says of tests, files and patches is so.
//!
//! The lists of tests in it are made from the sources: `GUARANTEES=write cargo test -p cqrs-tests --test it document::`
//! writes them anew.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The guarantees are numbered from 1 to this.
const GUARANTEES: usize = 14;

/// The line above a list of tests.
const LIST: &str = "Tests:";

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn document() -> PathBuf {
    root().join("docs/guarantees.md")
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name == "target" || name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The functions of the workspace, by file, in the order in which they are written.
fn functions() -> BTreeMap<String, Vec<String>> {
    let names = |source: &str| {
        let after = source.split("fn ").skip(1);
        let name =
            |part: &str| part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        after.map(name).collect()
    };
    let file = |path: PathBuf| {
        let source = fs::read_to_string(&path).unwrap();
        (path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned(), names(&source))
    };
    files(root(), "rs").into_iter().map(file).collect()
}

/// The numbers a test begins with: 3 and 7 for `g3_g7_…`.
fn proven_by(test: &str) -> impl Iterator<Item = usize> {
    test.split('_').map_while(|part| part.strip_prefix('g')?.parse().ok())
}

/// The list of the tests that prove a guarantee, a line for each file.
fn list(guarantee: usize, functions: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let line = |(file, names): (&String, &Vec<String>)| {
        let tests = names.iter().filter(|name| proven_by(name).any(|number| number == guarantee));
        let tests: Vec<String> = tests.map(|name| format!("`{name}`")).collect();
        (!tests.is_empty()).then(|| format!("- `{file}`: {}", tests.join(", ")))
    };
    functions.iter().filter_map(line).collect()
}

/// The document with its lists as they should be, and the guarantees that have one.
fn with_lists(text: &str, functions: &BTreeMap<String, Vec<String>>) -> (String, Vec<usize>) {
    let (mut lines, mut listed, mut section) = (Vec::new(), Vec::new(), None);
    let mut old = text.lines().peekable();
    while let Some(line) = old.next() {
        lines.push(line.to_owned());
        if let Some(title) = line.strip_prefix("## ") {
            let number = title.strip_prefix('G').and_then(|title| title.split(':').next());
            section = number.and_then(|number| number.parse().ok());
        }
        if let (LIST, Some(guarantee)) = (line, section) {
            lines.push(String::new());
            lines.extend(list(guarantee, functions));
            listed.push(guarantee);
            while old.next_if(|line| line.is_empty() || line.starts_with("- `")).is_some() {}
            lines.push(String::new());
        }
    }
    (lines.join("\n") + "\n", listed)
}

/// What is between backticks, outside of blocks of code.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("\n```").step_by(2);
    prose.flat_map(|prose| prose.split('`').skip(1).step_by(2))
}

#[test]
fn the_tests_of_each_guarantee_are_listed() {
    let functions = functions();
    let text = fs::read_to_string(document()).unwrap();
    let (current, listed) = with_lists(&text, &functions);
    assert_eq!(listed, (1..=GUARANTEES).collect::<Vec<_>>(), "a section and a list for each");
    for guarantee in listed {
        assert!(!list(guarantee, &functions).is_empty(), "nothing proves G{guarantee}");
    }
    let no_guarantee =
        |name: &&String| proven_by(name).any(|number| !(1..=GUARANTEES).contains(&number));
    assert_eq!(functions.values().flatten().find(no_guarantee), None, "a number of no guarantee");
    if std::env::var("GUARANTEES").is_ok_and(|mode| mode == "write") {
        fs::write(document(), current).unwrap();
        return;
    }
    for (number, (is, should)) in text.lines().zip(current.lines()).enumerate() {
        assert_eq!(
            is,
            should,
            "docs/guarantees.md, line {}: tests have come or gone; \
             `GUARANTEES=write cargo test -p cqrs-tests --test it document::` writes the lists anew",
            number + 1
        );
    }
    assert_eq!(text, current);
}

#[test]
fn what_the_guarantees_name_exists() {
    let text = fs::read_to_string(document()).unwrap();
    let functions: HashSet<String> = functions().into_values().flatten().collect();
    for name in quoted(&text) {
        let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if is_word && name.matches('_').count() > 2 {
            assert!(
                functions.contains(name),
                "docs/guarantees.md names `{name}`, which is no test"
            );
        }
        let is_path = name.contains('/') && !name.contains([' ', '…', '*', ':']);
        if is_path {
            assert!(
                root().join(name).exists(),
                "docs/guarantees.md names `{name}`, which is no file"
            );
        }
    }
}

/// The places that a patch changes: the file, and the lines it has to find there.
fn changed(patch: &str) -> Vec<(&str, String)> {
    let (mut places, mut file) = (Vec::new(), "");
    for line in patch.lines() {
        if let Some(path) = line.strip_prefix("--- a/") {
            file = path;
        } else if line.starts_with("@@ ") {
            places.push((file, String::new()));
        } else if let (Some((_, found)), Some(' ' | '-')) = (places.last_mut(), line.chars().next())
            && !line.starts_with("--- ")
        {
            found.push_str(&line[1..]);
            found.push('\n');
        }
    }
    places
}

#[test]
fn patches_that_break_a_guarantee_fit_the_code_and_are_told_of() {
    let text = fs::read_to_string(document()).unwrap();
    let mut broken = HashSet::new();
    for path in files(&root().join("docs/guarantees"), "patch") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let patch = fs::read_to_string(&path).unwrap();
        let places = changed(&patch);
        assert!(!places.is_empty(), "{name} changes nothing");
        for (file, lines) in places {
            let source = fs::read_to_string(root().join(file)).unwrap();
            assert!(source.contains(&lines), "{name} finds no such lines in {file}:\n{lines}");
        }
        assert!(text.contains(&format!("`{name}`")), "docs/guarantees.md does not tell of {name}");
        let command = patch.lines().any(|line| line.starts_with("cargo test "));
        assert!(command, "{name} does not say which tests are to fail");
        broken.extend(proven_by(&name.replace(['-', '.'], "_")));
    }
    for guarantee in 1..=GUARANTEES {
        assert!(broken.contains(&guarantee), "no patch breaks G{guarantee}");
    }
}
