//! Projections that run: in processes that are killed, on a server that crashes, and beside all kinds of transactions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cqrs_core::{
    Append, AppendError, BoxError, DecodeError, EncodeError, Event, EventId, EventStore, EventType,
    ExpectedVersion, Payload, Position, Projection, Projector, ReadModel, RecordedEvent, Running,
    Stopped,
};
use cqrs_postgres::{PostgresModel, PostgresStore};
use cqrs_test_harness::Server;
use sqlx::{PgTransaction, query, query_as, query_scalar};
use tokio::task::JoinHandle;

use crate::child::Worker;
use crate::support::{add, append, event, execute, log, second, store, stream};

const LONG: Duration = Duration::from_mins(2);

/// The event that the projection wants.
struct Deposited;

impl Event for Deposited {
    const TYPES: &'static [EventType] = &[EventType::new("account.deposited", 1)];

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
    type Event = Deposited;
    type Model = PostgresModel;

    async fn dispatch(
        &self,
        _: Deposited,
        recorded: &RecordedEvent,
        transaction: &mut PgTransaction<'static>,
    ) -> Result<(), BoxError> {
        query("INSERT INTO seen (position) VALUES ($1)")
            .bind(recorded.position.get().cast_signed())
            .execute(&mut **transaction)
            .await?;
        (self.taken)(recorded.position);
        Ok(())
    }
}

/// Starts the projection, with a short lease and small batches, so that there is much that can be interrupted.
pub(crate) fn start(
    store: &PostgresStore,
    taken: impl Fn(Position) + Send + Sync + 'static,
) -> Running {
    let projector = Projector::new(store.clone()).batch(4).lease(Duration::from_millis(40));
    projector.start(Seen { taken }, store.model())
}

async fn create_table(store: &PostgresStore) {
    let sql = "CREATE TABLE seen (number bigint GENERATED ALWAYS AS IDENTITY, position bigint)";
    execute(store, sql).await;
}

/// The rows of the table, in the order in which they were inserted.
async fn seen(store: &PostgresStore) -> Vec<u64> {
    let sql = "SELECT position FROM seen ORDER BY number";
    // Each connection that died with the server is met once.
    let mut failure = None;
    for _ in 0..20 {
        match query_scalar(sql).fetch_all(store.pool()).await {
            Ok(rows) => return rows.into_iter().map(i64::cast_unsigned).collect(),
            Err(error) => failure = Some(error),
        }
    }
    panic!("{failure:?}");
}

/// The events that the projection wants.
async fn wanted(store: &PostgresStore) -> Vec<u64> {
    let log = log(store).await;
    let wanted = log.iter().filter(|event| Deposited::knows(&event.event_type));
    wanted.map(|event| event.position.get()).collect()
}

/// The work is stopped in order; then the rest is done, and everything was done once, in order.
async fn assert_complete(store: &PostgresStore, running: Running) {
    let wanted = wanted(store).await;
    assert!(!wanted.is_empty());
    running.wait_for(Position::new(*wanted.last().unwrap()), LONG).await.unwrap();
    assert!(matches!(running.stop().await, Stopped::Asked));
    assert_eq!(seen(store).await, wanted);
    assert_eq!(store.model().parked("seen").await.unwrap(), []);
}

/// Appends to several streams, from several tasks, until told to stop.
struct Load {
    done: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(store: &PostgresStore) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let appending = |writer: usize| {
            let (store, done) = (store.clone(), done.clone());
            tokio::spawn(async move {
                for number in writer.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    let mut events = vec![event("account.opened")];
                    events.resize_with(number % 3 + 2, || event("account.deposited"));
                    let stream = stream(&(number % 5).to_string());
                    let append = Append::new(stream, ExpectedVersion::Any, events).unwrap();
                    // The very same again where the server went away: what is stored already counts.
                    while let Err(error) = store.append(&append).await {
                        let AppendError::Store(error) = error else { panic!("{error}") };
                        assert!(error.may_retry(), "{error}");
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            })
        };
        Self { tasks: (0..2).map(appending).collect(), done }
    }

    async fn stop(self) {
        self.done.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_processes_that_are_killed_lose_and_double_no_rows() {
    let (store, database) = store("killed").await;
    create_table(&store).await;
    let load = Load::start(&store);
    let mut worker = Worker::start(&database);
    for _ in 0..50 {
        // Another one stands by before this one is gone.
        let standby = Worker::start(&database);
        let random = EventId::random().as_uuid().as_u128();
        for _ in 0..=random % 5 {
            worker.next();
        }
        // Not always in the handler, where it speaks, but also in the statements of a commit.
        std::thread::sleep(Duration::from_micros(u64::try_from(random / 5 % 3000).unwrap()));
        worker.kill();
        worker = standby;
        assert_rows_belong_to_the_checkpoint(&store).await;
    }
    drop(worker);
    load.stop().await;
    assert_complete(&store, start(&store, |_| ())).await;
}

/// At any moment, what is visible of the rows is what the checkpoint says.
async fn assert_rows_belong_to_the_checkpoint(store: &PostgresStore) {
    let sql = "SELECT (SELECT coalesce(max(position), 0) FROM cqrs.projections), \
               (SELECT coalesce(array_agg(position ORDER BY number), '{}') FROM seen)";
    let (checkpoint, rows): (i64, Vec<i64>) = query_as(sql).fetch_one(store.pool()).await.unwrap();
    let rows: Vec<u64> = rows.into_iter().map(i64::cast_unsigned).collect();
    let mut wanted = wanted(store).await;
    wanted.retain(|position| *position <= checkpoint.cast_unsigned());
    assert_eq!(rows, wanted);
}

/// Owners that are slower than their leases take them from each other all the time.
#[tokio::test(flavor = "multi_thread")]
async fn g7_workers_side_by_side_that_lose_their_leases_double_nothing() {
    let (store, database) = store("side_by_side").await;
    create_table(&store).await;
    let load = Load::start(&store);
    let mut workers = Vec::new();
    for _ in 0..2 {
        let other = second(&database).await;
        let projector = Projector::new(other.clone()).batch(4).lease(Duration::from_millis(4));
        let stall = |position: Position| {
            std::thread::sleep(Duration::from_millis(position.get() % 4));
        };
        workers.push(projector.start(Seen { taken: stall }, other.model()));
    }
    let token = async || -> i64 {
        let sql = "SELECT coalesce(max(token), 0) FROM cqrs.projections";
        query_scalar(sql).fetch_one(store.pool()).await.unwrap()
    };
    while token().await < 40 || seen(&store).await.len() < 100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    load.stop().await;
    for worker in workers {
        assert!(matches!(worker.stop().await, Stopped::Asked));
    }
    assert_complete(&store, start(&store, |_| ())).await;
}

/// Its rows are not flushed when they are committed, so a crash undoes some of them, and its checkpoint as well.
#[tokio::test(flavor = "multi_thread")]
async fn g7_a_projection_goes_on_by_itself_after_a_crash_of_the_server() {
    let server = Server::start_own().unwrap();
    let database = server.database("crashing").await.unwrap();
    let store = PostgresStore::connect(&database.url()).await.unwrap();
    create_table(&store).await;
    let load = Load::start(&store);
    let running = start(&store, |_| ());
    let mut rows = 0;
    for _ in 0..3 {
        while seen(&store).await.len() < rows + 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.kill().unwrap();
        server.restart().unwrap();
        rows = seen(&store).await.len();
    }
    load.stop().await;
    assert_complete(&store, running).await;
}

#[tokio::test]
async fn g5_an_open_append_delays_a_projection_only_as_long_as_it_is_open() {
    let (store, _database) = store("open_append").await;
    create_table(&store).await;
    let running = start(&store, |_| ());
    let first = add(&store, "a").await.position;
    running.wait_for(first, LONG).await.unwrap();
    // Another transaction that has an id and does not end is no reason to wait.
    let mut unrelated = store.pool().begin().await.unwrap();
    query("CREATE TABLE unrelated ()").execute(&mut *unrelated).await.unwrap();
    let second = add(&store, "a").await.position;
    running.wait_for(second, LONG).await.unwrap();

    let mut open = store.pool().begin().await.unwrap();
    let in_open = append("b", ExpectedVersion::Any, 1);
    store.append_in(&mut open, &in_open).await.unwrap();
    let behind = add(&store, "a").await.position;
    running.wait_for(behind, Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(seen(&store).await.len(), 2);
    open.commit().await.unwrap();
    running.wait_for(behind, LONG).await.unwrap();
    unrelated.rollback().await.unwrap();
    assert_complete(&store, running).await;
}
