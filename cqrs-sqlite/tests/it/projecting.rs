//! Projections that run: in processes that are killed, and behind processes that append.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cqrs_core::{
    BoxError, DecodeError, Decoded, EncodeError, Event, EventId, EventStore, EventType, Maintain,
    Payload, Phase, Position, Projection, ProjectionState, Projections, Projector, Received,
    RecordedEvent, Running, Stopped,
};
use cqrs_sqlite::{SqliteModel, SqliteStore, SqliteTransaction};
use sqlx::{query, query_as, query_scalar};
use tokio::task::JoinHandle;

use crate::child::{Said, Task, Worker};
use crate::support::{
    BRIEFLY, connect, event, execute, log, marked_events, open_patiently, place, store_events,
};

pub(crate) const LONG: Duration = Duration::from_mins(2);

/// The event of which [`marked_events`] makes some.
pub(crate) struct Marked;

impl Event for Marked {
    const TYPES: &'static [EventType] = &[EventType::new("test.marked", 1)];

    fn event_type(&self) -> EventType {
        Self::TYPES[0]
    }

    fn encode(&self) -> Result<Payload, EncodeError> {
        Payload::of(&1)
    }

    fn decode(_: &RecordedEvent) -> Result<Decoded<Self>, DecodeError> {
        Ok(Self.into())
    }
}

/// Adds a row for each event. The table takes any number of rows for one event: nothing hides what comes twice.
pub(crate) struct Seen<F, const VERSION: u32> {
    pub(crate) taken: F,
}

impl<F: Fn(Position) + Send + Sync + 'static, const VERSION: u32> Projection for Seen<F, VERSION> {
    const NAME: &'static str = "seen";
    const VERSION: u32 = VERSION;
    const TABLES: &'static str = match VERSION {
        1 => {
            "CREATE TABLE seen (position INTEGER NOT NULL, by INTEGER NOT NULL DEFAULT 1); \
             CREATE INDEX seen_position ON seen (position);"
        }
        _ => {
            "CREATE TABLE seen (number INTEGER PRIMARY KEY AUTOINCREMENT, position INTEGER NOT NULL, \
                                by INTEGER NOT NULL DEFAULT 2); \
             CREATE TABLE also_seen (position INTEGER NOT NULL); \
             CREATE TRIGGER sees AFTER INSERT ON seen BEGIN INSERT INTO also_seen VALUES (new.position); END;"
        }
    };
    type Event = Marked;
    type Model = SqliteModel;

    async fn dispatch(
        &self,
        _: Marked,
        received: &Received<'_>,
        transaction: &mut SqliteTransaction,
    ) -> Result<(), BoxError> {
        query("INSERT INTO seen (position) VALUES (?1)")
            .bind(received.position.get().cast_signed())
            .execute(&mut **transaction)
            .await?;
        (self.taken)(received.position);
        Ok(())
    }
}

/// With a short lease and small batches, so that there is much that can be interrupted.
pub(crate) fn projector(store: &SqliteStore) -> Projector {
    Projector::new(store.clone()).batch(4).lease(Duration::from_millis(40))
}

pub(crate) fn start(
    store: &SqliteStore,
    model: SqliteModel,
    taken: impl Fn(Position) + Send + Sync + 'static,
) -> Running {
    projector(store).start(Seen::<_, 1> { taken }, model)
}

/// Read models beside the file of the events.
pub(crate) async fn other_file(events: &Path) -> SqliteModel {
    open_patiently(&events.with_extension("views")).await.model()
}

/// The rows of the table, in the order in which they were inserted.
pub(crate) async fn seen(model: &SqliteModel) -> Vec<Position> {
    let rows: Vec<i64> = query_scalar("SELECT position FROM seen ORDER BY rowid")
        .fetch_all(model.pool())
        .await
        .unwrap();
    rows.into_iter().map(|position| Position::new(position.cast_unsigned())).collect()
}

/// The rows in the order of the log, which those of several slots are not in.
pub(crate) async fn seen_in_order(model: &SqliteModel) -> Vec<Position> {
    let mut seen = seen(model).await;
    seen.sort_unstable();
    seen
}

/// The events that the projection wants.
pub(crate) async fn wanted(store: &SqliteStore) -> Vec<Position> {
    let log = log(store).await;
    let wanted = log.iter().filter(|event| Marked::knows(&event.event_type));
    wanted.map(|event| event.position).collect()
}

pub(crate) async fn last(store: &SqliteStore) -> Position {
    store.head().await.unwrap().last
}

pub(crate) async fn stop(running: Running) {
    let stopped = running.stop().await;
    assert!(matches!(stopped, Stopped::Asked), "{stopped}");
}

/// Goes on here to the end of the log.
pub(crate) async fn catch_up(store: &SqliteStore, model: &SqliteModel) {
    let running = start(store, model.clone(), |_| ());
    running.wait_for(last(store).await, LONG).await.unwrap();
    stop(running).await;
}

/// Appends events to streams until it is told to stop.
pub(crate) struct Appending {
    done: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Appending {
    pub(crate) fn start(store: &SqliteStore) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let task = {
            let (store, done) = (store.clone(), done.clone());
            tokio::spawn(async move {
                for number in 0.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    let key = (number % 23).to_string();
                    store_events(&store, &key, &marked_events(number % 3 + 1)).await;
                    store_events(&store, &key, &[event()]).await;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            })
        };
        Self { done, task }
    }

    pub(crate) async fn stop(self) {
        self.done.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
    }
}

/// Has a child run until it has taken some events, and begins to stop its process somewhere.
fn some_events(worker: &mut Worker) -> Position {
    let random = EventId::random().as_uuid().as_u128();
    let mut furthest = Position::START;
    for _ in 0..=random % 23 {
        match worker.next() {
            Some(Said::Taken(position)) => furthest = furthest.max(position),
            other => panic!("{other:?}"),
        }
    }
    // Not always in the handler, where it speaks, but also in the statements of a commit.
    std::thread::sleep(Duration::from_micros(u64::try_from(random / 23 % 1500).unwrap()));
    furthest
}

/// So many, or as many times more as `CQRS_SOAK` says.
fn rounds(of: usize) -> usize {
    of * std::env::var("CQRS_SOAK").map_or(1, |times| times.parse().unwrap())
}

/// Kills the process that runs the projection, again and again, each time with another one standing by, while events
/// are appended.
async fn kill_again_and_again(kills: usize, task: Task, path: &Path, model: &SqliteModel) {
    let store = open_patiently(path).await;
    // The tables are there before rows are counted.
    stop_at_once(&store, model).await;
    let appending = Appending::start(&store);
    let mut worker = Worker::start(task, path);
    worker.go();
    let mut furthest = Position::START;
    for _ in 0..rounds(kills) {
        // It has the lease, which one that is started now could have taken as well.
        assert!(matches!(worker.next(), Some(Said::Taken(_))));
        let mut standby = Worker::start(task, path);
        standby.go();
        furthest = furthest.max(some_events(&mut worker));
        worker.kill();
        worker = standby;
        assert_rows_belong_to_the_checkpoint(&store, model).await;
    }
    drop(worker);
    appending.stop().await;
    catch_up(&store, model).await;
    assert_eq!(seen(model).await, wanted(&store).await);
    assert!(furthest > Position::START);
}

async fn stop_at_once(store: &SqliteStore, model: &SqliteModel) {
    let running = start(store, model.clone(), |_| ());
    running.wait_for(Position::START, LONG).await.unwrap();
    stop(running).await;
}

/// At any moment, what is visible of the rows is what the checkpoint says.
async fn assert_rows_belong_to_the_checkpoint(store: &SqliteStore, model: &SqliteModel) {
    let rows = "SELECT count(*), coalesce(max(position), 0), \
                (SELECT coalesce(max(position), 0) FROM cqrs_checkpoints) FROM seen";
    let (rows, last, checkpoint): (usize, u64, u64) = {
        let row: (i64, i64, i64) = query_as(rows).fetch_one(model.pool()).await.unwrap();
        (usize::try_from(row.0).unwrap(), row.1.cast_unsigned(), row.2.cast_unsigned())
    };
    let wanted = wanted(store).await;
    let expected = wanted.iter().take_while(|position| position.get() <= checkpoint);
    assert_eq!((rows, last <= checkpoint), (expected.count(), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_processes_that_are_killed_lose_and_double_no_rows() {
    let place = place();
    let model = open_patiently(&place.path).await.model();
    kill_again_and_again(50, Task::Project, &place.path, &model).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_the_same_with_the_rows_in_another_file() {
    let place = place();
    let model = other_file(&place.path).await;
    kill_again_and_again(10, Task::ProjectIntoAnotherFile, &place.path, &model).await;
}

pub(crate) async fn state(model: &SqliteModel, version: u32) -> ProjectionState {
    let states = model.projections(Some("seen")).await.unwrap();
    states.into_iter().find(|state| state.version == version).unwrap()
}

/// Waits until something is so in the database.
pub(crate) async fn until(
    model: &SqliteModel,
    version: u32,
    is_so: impl Fn(&ProjectionState) -> bool,
) {
    let waiting = async {
        while !is_so(&state(model, version).await) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, waiting).await.unwrap();
}

/// How many owners the slots of version 1 have.
fn owners(state: &ProjectionState) -> usize {
    let mut owners: Vec<_> = state.slots.iter().filter_map(|slot| slot.owner).collect();
    owners.sort_unstable();
    owners.dedup();
    owners.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_processes_that_share_slots_and_are_killed_lose_and_double_no_rows() {
    let place = place();
    let store = open_patiently(&place.path).await;
    let model = other_file(&place.path).await;
    let sharing = projector(&store).slots(8).start(Seen::<_, 1> { taken: |_| () }, model.clone());
    sharing.wait_for(Position::START, LONG).await.unwrap();
    stop(sharing).await;
    let appending = Appending::start(&store);
    let start = || {
        let mut worker = Worker::start(Task::ProjectIntoAnotherFile, &place.path);
        worker.go();
        worker
    };
    let mut workers = [start(), start()];
    for round in 0..rounds(12) {
        let worker = &mut workers[round % 2];
        some_events(worker);
        until(&model, 1, |state| owners(state) == 2).await;
        worker.kill();
        *worker = start();
    }
    drop(workers);
    appending.stop().await;
    catch_up(&store, &model).await;
    assert_eq!(seen_in_order(&model).await, wanted(&store).await);
    assert_eq!(state(&model, 1).await.slots.len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_slots_are_divided_anew_under_load() {
    let place = place();
    let store = open_patiently(&place.path).await;
    let model = store.model();
    let appending = Appending::start(&store);
    let projector = projector(&store).workers(3);
    let running = projector.start(Seen::<_, 1> { taken: |_| () }, model.clone());
    running.wait_for(Position::START, LONG).await.unwrap();
    let projections = Projections::new(store.clone(), model.clone());
    for slots in [8, 3, 16, 1] {
        assert!(projections.rescale("seen", 1, slots).await.unwrap());
        let is_done = |state: &ProjectionState| {
            state.rescaling.is_none() && state.slots.len() == slots as usize
        };
        until(&model, 1, is_done).await;
    }
    appending.stop().await;
    running.wait_for(last(&store).await, LONG).await.unwrap();
    stop(running).await;
    assert_eq!(seen_in_order(&model).await, wanted(&store).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn g5_a_projection_sees_what_other_processes_append() {
    let place = place();
    let store = open_patiently(&place.path).await;
    let model = store.model();
    let running = start(&store, model.clone(), |_| ());
    let mut others = [(); 2].map(|()| Worker::start(Task::RaceOnManyStreams, &place.path));
    others.iter_mut().for_each(Worker::go);
    for other in &mut others {
        assert!(!other.all_stored().is_empty());
        other.assert_succeeded();
    }
    let wanted = wanted(&store).await;
    running.wait_for(*wanted.last().unwrap(), LONG).await.unwrap();
    assert_eq!(seen(&model).await, wanted);
    stop(running).await;
    let left = &state(&model, 1).await.slots[0];
    assert_eq!((left.position, left.owner), (*wanted.last().unwrap(), None));
}

#[tokio::test]
async fn g7_a_projection_that_is_stopped_anywhere_goes_on_without_doubling() {
    let place = place();
    let store = open_patiently(&place.path).await;
    store_events(&store, "1", &marked_events(400)).await;
    for model in [store.model(), SqliteModel::in_memory().await.unwrap()] {
        for round in 0..60 {
            let running = start(&store, model.clone(), |_| ());
            tokio::time::sleep(Duration::from_micros(round * 61)).await;
            stop(running).await;
        }
        catch_up(&store, &model).await;
        assert_eq!(seen(&model).await, wanted(&store).await);
    }
}

#[tokio::test]
async fn a_projection_rides_out_a_long_transaction_of_another() {
    let place = place();
    let options = SqliteStore::options(&place.path).busy_timeout(BRIEFLY);
    let store = options.open().await.unwrap();
    let model = store.model();
    let running = start(&store, model.clone(), |_| ());
    running.wait_for(Position::START, LONG).await.unwrap();
    let mut other = connect(&place.path).await;
    let patient = open_patiently(&place.path).await;
    let position = store_events(&patient, "1", &marked_events(3)).await.position;
    execute(&mut other, "BEGIN IMMEDIATE").await;
    while running.status().phase != Phase::Retrying {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    execute(&mut other, "COMMIT").await;
    running.wait_for(position, LONG).await.unwrap();
    assert_eq!(seen(&model).await.len(), 3);
}
