//! What `docs/known-defects.md` says is shown by tests that exist.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// All files with this ending below a folder, without what was built.
pub(super) fn sources(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(sources(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found
}

/// The names of all functions of the workspace.
fn functions() -> HashSet<String> {
    let mut names = HashSet::new();
    for path in sources(root(), "rs") {
        let source = fs::read_to_string(path).unwrap();
        for part in source.split("fn ").skip(1) {
            let name = part.split(|c: char| !(c.is_alphanumeric() || c == '_')).next();
            names.extend(name.map(str::to_owned));
        }
    }
    names
}

#[test]
fn every_test_that_is_named_for_a_known_defect_exists() {
    let document = fs::read_to_string(root().join("docs/known-defects.md")).unwrap();
    let functions = functions();
    let mut rows = 0;
    let lines = document.lines().filter(|line| line.starts_with("| "));
    for row in lines.filter(|line| !line.ends_with("| Tests |")) {
        let tests = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test is named: {row}");
        for name in named {
            assert!(functions.contains(name), "there is no test `{name}`: {row}");
        }
        rows += 1;
    }
    assert!(rows > 30, "{rows} rows");
}
