//! Texts that something on their way may take for something else.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRng, TestRunner};

/// What databases, languages, terminals and parsers have a meaning for.
pub(super) const TEXTS: &[&str] = &[
    "'; DROP TABLE cqrs_events; --",
    "'); DELETE FROM cqrs.events; --",
    "\"; DROP SCHEMA cqrs CASCADE; --",
    "' OR '1'='1",
    "' UNION SELECT payload FROM cqrs_events --",
    "1; UPDATE cqrs_events SET payload = '{}'",
    "\\'; SELECT pg_sleep(100); --",
    "$$; DROP TABLE cqrs.events; $$",
    "E'\\x00'",
    "]}',1)]; --",
    "'",
    "''",
    "\"",
    "\"\"",
    "`",
    "[a]",
    "\\",
    "\\\\",
    "\\u0000",
    "\\ud800",
    "%",
    "%%",
    "_",
    "a_c",
    "a%c",
    "*",
    "$1",
    "?1",
    "?",
    ":a",
    "@a",
    "#a",
    "$1::text",
    "{}",
    "{a,b}",
    "{\"a\":1}",
    "[\"a\"]",
    "null",
    "NULL",
    "/* a",
    "*/ a",
    "-- a",
    "a;b",
    "a,b",
    "a b",
    " a ",
    "\ta\n",
    "\r",
    "\r\n",
    "\u{1}",
    "\u{7f}",
    "\u{1b}[31m",
    "\u{200b}",
    "a\u{200d}b",
    "\u{feff}a",
    "\u{202e}cba",
    "\u{2066}a\u{2069}",
    "\u{5d0}\u{5d1}",
    "\u{1f980}",
    "\u{10ffff}",
    "\u{fffd}",
    "e\u{301}",
    "\u{e9}",
    "../../etc/passwd",
    "a/b",
    "a\\b",
    "https://a/?b=c&d=%00",
    "${jndi:ldap://a}",
    "{{7*7}}",
    "<script>",
];

/// How many cases: so many, or as many times more as `CQRS_SOAK` says.
pub(super) fn cases(of: u32) -> Config {
    let times = std::env::var("CQRS_SOAK").map_or(1, |times| times.parse().unwrap());
    Config::with_cases(of * times)
}

/// The texts above, and so many arbitrary ones, the same in every run.
pub(super) fn with_arbitrary(many: u32) -> Vec<Arc<str>> {
    let config = cases(many);
    let more = config.cases;
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let arbitrary = prop_oneof![any::<String>(), "[\\PC'\"\\\\%_$;]{1,40}"];
    let arbitrary: Vec<String> =
        (0..more).map(|_| arbitrary.new_tree(&mut runner).unwrap().current()).collect();
    let known = TEXTS.iter().map(ToString::to_string);
    let mut texts: Vec<String> = known.chain(arbitrary).filter(|text| !text.is_empty()).collect();
    texts.sort_unstable();
    texts.dedup();
    texts.into_iter().map(Arc::from).collect()
}

/// JSON text, and text that is nearly JSON.
pub(super) fn nearly_json() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => json(),
        1 => any::<String>(),
        1 => any::<Vec<u8>>().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        1 => "[\\[\\]{}:,\"\\\\u0-9eE+.\\-truefalsn \t]{0,40}",
        3 => (json(), any::<prop::sample::Index>(), any::<char>()).prop_map(|(json, at, put_in)| {
            let mut characters: Vec<char> = json.chars().collect();
            let at = at.index(characters.len());
            characters[at] = put_in;
            characters.into_iter().collect()
        }),
        1 => (json(), any::<prop::sample::Index>())
            .prop_map(|(json, at)| json.chars().take(at.index(json.chars().count())).collect()),
    ]
}

/// A JSON document, with what programs seldom write: escapes, spaces, numbers beyond any type, keys that come twice.
pub(super) fn json() -> impl Strategy<Value = String> {
    let space = || "[ \t\n]{0,2}";
    scalar().prop_recursive(6, 48, 6, move |inner| {
        let field = (key(), space(), inner.clone())
            .prop_map(|(key, space, value)| format!("{key}{space}:{space}{value}"));
        prop_oneof![
            (prop::collection::vec(inner, 0..6), space()).prop_map(|(values, space)| format!(
                "[{space}{}]",
                values.join(&format!(",{space}"))
            )),
            (prop::collection::vec(field, 0..6), space()).prop_map(|(fields, space)| format!(
                "{{{space}{}}}",
                fields.join(&format!(",{space}"))
            )),
        ]
    })
}

/// A field of one of the events here, or any.
fn key() -> impl Strategy<Value = String> {
    let known = "text small large wide float list map maybe inner amount cents units owner a";
    let known: Vec<&str> = known.split(' ').collect();
    prop_oneof![
        4 => prop::sample::select(known).prop_map(|key| format!("\"{key}\"")),
        1 => string(),
    ]
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => string(),
        2 => any::<i64>().prop_map(|number| number.to_string()),
        1 => any::<u128>().prop_map(|number| number.to_string()),
        1 => "-?(0|[1-9][0-9]{0,60})(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,4})?",
        1 => prop::sample::select(vec!["true", "false", "null", "-0", "-0.0", "1e999", "5e-324"])
            .prop_map(str::to_owned),
    ]
}

fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        "\"([a-z]|\\\\u[0-9a-f]{4}|\\\\[nrtbf/\\\\\"]){0,8}\"",
    ]
}
