//! Messages of misuses, and programs that must compile.

/// Compared with the compiler that `rust-toolchain.toml` pins; `TRYBUILD=overwrite` writes the messages anew.
#[test]
fn every_misuse_is_explained() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
