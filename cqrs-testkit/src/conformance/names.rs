//! Names of streams: compared byte by byte, whatever they hold.

use std::collections::HashSet;
use std::sync::Arc;

use cqrs_core::{ExpectedVersion, StreamId};

use super::Fixture;
use super::support::{append, append_of, events, holds, log, same, stream};

/// Keys that databases, their collations, escapes and parsers take for something else or for each other.
const KEYS: &[&str] = &[
    // Case, spaces and characters that look the same or are taken for the same.
    "a",
    "A",
    "a ",
    " a",
    "a  ",
    "\ta",
    "a\n",
    "a\r\n",
    "a\u{a0}",
    "a\u{200b}",
    "\u{feff}a",
    "a.",
    "aa",
    "\u{e9}",
    "e\u{301}",
    "e",
    "\u{c9}",
    "ss",
    "ß",
    "\u{1e9e}",
    "i",
    "I",
    "\u{131}",
    "\u{130}",
    "\u{fb01}",
    "fi",
    "K",
    "\u{212a}",
    "\u{430}",
    "1",
    "\u{ff11}",
    "\u{661}",
    "01",
    "1.0",
    "1e0",
    "+1",
    "-1",
    "0",
    "-0",
    // What means something to a database or a language.
    "NULL",
    "null",
    "true",
    "nan",
    "Infinity",
    "{}",
    "[]",
    "\"\"",
    "{\"a\":1}",
    "''",
    "'",
    "\"",
    "`",
    "\\",
    "\\'",
    "\\\\",
    "%",
    "_",
    "a%",
    "%a%",
    "a_",
    "*",
    "?",
    "?1",
    "$1",
    ":a",
    "@a",
    "#",
    "--",
    ";",
    "/*",
    "*/",
    "'; DROP TABLE events; --",
    "' OR '1'='1",
    "\") OR (\"\"=\"",
    "${jndi:ldap://a}",
    "{{a}}",
    "<a>&amp;</a>",
    // What divides names.
    "/",
    "a/b",
    "a/b/c",
    "//",
    "a//b",
    "a-b",
    "a:b",
    "a|b",
    "a\u{1f}b",
    "..",
    "../a",
    "a.b",
    "a,b",
    // Writing from right to left, marks that stack, and characters of four bytes.
    "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
    "\u{202e}abc",
    "\u{645}\u{631}\u{62d}\u{628}\u{627}",
    "Z\u{351}\u{36b}\u{343}",
    "\u{1f980}",
    "\u{1f981}",
    "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
    "\u{1f468}\u{1f469}\u{1f467}",
    "\u{65e5}\u{672c}",
    "\u{ac00}",
    "\u{1100}\u{1161}",
    "\u{fffd}",
    "\u{ffff}",
    "\u{10ffff}",
    "\u{1}",
    "\u{7f}",
    "\u{80}",
];

/// Each stream gets its events as if it were alone, and holds them and no other's.
async fn are_apart(fixture: &Arc<dyn Fixture>, streams: &[StreamId]) {
    let store = fixture.open().await;
    let unique: HashSet<&StreamId> = streams.iter().collect();
    assert!(unique.len() == streams.len(), "the suite names a stream twice");
    let mut stored = Vec::new();
    for stream in streams {
        // Had it been taken for another stream, this would be a conflict.
        let batch = events("event", 2);
        append(&*store, &append_of(stream, ExpectedVersion::NoStream, batch.clone())).await;
        stored.push(batch);
    }
    for (stream, batch) in streams.iter().zip(&stored) {
        holds(&*store, stream, batch).await;
    }
    let log = log(&store).await;
    let in_log = log.into_iter().map(|event| event.stream);
    let appended = streams.iter().flat_map(|stream| [stream.clone(), stream.clone()]);
    same("the streams of the events in the log", in_log.collect::<Vec<_>>(), appended.collect());
}

pub(super) async fn streams_with_similar_keys_do_not_mix(fixture: Arc<dyn Fixture>) {
    let streams: Vec<StreamId> = KEYS.iter().map(|key| stream("account", key)).collect();
    are_apart(&fixture, &streams).await;
}

pub(super) async fn categories_and_keys_do_not_run_together(fixture: Arc<dyn Fixture>) {
    let names = [
        ("a", "b/c"),
        ("a.b", "c"),
        ("a", "b.c"),
        ("a-b", "c"),
        ("a", "b-c"),
        ("a_b", "c"),
        ("a", "b_c"),
        ("a", "b"),
        ("A", "b"),
        ("ab", "c"),
        ("a", "bc"),
        ("abc", "d"),
        ("b", "a"),
        ("a", "a"),
        ("aa", "a"),
        ("1", "1"),
        ("11", "1"),
        ("1", "11"),
        ("NULL", "NULL"),
        ("a", "a/a"),
        ("-", "-"),
        (".", "."),
        ("_", "_"),
        ("account", "1"),
        ("account-1", "1"),
        ("account", "account"),
        ("accounts", "1"),
        ("account.opened", "1"),
    ];
    let streams: Vec<StreamId> =
        names.iter().map(|(category, key)| stream(category, key)).collect();
    are_apart(&fixture, &streams).await;
}
