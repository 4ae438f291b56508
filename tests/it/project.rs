//! What the project promises of itself: sizes, documents, and what a build contains.

use std::path::Path;
use std::process::Command;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Lines that are not blank, not comments and not `use`.
fn lines_of_code(source: &str) -> usize {
    let is_code =
        |line: &&str| !line.is_empty() && !line.starts_with("//") && !line.starts_with("use ");
    source.lines().map(str::trim).filter(is_code).count()
}

#[test]
fn a_bank_account_takes_at_most_55_lines_of_domain_and_85_in_all() {
    let source = read("examples/account.rs");
    let formatted = Command::new("rustfmt")
        .args(["--edition", "2024", "--check", "examples/account.rs"])
        .current_dir(root())
        .status()
        .unwrap();
    assert!(formatted.success(), "counted as rustfmt leaves it");
    let (_, domain) = source.split_once("// domain: begin").unwrap();
    let (domain, _) = domain.split_once("// domain: end").unwrap();
    let (domain, all) = (lines_of_code(domain), lines_of_code(&source));
    assert!(domain <= 55, "{domain} lines of domain");
    assert!(all <= 85, "{all} lines in all");
}

#[test]
fn the_code_in_the_readme_is_the_example() {
    let (readme, example) = (read("README.md"), read("examples/account.rs"));
    let (_, domain) = example.split_once("// domain: begin\n").unwrap();
    let (domain, _) = domain.split_once("// domain: end").unwrap();
    assert!(readme.contains(domain.trim_end()), "the README shows another domain than the example");
}

#[test]
fn a_store_can_be_written_in_less_than_400_lines() {
    let lines = read("cqrs-core/src/store/memory.rs").lines().count();
    assert!(lines < 400, "{lines} lines");
}

/// The crates a user of the facade compiles with these features.
fn crates_compiled(features: &str) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", "cqrs", "--edges", "normal,build", "--prefix", "none"])
        .args(["--no-default-features", "--features", features])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn without_the_feature_postgres_nothing_of_postgres_is_compiled() {
    let default = crates_compiled("derive,sqlite");
    assert!(default.contains("sqlx-sqlite"), "{default}");
    assert!(!default.contains("postgres"), "{default}");
    let postgres = crates_compiled("derive,postgres");
    assert!(postgres.contains("sqlx-postgres") && !postgres.contains("sqlite"), "{postgres}");
}
