//! Checkpoints, leases and parked streams.

use std::time::Duration;

use cqrs_core::{
    Acquired, EventStore, ExpectedVersion, Lease, Parked, Position, ProjectionId, ReadModel,
    StoreErrorKind, Version,
};
use cqrs_sqlite::{SqliteModel, SqliteStore, SqliteTransaction};
use sqlx::{query, query_scalar};
use uuid::Uuid;

use crate::support::{
    append, assert_failure, connect, event, execute, failure, place, store_events, stream,
};

pub(crate) const HOUR: Duration = Duration::from_hours(1);
/// A lease for no time has run out when it is had.
pub(crate) const RUN_OUT: Duration = Duration::ZERO;

pub(crate) fn balances() -> ProjectionId {
    ProjectionId { name: "balances", version: 1, events: "account.deposited".to_owned() }
}

/// A model with a table, one that takes an account as often as it comes.
async fn model() -> SqliteModel {
    let model = SqliteModel::in_memory().await.unwrap();
    create_table(&model).await;
    model
}

pub(crate) async fn create_table(model: &SqliteModel) {
    let sql = "CREATE TABLE IF NOT EXISTS accounts (id INTEGER)";
    query(sql).execute(model.writer()).await.unwrap();
}

async fn acquire(model: &SqliteModel, owner: Uuid, time: Duration) -> Acquired {
    model.acquire(&balances(), owner, time).await.unwrap()
}

async fn lease(model: &SqliteModel, owner: Uuid, time: Duration) -> Lease {
    match acquire(model, owner, time).await {
        Acquired::Lease(lease) => lease,
        other => panic!("expected a lease, got {other:?}"),
    }
}

pub(crate) fn at(lease: Lease, position: u64) -> Lease {
    Lease { position: Position::new(position), ..lease }
}

async fn insert(transaction: &mut SqliteTransaction, account: i64) {
    query("INSERT INTO accounts VALUES (?1)")
        .bind(account)
        .execute(&mut **transaction)
        .await
        .unwrap();
}

pub(crate) async fn accounts(model: &SqliteModel) -> Vec<i64> {
    let sql = "SELECT id FROM accounts ORDER BY rowid";
    query_scalar(sql).fetch_all(model.pool()).await.unwrap()
}

/// Begins, inserts an account and commits.
pub(crate) async fn commit(model: &SqliteModel, lease: Lease, account: i64) -> bool {
    let mut transaction = model.begin().await.unwrap();
    insert(&mut transaction, account).await;
    model.commit(transaction, &balances(), lease, HOUR).await.unwrap()
}

#[tokio::test]
async fn a_checkpoint_begins_at_the_start_and_moves_with_its_rows() {
    let model = model().await;
    let owner = Uuid::now_v7();
    let first = lease(&model, owner, HOUR).await;
    assert_eq!(first, Lease { token: 1, position: Position::START });
    assert!(commit(&model, at(first, 3), 7).await);
    assert_eq!(accounts(&model).await, [7]);
    let again = lease(&model, owner, HOUR).await;
    assert_eq!(again, Lease { token: 2, position: Position::new(3) });
    let checkpoints = model.checkpoints().await.unwrap();
    assert_eq!(checkpoints.len(), 1);
    assert_eq!((checkpoints[0].projection.as_str(), checkpoints[0].version), ("balances", 1));
    assert_eq!((checkpoints[0].position, checkpoints[0].owner), (again.position, Some(owner)));
}

#[tokio::test]
async fn a_lease_is_held_until_it_is_given_back_or_runs_out() {
    let model = model().await;
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    let held = lease(&model, one, HOUR).await;
    assert_eq!(acquire(&model, other, HOUR).await, Acquired::HeldBy { owner: one });
    model.release(&balances(), at(held, 5)).await.unwrap();
    assert_eq!(model.checkpoints().await.unwrap()[0].owner, None);
    let taken = lease(&model, other, RUN_OUT).await;
    assert_eq!((taken.token, taken.position), (held.token + 1, Position::new(5)));
    // It is the owner's still as long as nobody takes it.
    assert_eq!(model.checkpoints().await.unwrap()[0].owner, None);
    assert!(model.renew(&balances(), at(taken, 6), HOUR).await.unwrap());
    assert_eq!(acquire(&model, one, HOUR).await, Acquired::HeldBy { owner: other });
    assert_eq!(model.checkpoints().await.unwrap()[0].position, Position::new(6));
    // The longest time is as good as forever.
    assert!(model.renew(&balances(), taken, Duration::MAX).await.unwrap());
    assert_eq!(acquire(&model, one, HOUR).await, Acquired::HeldBy { owner: other });
}

#[tokio::test]
async fn a_lease_given_back_is_good_for_nothing() {
    let model = model().await;
    let held = lease(&model, Uuid::now_v7(), HOUR).await;
    model.release(&balances(), held).await.unwrap();
    assert!(!model.renew(&balances(), held, HOUR).await.unwrap());
    assert!(!commit(&model, held, 7).await);
    assert!(accounts(&model).await.is_empty());
}

#[tokio::test]
async fn g7_a_checkpoint_never_goes_back() {
    let model = model().await;
    let owner = Uuid::now_v7();
    let held = lease(&model, owner, HOUR).await;
    assert!(commit(&model, at(held, 5), 7).await);
    // As one does who was interrupted before it heard of the commit.
    assert!(model.renew(&balances(), held, HOUR).await.unwrap());
    model.release(&balances(), held).await.unwrap();
    assert_eq!(lease(&model, owner, HOUR).await.position, Position::new(5));
}

#[tokio::test]
async fn g7_an_owner_that_was_replaced_can_do_nothing() {
    let model = model().await;
    let stalled = lease(&model, Uuid::now_v7(), RUN_OUT).await;
    let successor = lease(&model, Uuid::now_v7(), HOUR).await;
    assert!(commit(&model, at(successor, 9), 2).await);
    assert!(!commit(&model, at(stalled, 20), 1).await);
    assert!(!model.renew(&balances(), at(stalled, 20), HOUR).await.unwrap());
    model.release(&balances(), at(stalled, 20)).await.unwrap();
    assert!(commit(&model, at(successor, 10), 3).await);
    assert_eq!(accounts(&model).await, [2, 3]);
    assert_eq!(model.checkpoints().await.unwrap()[0].position, Position::new(10));
}

#[tokio::test]
async fn a_changed_projection_gets_no_lease_and_changes_nothing() {
    let model = model().await;
    let owner = Uuid::now_v7();
    let held = lease(&model, owner, RUN_OUT).await;
    assert!(commit(&model, at(held, 4), 7).await);
    model.release(&balances(), held).await.unwrap();
    let before = model.checkpoints().await.unwrap();
    for changed in [
        ProjectionId { version: 2, ..balances() },
        ProjectionId { events: "account.opened".to_owned(), ..balances() },
    ] {
        let acquired = model.acquire(&changed, owner, HOUR).await.unwrap();
        let ProjectionId { version, events, .. } = balances();
        assert_eq!(acquired, Acquired::Changed { version, events });
    }
    assert_eq!(model.checkpoints().await.unwrap(), before);
    assert_eq!(lease(&model, owner, HOUR).await.token, held.token + 1);
}

#[tokio::test]
async fn projections_are_kept_apart() {
    let model = model().await;
    let other = ProjectionId { name: "owners", ..balances() };
    let held = lease(&model, Uuid::now_v7(), HOUR).await;
    let acquired = model.acquire(&other, Uuid::now_v7(), HOUR).await.unwrap();
    assert_eq!(acquired, Acquired::Lease(Lease { token: 1, position: Position::START }));
    assert!(commit(&model, at(held, 3), 7).await);
    let positions: Vec<u64> =
        model.checkpoints().await.unwrap().iter().map(|found| found.position.get()).collect();
    assert_eq!(positions, [3, 0]);
}

fn parked(key: &str, version: u64, attempts: u32) -> Parked {
    Parked {
        stream: stream(key),
        version: Version::new(version),
        position: Position::new(version * 10),
        event_type: "account.deposited".to_owned(),
        attempts,
        error: format!("failed the {attempts}. time"),
    }
}

#[tokio::test]
async fn g8_streams_are_parked_and_unparked_with_the_transaction() {
    let model = model().await;
    let held = lease(&model, Uuid::now_v7(), HOUR).await;
    let mut transaction = model.begin().await.unwrap();
    for (key, version) in [("2", 9), ("1", 3)] {
        model.park(&mut transaction, &balances(), &parked(key, version, 1)).await.unwrap();
    }
    assert!(model.commit(transaction, &balances(), held, HOUR).await.unwrap());
    // In order of position.
    let both = [parked("1", 3, 1), parked("2", 9, 1)];
    assert_eq!(model.parked("balances").await.unwrap(), both);
    assert_eq!(model.parked("owners").await.unwrap(), []);

    // Rolled back.
    let mut transaction = model.begin().await.unwrap();
    model.unpark(&mut transaction, &balances(), &stream("1")).await.unwrap();
    drop(transaction);
    assert_eq!(model.parked("balances").await.unwrap(), both);

    // Another failure, and another stream done.
    let mut transaction = model.begin().await.unwrap();
    model.park(&mut transaction, &balances(), &parked("1", 4, 6)).await.unwrap();
    model.unpark(&mut transaction, &balances(), &stream("2")).await.unwrap();
    assert!(model.commit(transaction, &balances(), held, HOUR).await.unwrap());
    assert_eq!(model.parked("balances").await.unwrap(), [parked("1", 4, 6)]);
}

#[tokio::test]
async fn g8_nothing_waits_for_a_projection_that_begins_anew() {
    let model = model().await;
    let held = lease(&model, Uuid::now_v7(), HOUR).await;
    let mut transaction = model.begin().await.unwrap();
    model.park(&mut transaction, &balances(), &parked("1", 3, 1)).await.unwrap();
    assert!(model.commit(transaction, &balances(), at(held, 30), HOUR).await.unwrap());
    query("DELETE FROM cqrs_projections").execute(model.writer()).await.unwrap();
    assert_eq!(lease(&model, Uuid::now_v7(), HOUR).await.position, Position::START);
    assert_eq!(model.parked("balances").await.unwrap(), []);
}

#[tokio::test]
async fn g7_a_transaction_that_is_dropped_leaves_nothing() {
    let place = place();
    for model in [SqliteModel::open(&place.path).await.unwrap(), model().await] {
        create_table(&model).await;
        let held = lease(&model, Uuid::now_v7(), HOUR).await;
        let mut transaction = model.begin().await.unwrap();
        insert(&mut transaction, 1).await;
        drop(transaction);
        assert!(commit(&model, at(held, 2), 2).await);
        assert_eq!(accounts(&model).await, [2]);
    }
}

#[tokio::test]
async fn what_a_transaction_reads_stays_so_until_it_writes() {
    let place = place();
    let model = SqliteModel::open(&place.path).await.unwrap();
    create_table(&model).await;
    let held = lease(&model, Uuid::now_v7(), HOUR).await;
    let mut other = connect(&place.path).await;
    execute(&mut other, "PRAGMA busy_timeout = 0").await;
    let mut transaction = model.begin().await.unwrap();
    let sql = "SELECT count(*) FROM accounts";
    let before: i64 = query_scalar(sql).fetch_one(&mut *transaction).await.unwrap();
    assert!(query("INSERT INTO accounts VALUES (7)").execute(&mut other).await.is_err());
    insert(&mut transaction, before).await;
    assert!(model.commit(transaction, &balances(), held, HOUR).await.unwrap());
    assert_eq!(accounts(&model).await, [0]);
}

#[tokio::test]
async fn g14_a_commit_that_is_dropped_is_done_or_not() {
    let place = place();
    let model = SqliteModel::open(&place.path).await.unwrap();
    create_table(&model).await;
    let owner = Uuid::now_v7();
    for round in 0..150 {
        let held = lease(&model, owner, HOUR).await;
        let mut transaction = model.begin().await.unwrap();
        insert(&mut transaction, round).await;
        let moved = at(held, held.position.get() + 1);
        let balances = balances();
        tokio::select! {
            biased;
            _ = model.commit(transaction, &balances, moved, HOUR) => {}
            () = tokio::time::sleep(Duration::from_micros(round.cast_unsigned() * 7)) => {}
        }
        model.release(&balances, held).await.unwrap();
        let position = lease(&model, owner, HOUR).await.position;
        assert_eq!(accounts(&model).await.len() as u64, position.get());
    }
}

#[tokio::test]
async fn g7_a_transaction_that_sqlite_has_ended_does_not_move_the_checkpoint() {
    let place = place();
    for model in [SqliteModel::open(&place.path).await.unwrap(), model().await] {
        let sql = "CREATE TABLE unique_accounts (id INTEGER UNIQUE)";
        query(sql).execute(model.writer()).await.unwrap();
        let owner = Uuid::now_v7();
        let held = lease(&model, owner, HOUR).await;
        let insert = "INSERT OR ROLLBACK INTO unique_accounts VALUES (1)";
        for swallows_errors in [true, false, true] {
            let mut transaction = model.begin().await.unwrap();
            query(insert).execute(&mut *transaction).await.unwrap();
            query(insert).execute(&mut *transaction).await.unwrap_err();
            if swallows_errors {
                let committed = model.commit(transaction, &balances(), at(held, 5), HOUR).await;
                assert_failure(&failure(committed), StoreErrorKind::Other, "let it return such");
            } else {
                drop(transaction);
            }
            // The connection is fit for use nevertheless.
            let again = lease(&model, owner, HOUR).await;
            assert_eq!(again.position, Position::START);
        }
        let stored: i64 = query_scalar("SELECT count(*) FROM unique_accounts")
            .fetch_one(model.pool())
            .await
            .unwrap();
        assert_eq!(stored, 0);
    }
}

#[tokio::test]
async fn g7_a_commit_that_is_refused_moves_nothing() {
    let model = model().await;
    let sql =
        "CREATE TABLE owners (account INTEGER REFERENCES known (id) DEFERRABLE INITIALLY DEFERRED)";
    query("CREATE TABLE known (id INTEGER PRIMARY KEY)").execute(model.writer()).await.unwrap();
    query(sql).execute(model.writer()).await.unwrap();
    let owner = Uuid::now_v7();
    let held = lease(&model, owner, HOUR).await;
    let mut transaction = model.begin().await.unwrap();
    query("INSERT INTO owners VALUES (1)").execute(&mut *transaction).await.unwrap();
    let committed = model.commit(transaction, &balances(), at(held, 5), HOUR).await;
    assert_failure(&failure(committed), StoreErrorKind::Other, "balances");
    let again = lease(&model, owner, HOUR).await;
    assert_eq!(again.position, Position::START);
    assert!(commit(&model, again, 1).await);
}

#[tokio::test]
async fn a_row_that_was_tampered_with_is_reported() {
    let model = model().await;
    lease(&model, Uuid::now_v7(), HOUR).await;
    let sql = "UPDATE cqrs_projections SET owner = 'me'";
    query(sql).execute(model.writer()).await.unwrap();
    let error = failure(model.checkpoints().await);
    assert_failure(&error, StoreErrorKind::Corrupt, "checkpoints");
    let error = failure(model.acquire(&balances(), Uuid::now_v7(), HOUR).await);
    assert_failure(&error, StoreErrorKind::Corrupt, "`balances`");
}

#[tokio::test]
async fn a_model_shares_the_file_of_its_store_and_is_closed_with_it() {
    let place = place();
    let store = SqliteStore::open(&place.path).await.unwrap();
    let model = store.model();
    store_events(&store, "1", &[event()]).await;
    let events: i64 =
        query_scalar("SELECT count(*) FROM cqrs_events").fetch_one(model.pool()).await.unwrap();
    assert_eq!(events, 1);
    assert!(query("DELETE FROM cqrs_events").execute(model.pool()).await.is_err());
    store.close().await;
    let error = failure(model.begin().await);
    assert_failure(&error, StoreErrorKind::Unavailable, "closed");
    let model = SqliteModel::open(&place.path).await.unwrap();
    model.close().await;
    let error = failure(model.checkpoints().await);
    assert_failure(&error, StoreErrorKind::Unavailable, "closed");
    assert!(format!("{model:?}").contains("bank.db"));
}

/// Its own transaction is what it waits for.
#[tokio::test]
async fn an_append_within_a_transaction_of_the_same_store_fails_rather_than_hangs() {
    let place = place();
    let options = SqliteStore::options(&place.path).busy_timeout(Duration::from_millis(10));
    let store = options.open().await.unwrap();
    let transaction = store.model().begin().await.unwrap();
    let append = append("1", ExpectedVersion::Any, &[event()]);
    let error = failure(store.append(&append).await);
    assert_failure(&error, StoreErrorKind::Busy, "busy timeout");
    drop(transaction);
    store_events(&store, "1", &[event()]).await;
}
