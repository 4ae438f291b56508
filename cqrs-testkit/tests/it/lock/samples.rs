//! Samples of stored events: each must be readable for ever.

use std::path::PathBuf;
use std::sync::Arc;

use cqrs_core::{
    Append, Catalogue, Details, EventId, EventStore as _, ExpectedVersion, MemoryStore, Metadata,
    NewEvent, Payload, StreamId,
};
use cqrs_testkit::{Mode, Samples, record_samples, verify_lock};
use tempfile::TempDir;

use super::release;

/// A file in a directory of its own.
struct File {
    directory: TempDir,
}

impl File {
    fn of(text: &str) -> Self {
        let file = Self { directory: TempDir::new().unwrap() };
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("events.samples.ndjson")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }
}

fn verify(text: &str, catalogue: &Catalogue) -> Result<(), String> {
    let file = File::of(text);
    Samples::read(file.path())
        .and_then(|samples| samples.verify(catalogue))
        .map_err(|error| error.to_string())
}

/// Only the second of these samples fails, and for this reason.
#[track_caller]
fn fails(second: &str, catalogue: &Catalogue, parts: &[&str]) {
    let good = r#"{"type":"account.opened","version":1,"payload":{"owner":"Ada"}}"#;
    let message = verify(&format!("{good}\n{second}\n\n{good}\n"), catalogue).unwrap_err();
    for part in parts {
        assert!(message.contains(part), "{part:?} is missing in\n{message}");
    }
    assert!(message.starts_with("1 of 3 samples fail"), "{message}");
    assert!(message.contains("events.samples.ndjson:2: account."), "{message}");
}

fn catalogue() -> Catalogue {
    release! {
        ignore("account.counted")
        events {
            #[event(alias = "account.created", from("account.opened-with-deposit", upcast(1 => owner)))]
            Opened { owner: String },
            #[event(
                version = 2,
                upcast(1 => cents),
                write_version = 1,
                downcast(2 => units),
                from("account.opened-with-deposit", upcast(1 => deposit), into = 2),
            )]
            Deposited { cents: u64 },
            #[event(retired)]
            Audited { by: String },
            #[event(version = 2, upcast(1 => day))]
            Closed { day: u64 },
            Noted { #[serde(skip_serializing, default)] text: String },
        }

        fn owner(draft: &mut Draft) -> Result<(), UpcastError> {
            draft.remove("units")
        }

        fn deposit(draft: &mut Draft) -> Result<(), UpcastError> {
            draft.remove("owner")?;
            cents(draft)
        }

        fn cents(draft: &mut Draft) -> Result<(), UpcastError> {
            draft.rename("units", "cents")?;
            draft.map("cents", |units: u64| units * 100)
        }

        fn units(draft: &mut Draft) -> Result<(), UpcastError> {
            draft.rename("cents", "units")?;
            draft.map("units", |cents: u64| cents / 100)
        }

        fn day(
            draft: &mut Draft,
            event: &cqrs_core::RecordedEvent,
        ) -> Result<(), UpcastError> {
            let since = event.recorded_at.duration_since(std::time::UNIX_EPOCH);
            let day = since.map_err(UpcastError::other)?.as_secs() / 86_400;
            if event.metadata.details.actor.as_deref() != Some("ada") || event.stream.key() != "7" {
                return Err(UpcastError::other("it is another"));
            }
            draft.set("day", &day)
        }
    }
}

const GOOD: &str = r#"
{"type":"account.opened","version":1,"payload":{"owner":"Ada"}}
{"type":"account.created","version":1,"payload":{"owner":"Ada"}}
{"type":"account.opened-with-deposit","version":1,"payload":{"owner":"Ada","units":5}}
{"type":"account.deposited","version":1,"stream":"account/7","stream_version":3,"payload":{"units":5}}
{"type":"account.deposited","version":2,"payload":{"cents":500}}
{"type":"account.audited","version":1,"payload":{"by":"Ada"}}
{"type":"account.counted","version":9,"payload":[]}
{"type":"account.closed","version":1,"stream":"account/7","payload":{},"metadata":{"actor":"ada"},"recorded_at":"2026-03-01T12:00:00.5Z"}
"#;

#[test]
fn g10_samples_of_all_versions_and_names_are_read() {
    verify(GOOD, &catalogue()).unwrap();
}

#[test]
fn g11_each_sample_that_fails_is_told_with_its_line() {
    let catalogue = catalogue();
    fails(
        r#"{"type":"account.opened","version":1,"payload":{"name":"Ada"}}"#,
        &catalogue,
        &["account.opened v1: can't read event", "missing field `owner`", r#"{"name":"Ada"}"#],
    );
    fails(
        r#"{"type":"account.opened","version":2,"payload":{"owner":"Ada"}}"#,
        &catalogue,
        &["a newer program has written it"],
    );
    fails(
        r#"{"type":"account.deposited","version":1,"payload":{"cents":500}}"#,
        &catalogue,
        &["v1 failed", "there is a field `cents` already"],
    );
    fails(r#"{"type":"account.closed","version":1,"payload":{}}"#, &catalogue, &["it is another"]);
    fails(
        r#"{"type":"account.gone","version":1,"payload":{}}"#,
        &catalogue,
        &["nothing in the program reads it", "#[event(retired)]", "`ignore`"],
    );
    let two = "{\"type\":\"account.gone\",\"version\":1,\"payload\":{}}\n".repeat(2);
    let message = verify(&two, &catalogue).unwrap_err();
    assert!(message.contains(".ndjson:1: ") && message.contains(".ndjson:2: "), "{message}");
}

#[test]
fn a_step_back_that_does_not_undo_the_step() {
    let catalogue = release! {
        events {
            #[event(version = 2, upcast(1 => cents), write_version = 1, downcast(2 => units))]
            Deposited { cents: u64 },
            Opened { owner: String },
        }

        fn cents(draft: &mut Draft) -> Result<(), UpcastError> {
            draft.rename("units", "cents")?;
            draft.map("cents", |units: u64| units * 100)
        }

        fn units(draft: &mut Draft) -> Result<(), UpcastError> {
            draft.rename("cents", "units")
        }
    };
    fails(
        r#"{"type":"account.deposited","version":1,"payload":{"units":0.5e1}}"#,
        &catalogue,
        &["account.deposited v1"],
    );
    fails(
        r#"{"type":"account.deposited","version":1,"payload":{"units":5}}"#,
        &catalogue,
        &["what it becomes is read as something else once it is written", "-   \"units\": 500"],
    );
    let lossy = release! {
        events {
            #[event(version = 2, upcast(1 => without_note), write_version = 1, downcast(2 => as_is))]
            Deposited { cents: u64 },
            Opened { owner: String },
        }

        fn without_note(draft: &mut Draft) -> Result<(), UpcastError> {
            draft.remove("note")
        }

        fn as_is(draft: &mut Draft) -> Result<(), UpcastError> {
            draft.remove("nothing")
        }
    };
    fails(
        r#"{"type":"account.deposited","version":1,"payload":{"cents":5,"note":"x"}}"#,
        &lossy,
        &[
            "v1 is the version that is written, but `downcast` does not undo `upcast`",
            "-   \"note\": \"x\"",
        ],
    );
    let equal = r#"{"type":"account.deposited","version":1,"payload":{ "cents" : 5 }}"#;
    verify(equal, &lossy).unwrap();
}

#[test]
fn what_is_read_as_something_else_once_it_is_written() {
    let catalogue = release! {
        events {
            Opened { owner: String },
            Noted { #[serde(serialize_with = "twice")] number: u64 },
        }

        #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
        fn twice<S: serde::Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
            to.serialize_u64(number * 2)
        }
    };
    fails(
        r#"{"type":"account.noted","version":1,"payload":{"number":1}}"#,
        &catalogue,
        &["read as something else once it is written", "-   \"number\": 2", "+   \"number\": 4"],
    );
}

#[test]
fn lines_that_are_no_samples() {
    for (line, part) in [
        ("x", "expected value"),
        ("[]", "invalid type"),
        ("{}", "`type` is missing"),
        (r#"{"type":"a","payload":{}}"#, "`version` is missing"),
        (r#"{"type":"a","version":1}"#, "`payload` is missing"),
        (r#"{"type":"a","version":0,"payload":{}}"#, "schema version 0"),
        (r#"{"type":"","version":1,"payload":{}}"#, "can't name an event type"),
        (r#"{"type":"a","version":-1,"payload":{}}"#, "`version`: invalid value"),
        (r#"{"type":"a","version":1,"payload":{},"stream":"x"}"#, "category/key"),
        (r#"{"type":"a","version":1,"payload":{},"stream":"ö/1"}"#, "the category"),
        (
            r#"{"type":"a","version":1,"payload":{},"recorded_at":"now"}"#,
            "`recorded_at` is \"now\"",
        ),
        (
            r#"{"type":"a","version":1,"payload":{},"metadata":{"correlation_id":"x"}}"#,
            "correlation_id",
        ),
        (r#"{"type":"a","version":1,"payload":{},"metadata":{"actor":1}}"#, "`metadata`"),
        (r#"{"type":"a","version":1,"payload":{},"paylod":{}}"#, "nothing is called `paylod`"),
    ] {
        let message = verify(&format!("{}\n{line}", GOOD.trim()), &catalogue()).unwrap_err();
        assert!(message.contains(".ndjson:9 is not a sample"), "{message}");
        assert!(message.contains(part) && message.contains("one is: {"), "{message}");
    }
    let message = verify("\n\n", &catalogue()).unwrap_err();
    assert!(message.contains("has no samples"), "{message}");
    let message = Samples::read("tests/it/lock/none.ndjson").unwrap_err().to_string();
    assert!(
        message.contains("is not there yet") && message.contains("record_samples"),
        "{message}"
    );
}

#[test]
fn versions_without_a_sample_are_told_to_those_who_ask() {
    let file = File::of(GOOD);
    let lock = file.directory.path().join("events.lock");
    verify_lock(&lock, &catalogue(), Mode::Write).unwrap();
    let samples = Samples::read(file.path()).unwrap();
    let message = samples.complete(&lock).unwrap_err().to_string();
    assert!(message.ends_with("has no sample of account.closed v2, account.noted v1"), "{message}");

    let others = r#"{"type":"account.closed","version":2,"payload":{"day":1}}
{"type":"account.noted","version":1,"payload":{}}"#;
    let file = File::of(&format!("{GOOD}{others}"));
    Samples::read(file.path()).unwrap().complete(&lock).unwrap();
}

async fn append(store: &MemoryStore, stream: &str, events: &[(&'static str, u32, &str)]) {
    let events = events.iter().map(|(name, version, payload)| {
        let id = EventId::random();
        let details = Details { actor: Some("ada".into()), ..Details::default() };
        let metadata = Metadata { details, ..Metadata::of(id.as_uuid()) };
        let payload = Payload::from_json(*payload).unwrap();
        NewEvent::from_parts(id, *name, *version, payload, Arc::new(metadata)).unwrap()
    });
    let stream = StreamId::new("account", stream).unwrap();
    let append = Append::new(stream, ExpectedVersion::Any, events.collect()).unwrap();
    store.append(&append).await.unwrap();
}

#[tokio::test]
async fn samples_are_taken_from_a_store() {
    let store = MemoryStore::new();
    append(
        &store,
        "7",
        &[
            ("account.opened", 1, "{\"owner\": \"Ada\",\n\"n\": 18446744073709551616}"),
            ("account.deposited", 2, r#"{"cents":1}"#),
            ("account.deposited", 1, r#"{"units":1}"#),
            ("account.deposited", 1, r#"{"units":1}"#),
            ("account.deposited", 1, r#"{"units":2}"#),
            ("account.deposited", 1, r#"{"units":3}"#),
            ("account.closed", 1, "{}"),
        ],
    )
    .await;
    let kept = r#"{ "type": "account.deposited", "version": 1, "payload": {"units":2} }"#;
    let file = File::of(&format!("{kept}\n"));
    assert_eq!(record_samples(&store, file.path(), 2).await.unwrap(), 4);

    let text = file.text();
    let lines: Vec<&str> = text.lines().collect();
    let begins = [
        r#"{"type":"account.closed","version":1,"stream":"account/7","stream_version":7,"payload":{},"#,
        kept,
        r#"{"type":"account.deposited","version":1,"stream":"account/7","stream_version":3,"payload":{"units":1},"#,
        r#"{"type":"account.deposited","version":2,"#,
        r#"{"type":"account.opened","version":1,"stream":"account/7","stream_version":1,"payload":{"owner": "Ada", "n": 18446744073709551616},"#,
    ];
    assert_eq!(lines.len(), begins.len(), "{text}");
    for (line, begin) in lines.iter().zip(begins) {
        assert!(line.starts_with(begin), "{line}\ndoes not begin with\n{begin}");
    }
    assert!(lines[0].contains(r#""actor":"ada""#) && lines[0].contains("recorded_at"), "{text}");
    verify(&text, &catalogue()).unwrap();

    // Again, it adds nothing; later, what is new.
    assert_eq!(record_samples(&store, file.path(), 2).await.unwrap(), 0);
    assert_eq!(file.text(), text);
    append(&store, "8", &[("account.audited", 1, r#"{"by":"Ada"}"#)]).await;
    assert_eq!(record_samples(&store, file.path(), 3).await.unwrap(), 2);
    let more = file.text();
    assert!(lines.iter().all(|line| more.contains(line)) && more.contains("account.audited"));
    let files = std::fs::read_dir(file.directory.path()).unwrap().count();
    assert_eq!(files, 1, "nothing else is left beside it");
}

#[tokio::test]
async fn a_file_of_samples_is_made_and_a_damaged_one_stays() {
    let store = MemoryStore::new();
    for number in 0..1_200 {
        append(&store, "7", &[("account.deposited", 1, &format!(r#"{{"units":{number}}}"#))]).await;
    }
    append(&store, "7", &[("account.opened", 1, r#"{"owner":"Ada"}"#)]).await;
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("deep/samples.ndjson");
    let store: Arc<dyn cqrs_core::EventStore> = Arc::new(store);
    assert_eq!(record_samples(&*store, &path, 1).await.unwrap(), 2);
    Samples::read(&path).unwrap().verify(&catalogue()).unwrap();

    let file = File::of("no sample\n");
    let message = record_samples(&*store, file.path(), 1).await.unwrap_err().to_string();
    assert!(message.contains(":1 is not a sample"), "{message}");
    assert_eq!(file.text(), "no sample\n");
}
