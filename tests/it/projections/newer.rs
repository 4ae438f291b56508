//! An older and a newer program share a projection, and events of the newer version wait for the program that can read
//! them (G11).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cqrs::sqlite::SqliteModel;
use cqrs::{
    Maintain, MemoryModel, MemoryStore, ParkedError, ParkedRequest, Phase, Projector, Rows as _,
    Running, Store, StreamId,
};

use super::LONG;
use super::renamed::{append, projector, until};

type Texts = BTreeMap<String, Vec<String>>;

/// What is noted, in order, by the handlers of one program.
macro_rules! notes {
    () => {
        #[derive(Projection)]
        #[projection(name = "notes", model = MemoryModel<Texts>, events(Written), tables = "notes")]
        pub(super) struct Notes {
            /// Whether a text is refused that says so.
            pub(super) refuses: Arc<AtomicBool>,
        }

        impl Project<Written> for Notes {
            async fn project(
                &self,
                event: Written,
                received: &Received<'_>,
                transaction: &mut MemoryTransaction<Texts>,
            ) -> Result<(), BoxError> {
                if event.text == "refused" && self.refuses.load(Ordering::SeqCst) {
                    return Err("it is refused".into());
                }
                let key = received.stream.key().to_owned();
                transaction.value.entry(key).or_default().push(event.text);
                Ok(())
            }
        }

        #[derive(Debug, Clone, PartialEq, View)]
        #[view(name = "notes", key(note), events(Written))]
        pub(super) struct Note {
            note: String,
            pub(super) texts: String,
        }

        impl Fold<Written> for Note {
            fn rows(_: &Written, received: &Received<'_>) -> impl IntoIterator<Item = String> {
                Some(received.stream.key().to_owned())
            }

            fn fold(
                row: &mut Option<Self>,
                note: &String,
                event: &Written,
                _: &Received<'_>,
            ) -> Result<(), BoxError> {
                let texts = row.take().map(|row| row.texts + " ").unwrap_or_default();
                *row = Some(Self { note: note.clone(), texts: texts + &event.text });
                Ok(())
            }
        }
    };
}

/// The older program.
mod before {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use cqrs::prelude::*;
    use cqrs::{BoxError, MemoryModel, MemoryTransaction, Received};
    use serde::{Deserialize, Serialize};

    use super::Texts;

    #[derive(Debug, Serialize, Deserialize, Event)]
    #[event(name = "note.written")]
    pub(super) struct Written {
        pub(super) text: String,
    }

    notes!();
}

/// The newer program.
mod after {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use cqrs::prelude::*;
    use cqrs::{BoxError, Draft, MemoryModel, MemoryTransaction, Received, UpcastError};
    use serde::{Deserialize, Serialize};

    use super::Texts;

    #[derive(Debug, Serialize, Deserialize, Event)]
    #[event(name = "note.written", version = 2, upcast(1 => by_nobody))]
    pub(super) struct Written {
        pub(super) text: String,
        pub(super) by: String,
    }

    fn by_nobody(draft: &mut Draft) -> Result<(), UpcastError> {
        draft.set("by", "")
    }

    notes!();
}

fn text(text: &str) -> before::Written {
    before::Written { text: text.to_owned() }
}

fn newer_text(text: &str) -> after::Written {
    after::Written { text: text.to_owned(), by: "Ada".to_owned() }
}

/// The older program meets an event that only the newer one can read.
async fn a_newer_event_waits(
    store: impl Store + Clone,
    model: &impl Maintain,
    start_old: impl FnOnce(&Projector) -> Running,
    start_new: impl FnOnce(&Projector) -> Running,
    texts: impl AsyncFn(&str) -> String,
) {
    // Tried once, an event that fails is parked at once.
    let projector = projector(&store).attempts(1);
    let before = append(&store, ("note", "a"), &text("one")).await;
    let newer = append(&store, ("note", "a"), &newer_text("two")).await;
    let last = append(&store, ("note", "b"), &text("three")).await;
    let old = start_old(&projector);
    let stored = async || model.projections(Some("notes")).await.unwrap().remove(0);
    // Others are told as well.
    until(async || !model.projections(None).await.unwrap().is_empty()).await;
    until(async || stored().await.slots[0].error.is_some()).await;
    let status = old.status();
    assert_eq!((status.phase, status.parked.len()), (Phase::Retrying, 0));
    let (error, told) =
        (status.last_error.unwrap(), stored().await.slots[0].error.clone().unwrap());
    for part in [
        "`note.written` v2 at version 2 of stream `note/a`",
        &format!("(position {newer})"),
        "this program reads it up to v1; a newer program has written it",
    ] {
        assert!(error.contains(part) && told.contains(part), "{part}: {error}; {told}");
    }
    assert_eq!((stored().await.parked, stored().await.slots[0].position), (0, before));
    assert_eq!((texts("a").await, texts("b").await), ("one".into(), String::new()));
    // The older one still runs, and lets the newer one have the only slot.
    let new = start_new(&projector);
    new.wait_for(last, LONG).await.unwrap();
    assert_eq!((texts("a").await, texts("b").await), ("one two".into(), "three".into()));
    assert_eq!((stored().await.parked, new.status().last_error), (0, None));
    old.stop().await;
}

fn texts(model: &MemoryModel<Texts>, note: &str) -> String {
    model.read(|all| all.get(note).map(|texts| texts.join(" ")).unwrap_or_default())
}

#[tokio::test]
async fn g11_a_newer_event_waits_for_the_newer_program_in_memory() {
    let model = MemoryModel::new(Texts::new());
    let refuses = Arc::default();
    let old = before::Notes { refuses: Arc::clone(&refuses) };
    let new = after::Notes { refuses };
    a_newer_event_waits(
        MemoryStore::new(),
        &model,
        |projector| projector.start(old, model.clone()),
        |projector| projector.start(new, model.clone()),
        async |note| texts(&model, note),
    )
    .await;
}

#[tokio::test]
async fn g11_a_newer_event_waits_for_the_newer_program_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let store = crate::stores::sqlite(directory.path().join("app.db")).await;
    let model: SqliteModel = store.model();
    a_newer_event_waits(
        store,
        &model,
        |projector| projector.start_view::<before::Note>(model.clone()),
        |projector| projector.start_view::<after::Note>(model.clone()),
        async |note| {
            let row: Option<after::Note> = model.row(&note.to_owned()).await.unwrap();
            row.map(|row| row.texts).unwrap_or_default()
        },
    )
    .await;
}

#[tokio::test]
async fn g11_a_newer_event_of_a_parked_stream_waits_as_well() {
    let (store, model) = (MemoryStore::new(), MemoryModel::new(Texts::new()));
    let refuses = Arc::new(AtomicBool::new(true));
    let projector = projector(&store).attempts(1).lease(Duration::from_millis(400));
    let old = before::Notes { refuses: refuses.clone() };
    let old = projector.start(old, model.clone());
    append(&store, ("note", "a"), &text("refused")).await;
    append(&store, ("note", "a"), &text("two")).await;
    append(&store, ("note", "a"), &newer_text("three")).await;
    let last = append(&store, ("note", "b"), &text("four")).await;
    // It is behind one that is parked, and holds nobody up.
    old.wait_for(last, LONG).await.unwrap();
    assert_eq!((texts(&model, "a"), texts(&model, "b")), (String::new(), "four".into()));

    refuses.store(false, Ordering::SeqCst);
    let note = StreamId::new("note", "a").unwrap();
    // Nobody may have tried it yet when the time of it is over.
    until(async || {
        let not_done = old.replay(note.clone()).await.unwrap_err();
        assert!(matches!(not_done, ParkedError::NotDone { .. }), "{not_done}");
        not_done.to_string().contains("a newer program has written it")
    })
    .await;
    assert_eq!(texts(&model, "a"), "refused two");
    let parked = model.parked("notes", 1).await.unwrap().remove(0);
    assert_eq!((parked.version.get(), parked.attempts), (3, 0));
    // It is not given up either, and still holds nobody up.
    model.request("notes", 1, &note, ParkedRequest::Discard).await.unwrap();
    let last = append(&store, ("note", "b"), &text("five")).await;
    old.wait_for(last, LONG).await.unwrap();
    let is_asked = async || {
        let parked = model.parked("notes", 1).await.unwrap().remove(0);
        (parked.version.get(), parked.attempts, parked.request)
    };
    until(async || is_asked().await == (3, 0, Some(ParkedRequest::Replay))).await;
    old.stop().await;

    let _new = projector.start(after::Notes { refuses }, model.clone());
    until(async || model.parked("notes", 1).await.unwrap().is_empty()).await;
    assert_eq!(
        (texts(&model, "a"), texts(&model, "b")),
        ("refused two three".into(), "four five".into())
    );
}
