//! An older and a newer program share a projection, and the newer one has renamed an event type: the version is adopted
//! where no event was missed, and the older program is shut out (G10).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cqrs::prelude::*;
use cqrs::{
    Append, AppendError, Appended, EventId, EventStore, ExpectedVersion, Head, LogFilter, LogPage,
    Maintain, Metadata, NewEvent, News, OnChange, Position, Projections, Projector, PutInService,
    RecordedEvent, Rows, Running, Stopped, Store, StoreError, StreamId, Version,
};
use tokio::sync::Semaphore;

use super::LONG;

/// The rows of accounts, folded from the events of one program.
macro_rules! balances {
    ($row:ident, $version:literal, $opened:ident) => {
        #[derive(Debug, Clone, PartialEq, View)]
        #[view(name = "balances", version = $version, key(account), events(AccountEvent))]
        pub(super) struct $row {
            account: String,
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

        impl From<$row> for super::Seen {
            fn from(row: $row) -> Self {
                (row.owner, row.openings, row.cents)
            }
        }
    };
}

/// Of an account: its owner, how many times it was opened, and how much is in it.
type Seen = (String, i64, i64);

fn seen(owner: &str, openings: i64, cents: i64) -> Seen {
    (owner.to_owned(), openings, cents)
}

/// The older program.
mod before {
    use cqrs::prelude::*;
    use cqrs::{BoxError, Received};
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Serialize, Deserialize, Event)]
    #[event(prefix = "account")]
    pub(super) enum AccountEvent {
        Created { owner: String },
        Deposited { cents: i64 },
    }

    balances!(Balance, 1, Created);
    balances!(Next, 2, Created);
}

/// The newer program.
mod after {
    use cqrs::prelude::*;
    use cqrs::{BoxError, Received};
    use serde::{Deserialize, Serialize};

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

pub(super) async fn append<E: Event>(
    store: &impl Store,
    stream: (&str, &str),
    event: &E,
) -> Position {
    let id = EventId::random();
    let event = NewEvent::of(event, id, Arc::new(Metadata::of(id.as_uuid()))).unwrap();
    let stream = StreamId::new(stream.0, stream.1).unwrap();
    let append = Append::new(stream, ExpectedVersion::Any, vec![event]).unwrap();
    store.append(&append).await.unwrap().position
}

pub(super) fn projector(store: &(impl Store + Clone)) -> Projector {
    Projector::new(store.clone()).lease(Duration::from_secs(3))
}

pub(super) async fn until(condition: impl AsyncFn() -> bool) {
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

async fn balance(model: &impl Rows<after::Balance>, account: &str) -> Seen {
    let row: after::Balance = model.row(&account.to_owned()).await.unwrap().unwrap();
    row.into()
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
        assert_eq!(balance(&model, &account(number)).await, seen("Ada", 1, rounds));
    }
    assert_eq!(balance(&model, "renamed").await, seen("Bea", 1, 1));

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
    let projections = Projections::new(store.clone(), model.clone());
    until(async || matches!(projections.reset("balances", 1).await, Ok(true))).await;
    let new = projector(&store).start_view::<after::Balance>(model.clone());
    new.wait_for(last, LONG).await.unwrap();
    assert_eq!(balance(&model, "a").await, seen("Ada", 1, 2));
    assert_eq!(balance(&model, "b").await, seen("Bea", 1, 0));
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
    // It does not wait for long for those who settle their shares.
    until(async || matches!(projections.promote("balances", 2).await, Ok(PutInService::Done)))
        .await;
    new.wait_for(last, LONG).await.unwrap();
    for (account, is_seen) in [("a", seen("Ada", 1, 1)), ("b", seen("Bea", 1, 0))] {
        let row: after::Next = model.row(&account.to_owned()).await.unwrap().unwrap();
        assert_eq!(Seen::from(row), is_seen);
    }
    assert!(matches!(served.stopped().await, Stopped::Replaced { version: 1, .. }));
}

macro_rules! on_both {
    ($($case:ident: $sqlite:ident $postgres:ident;)+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $sqlite() {
                let directory = tempfile::tempdir().unwrap();
                let store = crate::stores::sqlite(directory.path().join("app.db")).await;
                let model = store.model();
                $case(store, model).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn $postgres() {
                let server = cqrs_test_harness::postgres().unwrap();
                let database = server.database("deploys").await.unwrap();
                let store = crate::stores::postgres(&database.url()).await;
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

/// The store of a slow program: behind each look at what it did not want before, it waits until it may go on.
#[derive(Debug)]
struct Slow<S> {
    inner: S,
    has_looked: Semaphore,
    goes_on: Semaphore,
}

#[async_trait]
impl<S: EventStore> EventStore for Slow<S> {
    async fn append(&self, append: &Append) -> Result<Appended, AppendError> {
        self.inner.append(append).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        self.inner.read_stream(stream, after, limit).await
    }

    async fn read_log(
        &self,
        filter: &LogFilter,
        after: Position,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        let page = self.inner.read_log(filter, after, limit).await;
        if let [name] = filter.event_types()
            && **name == *"account.opened"
        {
            self.has_looked.add_permits(1);
            self.goes_on.acquire().await.unwrap().forget();
        }
        page
    }

    async fn head(&self) -> Result<Head, StoreError> {
        self.inner.head().await
    }

    async fn find(&self, id: EventId) -> Result<Option<RecordedEvent>, StoreError> {
        self.inner.find(id).await
    }

    fn news(&self) -> News {
        self.inner.news()
    }
}

/// The newer program has looked, and before it adopts the version, the older one passes an event it does not know: the
/// last of the log, which is stored before the look, or after it.
async fn a_rename_is_passed_meanwhile(is_stored_before: bool) {
    let directory = tempfile::tempdir().unwrap();
    let store = crate::stores::sqlite(directory.path().join("app.db")).await;
    let model = store.model();
    let run_old = async |last| {
        let old = projector(&store).start_view::<before::Balance>(model.clone());
        old.wait_for(last, LONG).await.unwrap();
        old.stop().await;
    };
    let open_another = async || append(&store, ("account", "b"), &opened("Bea")).await;
    run_old(append(&store, ("account", "a"), &created("Ada")).await).await;
    let stored_before = if is_stored_before { Some(open_another().await) } else { None };
    let (has_looked, goes_on) = (Semaphore::new(0), Semaphore::new(0));
    let slow = Arc::new(Slow { inner: store.clone(), has_looked, goes_on });
    let new = Projector::new(slow.clone()).start_view::<after::Balance>(model.clone());
    slow.has_looked.acquire().await.unwrap().forget();
    let passed = match stored_before {
        Some(passed) => passed,
        None => open_another().await,
    };
    run_old(passed).await;
    slow.goes_on.add_permits(Semaphore::MAX_PERMITS);
    let text = changed(new).await;
    assert!(text.contains(&format!("from position {passed} on")), "{text}");
    assert_eq!(names(&model).await, [FEWER]);
}

#[tokio::test(flavor = "multi_thread")]
async fn g10_a_rename_that_is_passed_while_it_is_adopted_is_refused() {
    for is_stored_before in [false, true] {
        a_rename_is_passed_meanwhile(is_stored_before).await;
    }
}
