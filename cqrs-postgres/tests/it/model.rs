//! Checkpoints, leases and parked streams.

use std::time::Duration;

use cqrs_core::{
    Acquired, ExpectedVersion, Lease, Parked, Position, ProjectionId, ReadModel, StoreError,
    StoreErrorKind, Version,
};
use cqrs_postgres::PostgresModel;
use cqrs_test_harness::{Database, postgres};
use sqlx::{PgTransaction, query, query_scalar};
use uuid::Uuid;

use crate::support::{append, store, stream};

const HOUR: Duration = Duration::from_hours(1);
/// A lease for no time has run out when it is had.
const RUN_OUT: Duration = Duration::ZERO;

fn balances() -> ProjectionId {
    ProjectionId { name: "balances", version: 1, events: "account.deposited".to_owned() }
}

/// A model with a table that takes an account as often as it comes.
async fn model(hint: &str) -> (PostgresModel, Database) {
    let database = postgres().unwrap().database(hint).await.unwrap();
    let model = PostgresModel::connect(&database.url()).await.unwrap();
    let create = "CREATE TABLE accounts (number bigint GENERATED ALWAYS AS IDENTITY, id bigint)";
    query(create).execute(model.pool()).await.unwrap();
    (model, database)
}

async fn acquire(model: &PostgresModel, owner: Uuid, time: Duration) -> Acquired {
    model.acquire(&balances(), owner, time).await.unwrap()
}

async fn lease(model: &PostgresModel, owner: Uuid, time: Duration) -> Lease {
    match acquire(model, owner, time).await {
        Acquired::Lease(lease) => lease,
        other => panic!("expected a lease, got {other:?}"),
    }
}

fn at(lease: Lease, position: u64) -> Lease {
    Lease { position: Position::new(position), ..lease }
}

async fn insert(transaction: &mut PgTransaction<'static>, account: i64) {
    let sql = "INSERT INTO accounts (id) VALUES ($1)";
    query(sql).bind(account).execute(&mut **transaction).await.unwrap();
}

async fn accounts(model: &PostgresModel) -> Vec<i64> {
    let sql = "SELECT id FROM accounts ORDER BY number";
    query_scalar(sql).fetch_all(model.pool()).await.unwrap()
}

async fn position(model: &PostgresModel) -> u64 {
    model.checkpoints().await.unwrap()[0].position.get()
}

/// Begins, inserts an account and commits.
async fn commit(model: &PostgresModel, lease: Lease, account: i64) -> bool {
    let mut transaction = model.begin().await.unwrap();
    insert(&mut transaction, account).await;
    model.commit(transaction, &balances(), lease, HOUR).await.unwrap()
}

#[track_caller]
fn assert_failure<T: std::fmt::Debug>(
    result: Result<T, StoreError>,
    kind: StoreErrorKind,
    part: &str,
) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(part), "{error}");
}

#[tokio::test]
async fn a_checkpoint_begins_at_the_start_and_moves_with_its_rows() {
    let (model, _database) = model("checkpoint").await;
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
    let (model, _database) = model("held_lease").await;
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    let held = lease(&model, one, HOUR).await;
    assert_eq!(acquire(&model, other, HOUR).await, Acquired::HeldBy { owner: one });
    model.release(&balances(), at(held, 5)).await.unwrap();
    assert_eq!(model.checkpoints().await.unwrap()[0].owner, None);
    // What was given back is good for nothing.
    assert!(!model.renew(&balances(), held, HOUR).await.unwrap());
    assert!(!commit(&model, held, 7).await);
    let taken = lease(&model, other, RUN_OUT).await;
    assert_eq!((taken.token, taken.position), (held.token + 1, Position::new(5)));
    // It is the owner's still as long as nobody takes it.
    assert_eq!(model.checkpoints().await.unwrap()[0].owner, None);
    assert!(model.renew(&balances(), at(taken, 6), HOUR).await.unwrap());
    assert_eq!(acquire(&model, one, HOUR).await, Acquired::HeldBy { owner: other });
    assert_eq!(position(&model).await, 6);
    // The longest time is as good as forever.
    assert!(model.renew(&balances(), taken, Duration::MAX).await.unwrap());
    assert_eq!(acquire(&model, one, HOUR).await, Acquired::HeldBy { owner: other });
    // One who was interrupted does not know of all it has committed: a checkpoint never goes back.
    assert_eq!(position(&model).await, 6);
    assert_eq!(accounts(&model).await, [0_i64; 0]);
}

#[tokio::test]
async fn g7_an_owner_that_was_replaced_can_do_nothing() {
    let (model, _database) = model("replaced").await;
    let stalled = lease(&model, Uuid::now_v7(), RUN_OUT).await;
    // It stops in the middle of a batch, with the locks it has.
    let mut its_batch = model.begin().await.unwrap();
    insert(&mut its_batch, 1).await;
    let successor = lease(&model, Uuid::now_v7(), HOUR).await;
    assert!(commit(&model, at(successor, 9), 1).await);
    assert!(!model.commit(its_batch, &balances(), at(stalled, 20), HOUR).await.unwrap());
    assert!(!commit(&model, at(stalled, 20), 1).await);
    assert!(!model.renew(&balances(), at(stalled, 20), HOUR).await.unwrap());
    model.release(&balances(), at(stalled, 20)).await.unwrap();
    assert!(commit(&model, at(successor, 10), 3).await);
    assert_eq!(accounts(&model).await, [1, 3]);
    assert_eq!(position(&model).await, 10);
}

/// A commit and a take-over at the same time: one waits for the other, and there is one outcome.
#[tokio::test(flavor = "multi_thread")]
async fn g7_a_commit_that_races_a_take_over_counts_for_both_or_for_nobody() {
    let (model, _database) = model("take_over").await;
    let mut expected = Vec::new();
    for round in 0..60 {
        let old = lease(&model, Uuid::now_v7(), RUN_OUT).await;
        let mut batch = model.begin().await.unwrap();
        insert(&mut batch, round).await;
        let moved = at(old, old.position.get() + 1);
        let committing = {
            let model = model.clone();
            tokio::spawn(
                async move { model.commit(batch, &balances(), moved, RUN_OUT).await.unwrap() },
            )
        };
        tokio::time::sleep(Duration::from_micros(round.cast_unsigned() * 29)).await;
        let new = lease(&model, Uuid::now_v7(), RUN_OUT).await;
        let committed = committing.await.unwrap();
        if committed {
            expected.push(round);
        }
        assert_eq!((new.token, new.position == moved.position), (old.token + 1, committed));
        assert!(!model.renew(&balances(), old, HOUR).await.unwrap());
    }
    assert_eq!(accounts(&model).await, expected);
}

/// After a crash of the server the connections are replaced before the owner notices. What it knows of is more than is
/// there, and it must not go on from it.
#[tokio::test]
async fn g7_an_owner_whose_last_commit_is_lost_begins_where_the_server_is() {
    let (model, _database) = model("lost_commit").await;
    let owner = Uuid::now_v7();
    let held = lease(&model, owner, HOUR).await;
    assert!(commit(&model, at(held, 3), 1).await);
    assert!(model.renew(&balances(), at(held, 4), HOUR).await.unwrap());
    assert!(commit(&model, at(held, 5), 2).await);
    let crash = "DELETE FROM accounts WHERE id = 2; \
                 UPDATE cqrs.projections SET commits = commits - 1, position = 4";
    sqlx::raw_sql(crash).execute(model.pool()).await.unwrap();
    assert!(!commit(&model, at(held, 9), 3).await);
    assert!(!model.renew(&balances(), at(held, 9), HOUR).await.unwrap());
    let again = lease(&model, owner, HOUR).await;
    assert_eq!(again.position.get(), 4);
    assert!(commit(&model, at(again, 5), 2).await);
    assert_eq!(accounts(&model).await, [1, 2]);
    // Nor when it gives the lease back.
    sqlx::raw_sql(crash).execute(model.pool()).await.unwrap();
    model.release(&balances(), at(again, 9)).await.unwrap();
    assert_eq!(position(&model).await, 4);
}

/// Many owners at once.
async fn race(model: &PostgresModel, time: Duration) -> Vec<Acquired> {
    let racing: Vec<_> = (0..12)
        .map(|_| {
            let model = model.clone();
            tokio::spawn(async move { acquire(&model, Uuid::now_v7(), time).await })
        })
        .collect();
    let mut acquired = Vec::new();
    for racing in racing {
        acquired.push(racing.await.unwrap());
    }
    acquired
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_one_of_many_owners_gets_the_lease() {
    let (model, _database) = model("owners").await;
    for round in 0..20 {
        let acquired = race(&model, HOUR).await;
        let leases: Vec<&Acquired> =
            acquired.iter().filter(|acquired| matches!(acquired, Acquired::Lease(_))).collect();
        let [Acquired::Lease(lease)] = leases[..] else { panic!("{acquired:?}") };
        let held = acquired.iter().filter(|other| matches!(other, Acquired::HeldBy { .. }));
        assert_eq!((held.count(), lease.token), (11, round + 1));
        model.release(&balances(), *lease).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_each_owner_has_a_token_of_its_own_and_only_the_last_commits() {
    let (model, _database) = model("tokens").await;
    let mut leases: Vec<Lease> = race(&model, RUN_OUT)
        .await
        .into_iter()
        .map(|acquired| match acquired {
            Acquired::Lease(lease) => lease,
            other => panic!("{other:?}"),
        })
        .collect();
    leases.sort_by_key(|lease| lease.token);
    let tokens: Vec<i64> = leases.iter().map(|lease| lease.token).collect();
    assert_eq!(tokens, (1..=12).collect::<Vec<_>>());
    for lease in leases {
        assert_eq!(commit(&model, at(lease, 1), lease.token).await, lease.token == 12);
    }
    assert_eq!(accounts(&model).await, [12]);
}

#[tokio::test]
async fn a_changed_projection_gets_no_lease_and_changes_nothing() {
    let (model, _database) = model("changed").await;
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
    // Another one has a checkpoint of its own.
    let other = ProjectionId { name: "owners", ..balances() };
    let acquired = model.acquire(&other, owner, HOUR).await.unwrap();
    assert_eq!(acquired, Acquired::Lease(Lease { token: 1, position: Position::START }));
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
    let (model, _database) = model("parked").await;
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

    // Another failure, with an error that is no text to Postgres, and another stream done.
    let mut transaction = model.begin().await.unwrap();
    let again = Parked { error: "\0?".to_owned(), ..parked("1", 4, 6) };
    model.park(&mut transaction, &balances(), &again).await.unwrap();
    model.unpark(&mut transaction, &balances(), &stream("2")).await.unwrap();
    assert!(model.commit(transaction, &balances(), held, HOUR).await.unwrap());
    let kept = Parked { error: "\u{fffd}?".to_owned(), ..parked("1", 4, 6) };
    assert_eq!(model.parked("balances").await.unwrap(), [kept]);

    // Nothing waits for a projection that begins anew; its old owner is just one that was replaced.
    query("DELETE FROM cqrs.projections").execute(model.pool()).await.unwrap();
    assert_eq!(model.parked("balances").await.unwrap(), []);
    let mut transaction = model.begin().await.unwrap();
    model.park(&mut transaction, &balances(), &parked("1", 5, 7)).await.unwrap();
    assert!(!model.commit(transaction, &balances(), held, HOUR).await.unwrap());
    assert_eq!(lease(&model, Uuid::now_v7(), HOUR).await.position, Position::START);
    assert_eq!(model.parked("balances").await.unwrap(), []);
}

#[tokio::test]
async fn g7_a_transaction_that_is_dropped_leaves_nothing() {
    let (model, _database) = model("rolled_back").await;
    let held = lease(&model, Uuid::now_v7(), HOUR).await;
    let mut transaction = model.begin().await.unwrap();
    insert(&mut transaction, 1).await;
    drop(transaction);
    assert!(commit(&model, at(held, 2), 2).await);
    assert_eq!(accounts(&model).await, [2]);
}

#[tokio::test]
async fn g14_a_commit_that_is_dropped_is_done_or_not() {
    let (model, _database) = model("dropped_commit").await;
    let owner = Uuid::now_v7();
    for round in 0..60 {
        let held = lease(&model, owner, HOUR).await;
        let mut transaction = model.begin().await.unwrap();
        insert(&mut transaction, round).await;
        let moved = at(held, held.position.get() + 1);
        let pause = Duration::from_micros(round.cast_unsigned() * 25);
        let id = balances();
        let committing = model.commit(transaction, &id, moved, HOUR);
        let _ = tokio::time::timeout(pause, committing).await;
        let position = lease(&model, owner, HOUR).await.position;
        assert_eq!(accounts(&model).await.len() as u64, position.get());
    }
}

/// Otherwise the checkpoint would move without the rows.
#[tokio::test]
async fn g7_a_transaction_that_is_over_does_not_move_the_checkpoint() {
    let (model, _database) = model("over").await;
    let held = lease(&model, Uuid::now_v7(), HOUR).await;
    for end in ["ROLLBACK", "ROLLBACK; BEGIN"] {
        let mut transaction = model.begin().await.unwrap();
        insert(&mut transaction, 1).await;
        sqlx::raw_sql(end).execute(&mut *transaction).await.unwrap();
        let committed = model.commit(transaction, &balances(), at(held, 5), HOUR).await;
        assert_failure(committed, StoreErrorKind::Other, "a handler has ended it");
    }
    // A handler that goes on after an error.
    let mut transaction = model.begin().await.unwrap();
    insert(&mut transaction, 1).await;
    sqlx::raw_sql("SELECT 1 / 0").execute(&mut *transaction).await.unwrap_err();
    let committed = model.commit(transaction, &balances(), at(held, 5), HOUR).await;
    assert_failure(committed, StoreErrorKind::Other, "has to return its error");
    // What is refused at the commit itself.
    let create = "CREATE TABLE known (id bigint PRIMARY KEY); \
                  CREATE TABLE owners (id bigint REFERENCES known DEFERRABLE INITIALLY DEFERRED)";
    sqlx::raw_sql(create).execute(model.pool()).await.unwrap();
    let mut transaction = model.begin().await.unwrap();
    query("INSERT INTO owners VALUES (1)").execute(&mut *transaction).await.unwrap();
    let committed = model.commit(transaction, &balances(), at(held, 5), HOUR).await;
    assert_failure(committed, StoreErrorKind::Other, "`balances`");
    assert_eq!((position(&model).await, accounts(&model).await.len()), (0, 0));
    assert!(commit(&model, at(held, 1), 1).await);
}

/// Views need not wait for the disk, events do, and nobody is blocked for good by one who is cut off.
#[tokio::test]
async fn g3_a_batch_commits_without_waiting_for_the_disk_unless_it_appends() {
    let (store, _database) = store("asynchronous").await;
    let model = store.model();
    let mut transaction = model.begin().await.unwrap();
    let setting = async |transaction: &mut PgTransaction<'static>, name: &str| -> String {
        let ask = query_scalar("SELECT current_setting($1)").bind(name.to_owned());
        ask.fetch_one(&mut **transaction).await.unwrap()
    };
    assert_eq!(setting(&mut transaction, "synchronous_commit").await, "off");
    let limit = "idle_in_transaction_session_timeout";
    assert_eq!(setting(&mut transaction, limit).await, "1min");
    store.append_in(&mut transaction, &append("a", ExpectedVersion::Any, 1)).await.unwrap();
    assert_eq!(setting(&mut transaction, "synchronous_commit").await, "on");
    transaction.rollback().await.unwrap();
    // Nothing of that stays with the connection.
    let mut plain = store.pool().begin().await.unwrap();
    assert_eq!(setting(&mut plain, "synchronous_commit").await, "on");
    assert_eq!(setting(&mut plain, limit).await, "0");
}

/// As on a former primary: that is not the fault of an event, so it must show before a handler runs.
#[tokio::test]
async fn a_database_that_is_read_only_fails_before_any_event_does() {
    let (model, database) = model("read_only").await;
    let held = lease(&model, Uuid::now_v7(), HOUR).await;
    let options = database.options().clone().options([("default_transaction_read_only", "on")]);
    let pool = sqlx::PgPool::connect_with(options).await.unwrap();
    let read_only = PostgresModel::with_pool(pool).await.unwrap();
    assert_failure(read_only.begin().await, StoreErrorKind::Unavailable, "primary");
    let renewed = read_only.renew(&balances(), held, HOUR).await;
    assert_failure(renewed, StoreErrorKind::Unavailable, "primary");
    assert_eq!(read_only.checkpoints().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_model_shares_the_connections_of_its_store_and_is_closed_with_it() {
    let (store, database) = store("closed").await;
    let model = store.model();
    lease(&model, Uuid::now_v7(), HOUR).await;
    let debug = format!("{model:?}");
    assert!(debug.contains(database.name()), "{debug}");
    cqrs_core::EventStore::close(&store).await;
    assert_failure(model.begin().await, StoreErrorKind::Unavailable, "closed");
    assert_failure(model.checkpoints().await, StoreErrorKind::Unavailable, "closed");
    let model = PostgresModel::connect(&database.url()).await.unwrap();
    assert_eq!(model.checkpoints().await.unwrap().len(), 1);
    model.close().await;
    assert_failure(model.checkpoints().await, StoreErrorKind::Unavailable, "closed");
}

#[tokio::test]
async fn a_row_that_was_tampered_with_is_reported() {
    let (model, _database) = model("tampered").await;
    lease(&model, Uuid::now_v7(), HOUR).await;
    query("UPDATE cqrs.projections SET version = -1").execute(model.pool()).await.unwrap();
    assert_failure(model.checkpoints().await, StoreErrorKind::Corrupt, "checkpoints");
    let acquired = model.acquire(&balances(), Uuid::now_v7(), HOUR).await;
    assert_failure(acquired, StoreErrorKind::Corrupt, "`balances`");
}
