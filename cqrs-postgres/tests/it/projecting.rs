//! Projections that run: in processes that are killed, on a server that crashes, and beside all kinds of transactions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use cqrs_core::{
    Append, AppendError, BoxError, DecodeError, Decoded, EncodeError, Event, EventId, EventStore,
    EventType, ExpectedVersion, Maintain, OnChange, Payload, Position, Projection, Projections,
    Projector, PutInService, Received, RecordedEvent, Rows, Running, Stopped, slot_of,
};
use cqrs_postgres::{PostgresModel, PostgresStore};
use cqrs_test_harness::Server;
use sqlx::{PgTransaction, query, query_as, query_scalar};
use tokio::task::JoinHandle;

use crate::child::Worker;
use crate::support::{add, append, event, log, second, store, stream};
use crate::views::Order;

const LONG: Duration = Duration::from_mins(2);

/// The event that the projections want.
pub(crate) struct Deposited;

impl Event for Deposited {
    const TYPES: &'static [EventType] = &[EventType::new("account.deposited", 1)];

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
struct Seen<F, const V: u32 = 1> {
    taken: F,
}

impl<F: Fn(Position) + Send + Sync + 'static, const V: u32> Projection for Seen<F, V> {
    const NAME: &'static str = "seen";
    const VERSION: u32 = V;
    const TABLES: &'static str = "CREATE TABLE seen (number bigint GENERATED ALWAYS AS IDENTITY, position bigint, \
                                  by bigint)";
    type Event = Deposited;
    type Model = PostgresModel;

    async fn dispatch(
        &self,
        _: Deposited,
        received: &Received<'_>,
        transaction: &mut PgTransaction<'static>,
    ) -> Result<(), BoxError> {
        query("INSERT INTO seen (position, by) VALUES ($1, $2)")
            .bind(received.position.get().cast_signed())
            .bind(i64::from(V))
            .execute(&mut **transaction)
            .await?;
        (self.taken)(received.position);
        Ok(())
    }
}

/// A short lease and small batches, so that there is much that can be interrupted.
fn projector(store: &PostgresStore, slots: u32) -> Projector {
    Projector::new(store.clone()).batch(4).lease(Duration::from_millis(40)).slots(slots)
}

pub(crate) fn start(
    store: &PostgresStore,
    slots: u32,
    taken: impl Fn(Position) + Send + Sync + 'static,
) -> Running {
    projector(store, slots).start(Seen::<_, 1> { taken }, store.model())
}

/// The rows of the table, in the order in which they were inserted; none before there is a table.
async fn seen(store: &PostgresStore) -> Vec<u64> {
    let sql = "SELECT position FROM seen ORDER BY number";
    // Each connection that died with the server is met once.
    let mut failure = None;
    for _ in 0..20 {
        match query_scalar(sql).fetch_all(store.pool()).await {
            Ok(rows) => return rows.into_iter().map(i64::cast_unsigned).collect(),
            Err(error)
                if error
                    .as_database_error()
                    .is_some_and(|error| error.code().as_deref() == Some("42P01")) =>
            {
                return Vec::new();
            }
            Err(error) => failure = Some(error),
        }
    }
    panic!("{failure:?}");
}

/// The events that the projections want.
async fn wanted(store: &PostgresStore) -> Vec<RecordedEvent> {
    let mut log = log(store).await;
    log.retain(|event| Deposited::knows(&event.event_type));
    log
}

fn sorted(mut positions: Vec<u64>) -> Vec<u64> {
    positions.sort_unstable();
    positions
}

/// Everything was done once, and the events of each stream in order.
async fn assert_rows(store: &PostgresStore) {
    let (seen, wanted) = (seen(store).await, wanted(store).await);
    assert!(!wanted.is_empty());
    let place: std::collections::HashMap<u64, usize> = seen.iter().copied().zip(0..).collect();
    let mut last = std::collections::HashMap::new();
    for event in &wanted {
        let place = place.get(&event.position.get());
        assert!(place.is_some(), "{} is missing", event.position);
        assert!(last.insert(event.stream.clone(), place).is_none_or(|before| before < place));
    }
    let wanted: Vec<u64> = wanted.iter().map(|event| event.position.get()).collect();
    assert_eq!(sorted(seen), wanted);
}

/// The work is stopped in order, once the rest is done.
pub(crate) async fn assert_complete(store: &PostgresStore, running: Running) {
    let last = wanted(store).await.last().unwrap().position;
    running.wait_for(last, LONG).await.unwrap();
    assert!(matches!(running.stop().await, Stopped::Asked));
    assert_rows(store).await;
    for state in store.model().projections(None).await.unwrap() {
        assert_eq!(state.parked, 0, "{state:?}");
    }
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
                    let stream = stream(&(number % 25).to_string());
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

/// At any moment, what is visible of the rows is what the checkpoints say.
async fn assert_rows_belong_to_the_checkpoints(store: &PostgresStore) {
    let sql = "SELECT (SELECT array_agg(position ORDER BY slot) FROM cqrs.checkpoints), \
               (SELECT coalesce(array_agg(position ORDER BY number), '{}') FROM seen)";
    let (slots, rows): (Vec<i64>, Vec<i64>) = query_as(sql).fetch_one(store.pool()).await.unwrap();
    let count = u32::try_from(slots.len()).unwrap();
    let mut wanted = wanted(store).await;
    wanted.retain(|event| {
        let slot = slot_of(&event.stream, count) as usize;
        event.position.get() <= slots[slot].cast_unsigned()
    });
    let wanted: Vec<u64> = wanted.iter().map(|event| event.position.get()).collect();
    assert_eq!(sorted(rows.into_iter().map(i64::cast_unsigned).collect()), wanted);
}

/// A moment, not always in the handler, where a worker speaks, but also in the statements of a commit.
fn pause(random: u128) {
    std::thread::sleep(Duration::from_micros(u64::try_from(random % 3000).unwrap()));
}

/// So many, or as many times more as `CQRS_SOAK` says.
fn rounds(of: usize) -> usize {
    of * std::env::var("CQRS_SOAK").map_or(1, |times| times.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_processes_that_are_killed_lose_and_double_no_rows() {
    let (store, database) = store("killed").await;
    let load = Load::start(&store);
    let mut worker = Worker::start(&database, 1);
    for _ in 0..rounds(50) {
        // It has the lease, which one that is started now could have taken as well.
        worker.next();
        // Another one stands by before this one is gone.
        let standby = Worker::start(&database, 1);
        let random = EventId::random().as_uuid().as_u128();
        for _ in 0..=random % 5 {
            worker.next();
        }
        pause(random / 5);
        worker.kill();
        worker = standby;
        assert_rows_belong_to_the_checkpoints(&store).await;
    }
    drop(worker);
    load.stop().await;
    assert_complete(&store, start(&store, 1, |_| ())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_processes_that_share_slots_are_killed_and_lose_and_double_no_rows() {
    let (store, database) = store("sharing").await;
    let load = Load::start(&store);
    let mut workers: Vec<_> = (0..2).map(|_| Worker::start(&database, 8)).collect();
    for round in 0..rounds(30) {
        let random = EventId::random().as_uuid().as_u128();
        let worker = &mut workers[round % 2];
        for _ in 0..=random % 5 {
            worker.next();
        }
        pause(random / 5);
        worker.kill();
        *worker = Worker::start(&database, 8);
        assert_rows_belong_to_the_checkpoints(&store).await;
    }
    let both = async || {
        let sql = "SELECT count(DISTINCT owner) FROM cqrs.checkpoints WHERE until > now()";
        query_scalar::<_, i64>(sql).fetch_one(store.pool()).await.unwrap() == 2
    };
    while !both().await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(workers);
    load.stop().await;
    assert_complete(&store, start(&store, 1, |_| ())).await;
}

/// Owners that are slower than their leases take them from each other all the time.
#[tokio::test(flavor = "multi_thread")]
async fn g7_workers_side_by_side_that_lose_their_leases_double_nothing() {
    let (store, database) = store("side_by_side").await;
    let load = Load::start(&store);
    let mut workers = Vec::new();
    for _ in 0..2 {
        let other = second(&database).await;
        let projector = projector(&other, 1).lease(Duration::from_millis(30));
        // Now and then for longer than the lease, whatever the event: the next try of the same gets through.
        let taken = AtomicU64::new(0);
        let stall = move |_: Position| {
            if taken.fetch_add(1, Ordering::Relaxed) % 13 == 12 {
                std::thread::sleep(Duration::from_millis(60));
            }
        };
        workers.push(projector.start(Seen::<_, 1> { taken: stall }, other.model()));
    }
    let mut tokens = BTreeSet::new();
    while tokens.len() < 40 || seen(&store).await.len() < 100 {
        let sql = "SELECT coalesce(max(token), 0) FROM cqrs.checkpoints";
        tokens.insert(query_scalar::<_, i64>(sql).fetch_one(store.pool()).await.unwrap());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    load.stop().await;
    for worker in workers {
        assert!(matches!(worker.stop().await, Stopped::Asked));
    }
    assert_complete(&store, start(&store, 1, |_| ())).await;
}

/// Its rows are not flushed when they are committed, so a crash undoes some of them, and its checkpoints as well.
#[tokio::test(flavor = "multi_thread")]
async fn g7_a_projection_goes_on_by_itself_after_a_crash_of_the_server() {
    let server = Server::start_own().unwrap();
    let database = server.database("crashing").await.unwrap();
    let store = PostgresStore::connect(&database.url()).await.unwrap();
    let load = Load::start(&store);
    let workers = [start(&store, 4, |_| ()), start(&store, 4, |_| ())];
    let mut rows = 0;
    for _ in 0..4 {
        while seen(&store).await.len() < rows + 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.kill().unwrap();
        server.restart().unwrap();
        rows = seen(&store).await.len();
    }
    load.stop().await;
    let [one, other] = workers;
    let last = wanted(&store).await.last().unwrap().position;
    other.wait_for(last, LONG).await.unwrap();
    assert!(matches!(other.stop().await, Stopped::Asked));
    assert_complete(&store, one).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_slots_are_divided_anew_under_load_and_nothing_is_lost_or_doubled() {
    let (store, database) = store("rescaled").await;
    let load = Load::start(&store);
    let other = second(&database).await;
    let workers = [start(&store, 4, |_| ()), start(&other, 4, |_| ())];
    let projections = Projections::new(store.clone(), store.model());
    for slots in [8, 3, 16, 1, 5] {
        let before = seen(&store).await.len();
        while seen(&store).await.len() < before + 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(projections.rescale("seen", 1, slots).await.unwrap());
        let divided = async || {
            let state = &store.model().projections(Some("seen")).await.unwrap()[0];
            state.rescaling.is_none() && state.slots.len() == slots as usize
        };
        while !divided().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_rows_belong_to_the_checkpoints(&store).await;
    }
    load.stop().await;
    let [one, other] = workers;
    assert!(matches!(other.stop().await, Stopped::Asked));
    assert_complete(&store, one).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_a_version_is_built_beside_under_load_takes_over_and_is_rolled_back() {
    let (store, database) = store("rolled_out").await;
    let load = Load::start(&store);
    let one = start(&store, 1, |_| ());
    while seen(&store).await.len() < 50 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let by = async || -> BTreeSet<i64> {
        let sql = "SELECT DISTINCT by FROM seen";
        query_scalar(sql).fetch_all(store.pool()).await.unwrap().into_iter().collect()
    };
    let other = second(&database).await;
    let build = projector(&other, 4).on_change(OnChange::Build);
    let two = build.start(Seen::<_, 2> { taken: |_| () }, other.model());
    // The first one goes on until the second takes its place.
    assert!(matches!(one.stopped().await, Stopped::Replaced { version: 1, .. }));
    let before = seen(&store).await.len();
    while seen(&store).await.len() < before + 50 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(by().await, [2].into());

    // Back, under load as well.
    let projections = Projections::new(store.clone(), store.model());
    while !matches!(projections.roll_back("seen", 1).await, Ok(PutInService::Done)) {}
    assert!(matches!(two.stopped().await, Stopped::Replaced { version: 2, .. }));
    assert_eq!(by().await, [1].into());
    let one = start(&store, 1, |_| ());
    let before = seen(&store).await.len();
    while seen(&store).await.len() < before + 50 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    load.stop().await;
    // One at least that the other has not seen.
    add(&store, "a").await;
    assert_complete(&store, one).await;
    // And on again, with what it has missed.
    assert!(matches!(projections.promote("seen", 2).await, Ok(PutInService::Behind(..))));
    let two = build.start(Seen::<_, 2> { taken: |_| () }, other.model());
    let last = wanted(&store).await.last().unwrap().position;
    // It does not step in a second time, before it is told.
    while two.status().position < last {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(by().await, [1].into());
    while !matches!(projections.promote("seen", 2).await, Ok(PutInService::Done)) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    two.wait_for(last, LONG).await.unwrap();
    assert_complete(&store, two).await;
    assert_eq!(by().await, [2].into());
    assert!(projections.remove("seen", 1).await.unwrap());
}

/// All streams count in one row beside their own, so that slots wait for each other.
#[tokio::test(flavor = "multi_thread")]
async fn g7_a_view_whose_slots_share_a_row_counts_everything_once() {
    let (store, database) = store("view").await;
    let load = Load::start(&store);
    let other = second(&database).await;
    let workers =
        [&store, &other].map(|store| projector(store, 4).start_view::<Order>(store.model()));
    let all = "all".to_owned();
    let counted = async || -> u64 {
        let row: Option<Order> = store.model().row(&all).await.unwrap_or_default();
        row.map_or(0, |row| row.count)
    };
    while counted().await < 300 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    load.stop().await;
    let wanted = wanted(&store).await;
    workers[0].wait_for(wanted.last().unwrap().position, LONG).await.unwrap();
    for worker in workers {
        assert!(matches!(worker.stop().await, Stopped::Asked));
    }
    assert_eq!(counted().await, wanted.len() as u64);
    let sql = "SELECT sum(count)::bigint FROM \"Order\" WHERE \"order\" <> 'all'";
    let sum: i64 = query_scalar(sql).fetch_one(store.pool()).await.unwrap();
    assert_eq!(sum.cast_unsigned(), wanted.len() as u64);
}

#[tokio::test]
async fn g5_an_open_append_delays_a_projection_only_as_long_as_it_is_open() {
    let (store, _database) = store("open_append").await;
    let running = start(&store, 1, |_| ());
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
