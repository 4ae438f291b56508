//! Events that a reader passes without having seen them. What commits late is the subject of the conformance suite and
//! of the model of the protocol; here is what is left.

use cqrs::{EventStore, ExpectedVersion, LogFilter, MemoryModel, Position, Projector, Version};
use sqlx::AssertSqlSafe;

use super::{add, append_of};
use crate::projections::{Histories, History, LONG};

/// Takes everything there is, in pages of two events.
async fn all_of(store: &dyn EventStore) -> Vec<u64> {
    let (mut positions, mut after) = (Vec::new(), Position::START);
    loop {
        let page = store.read_log(&LogFilter::all(), after, 2).await.unwrap();
        if page.events.is_empty() {
            return positions;
        }
        positions.extend(page.events.iter().map(|event| event.position.get()));
        after = page.through;
    }
}

/// The sequence of positions begins before the log: a reader that waits for position 1, or takes the first one it sees
/// for the beginning while another is still being stored, loses events or stands still.
#[tokio::test(flavor = "multi_thread")]
async fn g5_a_log_whose_first_positions_were_never_stored_is_read_from_its_beginning() {
    let database = cqrs_test_harness::postgres().unwrap().database("leading").await.unwrap();
    let store = crate::stores::postgres(&database.url()).await;
    let mut given_up = store.pool().begin().await.unwrap();
    let append = append_of("a", ExpectedVersion::NoStream, "counter.added", 5);
    store.append_in(&mut given_up, &append).await.unwrap();
    given_up.rollback().await.unwrap();
    // One is drawn first and stored last.
    let mut held = store.pool().begin().await.unwrap();
    let append = append_of("b", ExpectedVersion::NoStream, "counter.added", 1);
    let first = store.append_in(&mut held, &append).await.unwrap().position;
    let last = add(&store, "c", "counter.added", 1).await.position;
    assert!(first > Position::new(5) && last > first);

    let model = MemoryModel::new(Histories::new());
    let running = Projector::new(store.clone()).start(History::new().0, model.clone());
    assert_eq!(all_of(&store).await, [0; 0]);
    held.commit().await.unwrap();
    running.wait_for(last, LONG).await.unwrap();
    assert_eq!(model.read(|all| all.values().map(Vec::len).sum::<usize>()), 2);
    assert_eq!(all_of(&store).await, [first.get(), last.get()]);
}

const GAP: u64 = 3_000_000_000;

/// Positions are not numbers without gaps: a reader that looks at a window of positions after the other finds nothing
/// for a long time, or takes an empty window for the end.
async fn a_gap_is_passed(store: &dyn EventStore, last: Position) {
    assert!(last.get() > GAP);
    let first = add(store, "b", "counter.added", 1).await.position;
    let all = all_of(store).await;
    assert_eq!(all, [1, 2, last.get(), first.get()]);
    let wanted = LogFilter::all().event_type("counter.added");
    let page = store.read_log(&wanted, Position::new(2), 1).await.unwrap();
    assert_eq!(page.events[0].position, last);
    assert_eq!(store.head().await.unwrap().last, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn g5_a_gap_of_billions_of_positions_is_passed_at_once_on_postgres() {
    let database = cqrs_test_harness::postgres().unwrap().database("gap").await.unwrap();
    let store = crate::stores::postgres(&database.url()).await;
    add(&store, "a", "counter.added", 2).await;
    let sql = format!("SELECT setval('cqrs.events_position_seq', {GAP})");
    sqlx::query(AssertSqlSafe(sql)).execute(store.pool()).await.unwrap();
    let last = add(&store, "a", "counter.added", 1).await;
    assert_eq!(last.version, Version::new(3));
    a_gap_is_passed(&store, last.position).await;
}

#[tokio::test]
async fn g5_a_gap_of_billions_of_positions_is_passed_at_once_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gap.db");
    let store = crate::stores::sqlite(&path).await;
    add(&store, "a", "counter.added", 2).await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let operator = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let sql = format!("UPDATE sqlite_sequence SET seq = {GAP} WHERE name = 'cqrs_events'");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&operator).await.unwrap();
    let last = add(&store, "a", "counter.added", 1).await;
    a_gap_is_passed(&store, last.position).await;
}
