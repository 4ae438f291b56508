//! An older and a newer program share a projection: events that were renamed are adopted where none was missed (G10), and
//! those of a newer version wait for the program that can read them (G11).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cqrs::prelude::*;
use cqrs::sqlite::SqliteModel;
use cqrs::{
    Append, EventId, ExpectedVersion, Maintain, MemoryModel, MemoryStore, Metadata, NewEvent,
    OnChange, ParkedError, ParkedRequest, Phase, Position, PostgresStore, Projections, Projector,
    PutInService, Rows, Running, SqliteStore, Stopped, Store, StreamId,
};

use super::LONG;

/// The rows of accounts, folded from the events of one program.
macro_rules! balances {
    ($row:ident, $version:literal, $opened:ident) => {
        #[derive(Debug, Clone, PartialEq, View)]
        #[view(name = "balances", version = $version, key(account), events(AccountEvent))]
        pub(super) struct $row {
            pub(super) account: String,
            owner: String,
            openings: i64,
            cents: i64,
        }

        impl Fold<AccountEvent> for $row {
            fn rows(_: &AccountEvent, received: &Received<'_>) -> impl IntoIterator<Item = String> {
                Some(received.stream.key().to_owned())
            }

            fn fold(
                row: &mut Option<Self>,
                account: &String,
                event: &AccountEvent,
                _: &Received<'_>,
            ) -> Result<(), BoxError> {
                let (account, owner) = (account.clone(), String::new());
                let row = row.get_or_insert(Self { account, owner, openings: 0, cents: 0 });
                match event {
                    AccountEvent::$opened { owner } => {
                        row.owner.clone_from(owner);
                        row.openings += 1;
                    }
                    AccountEvent::Deposited { cents } => row.cents += cents,
                }
                Ok(())
            }
        }

        impl $row {
            pub(super) fn seen(&self) -> (&str, i64, i64) {
                (&self.owner, self.openings, self.cents)
            }
        }
    };
}

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

type Texts = BTreeMap<String, Vec<String>>;

/// The older program.
mod before {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use cqrs::prelude::*;
    use cqrs::{BoxError, MemoryModel, MemoryTransaction, Received};
    use serde::{Deserialize, Serialize};

    use super::Texts;

    #[derive(Debug, Serialize, Deserialize, Event)]
    #[event(prefix = "account")]
    pub(super) enum AccountEvent {
        Created { owner: String },
        Deposited { cents: i64 },
    }

    balances!(Balance, 1, Created);
    balances!(Next, 2, Created);

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
    #[event(prefix = "account")]
    pub(super) enum AccountEvent {
        #[event(alias = "account.created")]
        Opened {
            owner: String,
        },
        Deposited {
            cents: i64,
        },
    }

    balances!(Balance, 1, Opened);
    balances!(Next, 2, Opened);

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

/// A read model for both programs.
trait Views:
    Rows<before::Balance> + Rows<after::Balance> + Rows<before::Next> + Rows<after::Next>
{
}

impl<M> Views for M where
    M: Rows<before::Balance> + Rows<after::Balance> + Rows<before::Next> + Rows<after::Next>
{
}

fn created(owner: &str) -> before::AccountEvent {
    before::AccountEvent::Created { owner: owner.to_owned() }
}

fn opened(owner: &str) -> after::AccountEvent {
    after::AccountEvent::Opened { owner: owner.to_owned() }
}

const DEPOSITED: before::AccountEvent = before::AccountEvent::Deposited { cents: 1 };

async fn append<E: Event>(store: &impl Store, stream: (&str, &str), event: &E) -> Position {
    let id = EventId::random();
    let event = NewEvent::of(event, id, Arc::new(Metadata::of(id.as_uuid()))).unwrap();
    let stream = StreamId::new(stream.0, stream.1).unwrap();
    let append = Append::new(stream, ExpectedVersion::Any, vec![event]).unwrap();
    store.append(&append).await.unwrap().position
}

fn projector(store: &(impl Store + Clone)) -> Projector {
    Projector::new(store.clone()).lease(Duration::from_secs(3))
}

async fn until(condition: impl AsyncFn() -> bool) {
    let met = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, met).await.unwrap();
}

/// The reason why a projection has stopped, which is that it has changed.
async fn changed(running: Running) -> String {
    let stopped = tokio::time::timeout(LONG, running.stopped()).await.unwrap();
    assert!(matches!(stopped, Stopped::Changed { .. }), "{stopped}");
    stopped.to_string()
}

async fn balance(model: &impl Rows<after::Balance>, account: &str) -> after::Balance {
    model.row(&account.to_owned()).await.unwrap().unwrap()
}

async fn names(model: &impl Maintain) -> Vec<String> {
    let states = model.projections(Some("balances")).await.unwrap();
    states.into_iter().map(|state| state.events).collect()
}

const FEWER: &str = "account.created account.deposited";
const MORE: &str = "account.created account.deposited account.opened";

/// While events come, the newer program takes over from the older one, which runs.
async fn a_rename_is_adopted(store: impl Store + Clone, model: impl Views) {
    const ACCOUNTS: usize = 5;
    let account = |number: usize| format!("a{number}");
    let old = projector(&store).slots(3).start_view::<before::Balance>(model.clone());
    for number in 0..ACCOUNTS {
        append(&store, ("account", &account(number)), &created("Ada")).await;
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (store, is_over) = (store.clone(), is_over.clone());
        async move {
            let mut rounds = 0;
            while !is_over.load(Ordering::SeqCst) {
                for number in 0..ACCOUNTS {
                    append(&store, ("account", &account(number)), &DEPOSITED).await;
                }
                rounds += 1;
            }
            rounds
        }
    });
    until(async || old.status().position > Position::START).await;
    let new = projector(&store).workers(2).start_view::<after::Balance>(model.clone());
    let text = changed(old).await;
    assert!(text.contains("a newer program reads events under `account.opened` as well"), "{text}");
    assert_eq!(names(&model).await, [MORE]);

    // Now there is nobody who would pass it.
    let last = append(&store, ("account", "renamed"), &opened("Bea")).await;
    new.wait_for(last, LONG).await.unwrap();
    is_over.store(true, Ordering::SeqCst);
    let rounds = writer.await.unwrap();
    let last = append(&store, ("account", "renamed"), &DEPOSITED).await;
    new.wait_for(last, LONG).await.unwrap();
    for number in 0..ACCOUNTS {
        assert_eq!(balance(&model, &account(number)).await.seen(), ("Ada", 1, rounds));
    }
    assert_eq!(balance(&model, "renamed").await.seen(), ("Bea", 1, 1));

    let again = projector(&store).start_view::<before::Balance>(model.clone());
    assert_eq!(changed(again).await, text);
    new.stop().await;
    let new = projector(&store).start_view::<after::Balance>(model);
    new.wait_for(last, LONG).await.unwrap();
}

/// The older program has passed an event whose name it did not know.
async fn a_rename_that_was_passed_is_refused(store: impl Store + Clone, model: impl Views) {
    let old = projector(&store).start_view::<before::Balance>(model.clone());
    append(&store, ("account", "a"), &created("Ada")).await;
    let passed = append(&store, ("account", "b"), &opened("Bea")).await;
    let last = append(&store, ("account", "a"), &DEPOSITED).await;
    old.wait_for(last, LONG).await.unwrap();
    old.stop().await;
    let text = changed(projector(&store).start_view::<after::Balance>(model.clone())).await;
    let where_it_is =
        format!("events under `account.opened` are in the log already, from position {passed} on");
    assert!(text.contains(&where_it_is) && text.contains("a higher version"), "{text}");
    assert_eq!(names(&model).await, [FEWER]);

    // Nothing has happened to it: the older program goes on.
    let old = projector(&store).start_view::<before::Balance>(model.clone());
    let last = append(&store, ("account", "a"), &DEPOSITED).await;
    old.wait_for(last, LONG).await.unwrap();
    old.stop().await;
    // Where it begins anew, nothing was missed.
    assert!(Projections::new(store.clone(), model.clone()).reset("balances", 1).await.unwrap());
    let new = projector(&store).start_view::<after::Balance>(model.clone());
    new.wait_for(last, LONG).await.unwrap();
    assert_eq!(balance(&model, "a").await.seen(), ("Ada", 1, 2));
    assert_eq!(balance(&model, "b").await.seen(), ("Bea", 1, 0));
}

/// A version is built by the older program, and by the newer one to the end.
async fn a_rename_is_adopted_beside(store: impl Store + Clone, model: impl Views) {
    let served = projector(&store).start_view::<before::Balance>(model.clone());
    let last = append(&store, ("account", "a"), &created("Ada")).await;
    served.wait_for(last, LONG).await.unwrap();
    let builder = || projector(&store).on_change(OnChange::BuildAndWait);
    let old = builder().start_view::<before::Next>(model.clone());
    until(async || old.status().position >= last).await;
    old.stop().await;
    // Behind the checkpoint of what is built, so that it is not missed there; the version in service passes it.
    append(&store, ("account", "b"), &opened("Bea")).await;
    let last = append(&store, ("account", "a"), &DEPOSITED).await;
    let new = builder().start_view::<after::Next>(model.clone());
    until(async || new.status().position >= last).await;
    assert_eq!(names(&model).await, [FEWER, MORE]);
    served.wait_for(last, LONG).await.unwrap();
    let projections = Projections::new(store, model.clone());
    until(async || projections.promote("balances", 2).await.unwrap() == PutInService::Done).await;
    new.wait_for(last, LONG).await.unwrap();
    for (account, seen) in [("a", ("Ada", 1, 1)), ("b", ("Bea", 1, 0))] {
        let row: after::Next = model.row(&account.to_owned()).await.unwrap().unwrap();
        assert_eq!(row.seen(), seen);
    }
    assert!(matches!(served.stopped().await, Stopped::Replaced { version: 1, .. }));
}

macro_rules! on_both {
    ($($case:ident: $sqlite:ident $postgres:ident;)+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $sqlite() {
                let directory = tempfile::tempdir().unwrap();
                let store = SqliteStore::open(directory.path().join("app.db")).await.unwrap();
                let model = store.model();
                $case(store, model).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn $postgres() {
                let server = cqrs_test_harness::postgres().unwrap();
                let database = server.database("deploys").await.unwrap();
                let store = PostgresStore::connect(&database.url()).await.unwrap();
                let model = store.model();
                $case(store, model).await;
            }
        )+
    };
}

on_both! {
    a_rename_is_adopted: g10_a_rename_is_adopted_on_sqlite g10_a_rename_is_adopted_on_postgres;
    a_rename_that_was_passed_is_refused:
        g10_a_rename_that_was_passed_is_refused_on_sqlite g10_a_rename_that_was_passed_is_refused_on_postgres;
    a_rename_is_adopted_beside:
        g10_a_rename_is_adopted_beside_on_sqlite g10_a_rename_is_adopted_beside_on_postgres;
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
    old.stop().await;
    let new = start_new(&projector);
    new.wait_for(last, LONG).await.unwrap();
    assert_eq!((texts("a").await, texts("b").await), ("one two".into(), "three".into()));
    assert_eq!((stored().await.parked, new.status().last_error), (0, None));
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
    let store = SqliteStore::open(directory.path().join("app.db")).await.unwrap();
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
    let not_done = old.replay(note.clone()).await.unwrap_err();
    assert!(matches!(not_done, ParkedError::NotDone { .. }), "{not_done}");
    assert!(not_done.to_string().contains("a newer program has written it"), "{not_done}");
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
