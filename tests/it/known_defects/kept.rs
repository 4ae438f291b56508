//! Events that are changed or deleted after they were stored.

use std::fs;
use std::path::Path;

use super::documented::{root, sources};

/// Where a statement can stand, without what is compiled for tests alone.
fn statements() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for store in ["cqrs-sqlite", "cqrs-postgres"] {
        for folder in ["sql", "src", "migrations"] {
            for ending in ["sql", "rs"] {
                for path in sources(&root().join(store).join(folder), ending) {
                    let text = fs::read_to_string(&path).unwrap();
                    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                    found.push((path.display().to_string(), code.to_owned()));
                }
            }
        }
    }
    found
}

/// A tool that masks or compacts the events of one tenant can meet those of another. There is no statement that could.
#[test]
fn no_statement_changes_or_deletes_an_event() {
    let all = statements();
    assert!(
        all.iter().any(|(path, _)| Path::new(path).ends_with("sql/append.sql")),
        "{}",
        all.len()
    );
    for (path, text) in all {
        let words: Vec<String> = text
            .split(|c: char| !(c.is_alphanumeric() || "_.".contains(c)))
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        for three in words.windows(3) {
            let [first, second, third] = three else { continue };
            let of_events = |word: &str| matches!(word, "cqrs_events" | "cqrs.events");
            let changes = match &**first {
                "update" | "truncate" => of_events(second) || of_events(third),
                "delete" => second == "from" && of_events(third),
                _ => false,
            };
            assert!(!changes, "{path}: {}", three.join(" "));
        }
    }
}
