//! Projections that run: in processes that are killed, and behind processes that append.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cqrs_core::{
    BoxError, DecodeError, EncodeError, Event, EventId, EventType, Payload, Phase, Position,
    Projection, Projector, ReadModel, RecordedEvent, Running, Stopped,
};
use cqrs_sqlite::{SqliteModel, SqliteStore, SqliteTransaction};
use sqlx::{query, query_as, query_scalar};

use crate::child::{Said, Task, Worker};
use crate::support::{
    connect, event, execute, log, marked_events, open_patiently, place, store_events,
};

const LONG: Duration = Duration::from_mins(2);

/// The event of which [`marked_events`] makes some.
struct Marked;

impl Event for Marked {
    const TYPES: &'static [EventType] = &[EventType::new("test.marked", 1)];

    fn event_type(&self) -> EventType {
        Self::TYPES[0]
    }

    fn encode(&self) -> Result<Payload, EncodeError> {
        Payload::of(&1)
    }

    fn decode(_: &RecordedEvent) -> Result<Self, DecodeError> {
        Ok(Self)
    }
}

/// Adds a row for each event. The table takes any number of rows for one event: nothing hides what comes twice.
struct Seen<F> {
    taken: F,
}

impl<F: Fn(Position) + Send + Sync + 'static> Projection for Seen<F> {
    const NAME: &'static str = "seen";
    const VERSION: u32 = 1;
    type Event = Marked;
    type Model = SqliteModel;

    async fn dispatch(
        &self,
        _: Marked,
        recorded: &RecordedEvent,
        transaction: &mut SqliteTransaction,
    ) -> Result<(), BoxError> {
        query("INSERT INTO seen (position) VALUES (?1)")
            .bind(recorded.position.get().cast_signed())
            .execute(&mut **transaction)
            .await?;
        (self.taken)(recorded.position);
        Ok(())
    }
}

/// Starts the projection, with a short lease and small batches, so that there is much that can be interrupted.
pub(crate) fn start(
    store: &SqliteStore,
    model: SqliteModel,
    taken: impl Fn(Position) + Send + Sync + 'static,
) -> Running {
    let projector = Projector::new(store.clone()).batch(4).lease(Duration::from_millis(40));
    projector.start(Seen { taken }, model)
}

/// Read models beside the file of the events.
pub(crate) async fn other_file(events: &Path) -> SqliteModel {
    open_patiently(&events.with_extension("views")).await.model()
}

async fn create_table(model: &SqliteModel) {
    query("CREATE TABLE seen (position INTEGER NOT NULL)").execute(model.writer()).await.unwrap();
}

/// The rows of the table, in the order in which they were inserted.
async fn seen(model: &SqliteModel) -> Vec<Position> {
    let rows: Vec<i64> = query_scalar("SELECT position FROM seen ORDER BY rowid")
        .fetch_all(model.pool())
        .await
        .unwrap();
    rows.into_iter().map(|position| Position::new(position.cast_unsigned())).collect()
}

/// The events that the projection wants.
async fn wanted(store: &SqliteStore) -> Vec<Position> {
    let log = log(store).await;
    let wanted = log.iter().filter(|event| Marked::knows(&event.event_type));
    wanted.map(|event| event.position).collect()
}

/// Goes on here to the end of the log.
async fn catch_up(store: &SqliteStore, model: &SqliteModel) {
    let end = log(store).await.last().unwrap().position;
    let running = start(store, model.clone(), |_| ());
    running.wait_for(end, LONG).await.unwrap();
    assert!(matches!(running.stop().await, Stopped::Asked));
}

/// Kills the process that runs the projection, again and again, each time with another one standing by, while events
/// are appended.
async fn kill_again_and_again(rounds: u32, task: Task, path: &Path, model: &SqliteModel) {
    let store = open_patiently(path).await;
    create_table(model).await;
    let done = Arc::new(AtomicBool::new(false));
    let appending = {
        let (store, done) = (store.clone(), done.clone());
        tokio::spawn(async move {
            for number in 0.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let key = (number % 5).to_string();
                store_events(&store, &key, &marked_events(number % 3 + 1)).await;
                store_events(&store, &key, &[event()]).await;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
    };
    let mut worker = Worker::start(task, path);
    worker.go();
    let mut furthest = Position::START;
    for _ in 0..rounds {
        let random = EventId::random().as_uuid().as_u128();
        for _ in 0..=random % 23 {
            match worker.next() {
                Some(Said::Taken(position)) => furthest = furthest.max(position),
                other => panic!("{other:?}"),
            }
        }
        let mut standby = Worker::start(task, path);
        standby.go();
        // Not always in the handler, where it speaks, but also in the statements of a commit.
        std::thread::sleep(Duration::from_micros(u64::try_from(random / 23 % 1500).unwrap()));
        worker.kill();
        worker = standby;
        assert_rows_belong_to_the_checkpoint(&store, model).await;
    }
    drop(worker);
    done.store(true, Ordering::Relaxed);
    appending.await.unwrap();
    catch_up(&store, model).await;
    assert_eq!(seen(model).await, wanted(&store).await);
    assert!(furthest > Position::START);
}

/// At any moment, what is visible of the rows is what the checkpoint says.
async fn assert_rows_belong_to_the_checkpoint(store: &SqliteStore, model: &SqliteModel) {
    let rows = "SELECT count(*), coalesce(max(position), 0), \
                (SELECT coalesce(max(position), 0) FROM cqrs_projections) FROM seen";
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
    kill_again_and_again(30, Task::Project, &place.path, &model).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_the_same_with_the_rows_in_another_file() {
    let place = place();
    let model = other_file(&place.path).await;
    kill_again_and_again(10, Task::ProjectIntoAnotherFile, &place.path, &model).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g5_a_projection_sees_what_other_processes_append() {
    let place = place();
    let store = open_patiently(&place.path).await;
    let model = store.model();
    create_table(&model).await;
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
    assert!(matches!(running.stop().await, Stopped::Asked));
    let left = &model.checkpoints().await.unwrap()[0];
    assert_eq!((left.position, left.owner), (*wanted.last().unwrap(), None));
}

#[tokio::test]
async fn g7_a_projection_that_is_stopped_anywhere_goes_on_without_doubling() {
    let place = place();
    let store = open_patiently(&place.path).await;
    store_events(&store, "1", &marked_events(400)).await;
    for model in [store.model(), SqliteModel::in_memory().await.unwrap()] {
        create_table(&model).await;
        for round in 0..60 {
            let running = start(&store, model.clone(), |_| ());
            tokio::time::sleep(Duration::from_micros(round * 61)).await;
            assert!(matches!(running.stop().await, Stopped::Asked));
        }
        catch_up(&store, &model).await;
        assert_eq!(seen(&model).await, wanted(&store).await);
    }
}

#[tokio::test]
async fn a_projection_rides_out_a_long_transaction_of_another() {
    let place = place();
    let options = SqliteStore::options(&place.path).busy_timeout(Duration::from_millis(20));
    let store = options.open().await.unwrap();
    let model = store.model();
    create_table(&model).await;
    let running = start(&store, model.clone(), |_| ());
    running.wait_for(Position::START, LONG).await.unwrap();
    let mut other = connect(&place.path).await;
    let position = store_events(&store, "1", &marked_events(3)).await.position;
    execute(&mut other, "BEGIN IMMEDIATE").await;
    while running.status().phase != Phase::Retrying {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    execute(&mut other, "COMMIT").await;
    running.wait_for(position, LONG).await.unwrap();
    assert_eq!(seen(&model).await.len(), 3);
}
