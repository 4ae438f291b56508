//! Transactions of projections, and what they are opened with.

use std::time::Duration;

use cqrs_core::{
    Commit, EventStore, ExpectedVersion, Lease, Maintain, Member, Opened, Parked, Position,
    ProjectionId, ReadModel, Setup, StoreErrorKind, Version,
};
use cqrs_sqlite::{SqliteModel, SqliteStore, SqliteTransaction};
use sqlx::{AssertSqlSafe, query, query_scalar, raw_sql};
use uuid::Uuid;

use crate::support::{
    BRIEFLY, append, assert_failure, connect, event, execute, failure, open_patiently, place,
    store_events, stream,
};

pub(crate) const HOUR: Duration = Duration::from_hours(1);

/// A table that takes an account as often as it comes.
pub(crate) const ACCOUNTS: &str = "CREATE TABLE accounts (id INTEGER)";

pub(crate) fn balances(version: u32) -> ProjectionId {
    ProjectionId { name: "balances", version, events: "account.deposited".to_owned() }
}

pub(crate) fn setup(tables: &str) -> Setup<'_> {
    Setup { tables, slots: 1, replays_to: Position::START, beside: true }
}

async fn model() -> SqliteModel {
    SqliteModel::in_memory().await.unwrap()
}

/// Opens a version and takes its lease.
pub(crate) async fn lease(model: &SqliteModel, version: u32, tables: &str) -> Lease {
    model.open(&balances(version), &setup(tables)).await.unwrap();
    again(model, version).await
}

/// Its lease, as one gets it who has forgotten his own.
pub(crate) async fn again(model: &SqliteModel, version: u32) -> Lease {
    let id = Uuid::from_u128(1);
    let member = Member { id, label: "me", leases: &[], time: HOUR, error: None };
    model.share(&balances(version), &member).await.unwrap().unwrap().leases[0]
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

pub(crate) async fn end(
    model: &SqliteModel,
    transaction: SqliteTransaction,
    version: u32,
    lease: Lease,
) -> Result<bool, cqrs_core::StoreError> {
    let leases = [lease];
    let commit = Commit { leases: &leases, events: 1, time: HOUR };
    model.commit(transaction, &balances(version), &commit).await
}

/// Begins, inserts an account and commits.
pub(crate) async fn commit(model: &SqliteModel, version: u32, lease: Lease, account: i64) -> bool {
    let mut transaction = model.begin().await.unwrap();
    insert(&mut transaction, account).await;
    end(model, transaction, version, lease).await.unwrap()
}

#[tokio::test]
async fn g7_a_transaction_that_is_dropped_leaves_nothing() {
    let place = place();
    for model in [SqliteModel::open(&place.path).await.unwrap(), model().await] {
        let held = lease(&model, 1, ACCOUNTS).await;
        let mut transaction = model.begin().await.unwrap();
        insert(&mut transaction, 1).await;
        drop(transaction);
        assert!(commit(&model, 1, at(held, 2), 2).await);
        assert_eq!(accounts(&model).await, [2]);
    }
}

#[tokio::test]
async fn what_a_transaction_reads_stays_so_until_it_writes() {
    let place = place();
    let model = SqliteModel::open(&place.path).await.unwrap();
    let held = lease(&model, 1, ACCOUNTS).await;
    let mut other = connect(&place.path).await;
    execute(&mut other, "PRAGMA busy_timeout = 0").await;
    let mut transaction = model.begin().await.unwrap();
    let sql = "SELECT count(*) FROM accounts";
    let before: i64 = query_scalar(sql).fetch_one(&mut *transaction).await.unwrap();
    assert!(query("INSERT INTO accounts VALUES (7)").execute(&mut other).await.is_err());
    insert(&mut transaction, before).await;
    assert!(end(&model, transaction, 1, held).await.unwrap());
    assert_eq!(accounts(&model).await, [0]);
}

#[tokio::test]
async fn g14_a_commit_that_is_dropped_is_done_or_not() {
    let place = place();
    let model = SqliteModel::open(&place.path).await.unwrap();
    let mut held = lease(&model, 1, ACCOUNTS).await;
    for round in 0..150 {
        let mut transaction = model.begin().await.unwrap();
        insert(&mut transaction, round).await;
        let moved = at(held, held.position.get() + 1);
        tokio::select! {
            biased;
            _ = end(&model, transaction, 1, moved) => {}
            () = tokio::time::sleep(Duration::from_micros(round.cast_unsigned() * 7)) => {}
        }
        held = again(&model, 1).await;
        assert_eq!(accounts(&model).await.len() as u64, held.position.get());
    }
}

#[tokio::test]
async fn g7_a_transaction_that_sqlite_has_ended_does_not_move_the_checkpoint() {
    let place = place();
    for model in [SqliteModel::open(&place.path).await.unwrap(), model().await] {
        let held = lease(&model, 1, "CREATE TABLE accounts (id INTEGER UNIQUE)").await;
        let insert = "INSERT OR ROLLBACK INTO accounts VALUES (1)";
        for swallows_errors in [true, false, true] {
            let mut transaction = model.begin().await.unwrap();
            query(insert).execute(&mut *transaction).await.unwrap();
            query(insert).execute(&mut *transaction).await.unwrap_err();
            if swallows_errors {
                let committed = end(&model, transaction, 1, at(held, 5)).await;
                assert_failure(&failure(committed), StoreErrorKind::Other, "let it return such");
            } else {
                drop(transaction);
            }
            // The connection is fit for use nevertheless.
            assert_eq!(again(&model, 1).await.position, Position::START);
        }
        assert!(accounts(&model).await.is_empty());
    }
}

#[tokio::test]
async fn g8_a_commit_that_is_refused_moves_nothing_and_is_the_fault_of_what_was_written() {
    let model = model().await;
    let tables = "CREATE TABLE known (id INTEGER PRIMARY KEY); \
        CREATE TABLE accounts (id INTEGER REFERENCES known (id) DEFERRABLE INITIALLY DEFERRED)";
    let held = lease(&model, 1, tables).await;
    let mut transaction = model.begin().await.unwrap();
    insert(&mut transaction, 1).await;
    let committed = end(&model, transaction, 1, at(held, 5)).await;
    assert_failure(&failure(committed), StoreErrorKind::InvalidInput, "FOREIGN KEY");
    let held = again(&model, 1).await;
    assert_eq!(held.position, Position::START);
    let transaction = model.begin().await.unwrap();
    assert!(end(&model, transaction, 1, held).await.unwrap());
}

/// The transaction holds the one connection that could write.
#[tokio::test]
async fn leases_are_prolonged_while_a_transaction_is_open() {
    let place = place();
    for model in [SqliteModel::open(&place.path).await.unwrap(), model().await] {
        let held = lease(&model, 1, ACCOUNTS).await;
        let mut transaction = model.begin().await.unwrap();
        insert(&mut transaction, 1).await;
        assert!(model.prolong(&balances(1), &[held], HOUR).await.unwrap());
        assert!(end(&model, transaction, 1, held).await.unwrap());
        assert!(model.prolong(&balances(1), &[held], HOUR).await.unwrap());
    }
}

/// What is there: all names, and all versions of projections.
async fn all(model: &SqliteModel) -> (Vec<String>, usize) {
    let names = query_scalar("SELECT name FROM sqlite_schema ORDER BY name");
    let names = names.fetch_all(model.pool()).await.unwrap();
    (names, model.projections(None).await.unwrap().len())
}

#[tokio::test]
async fn tables_are_made_with_the_first_checkpoint_or_not_at_all() {
    let place = place();
    for model in [SqliteModel::open(&place.path).await.unwrap(), model().await] {
        let theirs = "CREATE TABLE owners (id INTEGER); CREATE INDEX by_owner ON owners (id)";
        raw_sql(theirs).execute(model.writer()).await.unwrap();
        let before = all(&model).await;
        for (tables, says) in [
            ("CREATE TABLE accounts (id); CREATE TABLE Owners (id)", "`owners` exists already"),
            (
                "CREATE TABLE accounts (id); CREATE TABLE IF NOT EXISTS owners (id)",
                "exists already",
            ),
            ("CREATE TABLE accounts (id); CREATE INDEX by_owner ON accounts (id)", "`by_owner`"),
            ("CREATE TABLE accounts (id); CREATE VIEW a AS SELECT 1", "`a` is no ordinary table"),
            ("CREATE VIRTUAL TABLE words USING fts5 (word)", "no ordinary table"),
            ("CREATE TABLE accounts (id); COMMIT", "ends the transaction"),
            ("CREATE TABLE accounts (id); nonsense", "syntax error"),
            ("CREATE TABLE accounts (id); INSERT INTO accounts (nothing) VALUES (1)", "nothing"),
            ("-- nothing", "makes no table"),
        ] {
            for version in [1, 2] {
                let opened = model.open(&balances(version), &setup(tables)).await;
                let error = failure(opened);
                assert_failure(&error, StoreErrorKind::InvalidInput, says);
                assert_failure(&error, StoreErrorKind::InvalidInput, "`balances`");
                assert_eq!(all(&model).await, before, "{tables}");
            }
        }
        // Beside, they would not be in the way now, but later.
        lease(&model, 1, ACCOUNTS).await;
        let before = all(&model).await;
        let opened = model.open(&balances(2), &setup("CREATE TABLE owners (id)")).await;
        assert_failure(&failure(opened), StoreErrorKind::InvalidInput, "`owners` exists already");
        assert_eq!(all(&model).await, before);
    }
}

#[tokio::test]
async fn a_projection_whose_tables_the_application_makes_has_none_to_empty() {
    let model = model().await;
    raw_sql(ACCOUNTS).execute(model.writer()).await.unwrap();
    let held = lease(&model, 1, "").await;
    assert!(commit(&model, 1, at(held, 3), 7).await);
    let reset = model.reset("balances", 1, Position::START).await;
    assert_failure(&failure(reset), StoreErrorKind::InvalidInput, "no tables of its own");
    assert_eq!((accounts(&model).await, again(&model, 1).await.position.get()), (vec![7], 3));
}

#[tokio::test]
async fn a_reset_empties_tables_that_refer_to_each_other_and_counts_anew() {
    let place = place();
    for model in [SqliteModel::open(&place.path).await.unwrap(), model().await] {
        let tables = "CREATE TABLE accounts (id INTEGER PRIMARY KEY AUTOINCREMENT); \
            CREATE TABLE owners (account INTEGER NOT NULL REFERENCES accounts (id)); \
            CREATE TABLE gone (account INTEGER); \
            CREATE TRIGGER goes AFTER DELETE ON owners BEGIN INSERT INTO gone VALUES (old.account); END";
        let mut held = lease(&model, 1, tables).await;
        for round in 0..2 {
            let mut transaction = model.begin().await.unwrap();
            let rows = "INSERT INTO accounts DEFAULT VALUES; INSERT INTO accounts DEFAULT VALUES; \
                INSERT INTO owners VALUES (1), (2); DELETE FROM owners WHERE account = 2";
            raw_sql(rows).execute(&mut *transaction).await.unwrap();
            assert!(end(&model, transaction, 1, at(held, 5)).await.unwrap());
            assert_eq!(accounts(&model).await, [1, 2], "round {round}");
            let gone: Vec<i64> =
                query_scalar("SELECT account FROM gone").fetch_all(model.pool()).await.unwrap();
            assert_eq!(gone, [2], "round {round}");
            assert!(model.reset("balances", 1, Position::new(5)).await.unwrap());
            for table in ["accounts", "owners", "gone"] {
                let sql = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
                let rows: i64 = query_scalar(sql).fetch_one(model.pool()).await.unwrap();
                assert_eq!(rows, 0, "{table}");
            }
            held = again(&model, 1).await;
            assert_eq!(held.position, Position::START);
        }
    }
}

#[tokio::test]
async fn a_row_that_was_tampered_with_is_reported() {
    let model = model().await;
    let held = lease(&model, 1, ACCOUNTS).await;
    let mut transaction = model.begin().await.unwrap();
    let parked = Parked {
        stream: stream("1"),
        version: Version::new(1),
        position: Position::new(1),
        event_type: "account.deposited".to_owned(),
        attempts: 1,
        error: "failed".to_owned(),
        since: std::time::SystemTime::UNIX_EPOCH,
        request: None,
    };
    model.park(&mut transaction, &balances(1), &parked).await.unwrap();
    assert!(end(&model, transaction, 1, held).await.unwrap());
    raw_sql("UPDATE cqrs_checkpoints SET owner = 'me'; UPDATE cqrs_parked SET position = -1")
        .execute(model.writer())
        .await
        .unwrap();
    let error = failure(model.projections(None).await);
    assert_failure(&error, StoreErrorKind::Corrupt, "projections");
    let error = failure(model.open(&balances(1), &setup(ACCOUNTS)).await);
    assert_failure(&error, StoreErrorKind::Corrupt, "`balances`");
    let error = failure(model.parked("balances", 1).await);
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
    lease(&model, 1, ACCOUNTS).await;
    lease(&model, 2, ACCOUNTS).await;
    let beside = model.beside(&balances(2)).await.unwrap();
    assert!(query("DELETE FROM accounts").execute(beside.pool()).await.is_err());
    store.close().await;
    let error = failure(model.begin().await);
    assert_failure(&error, StoreErrorKind::Unavailable, "closed");
    let model = SqliteModel::open(&place.path).await.unwrap();
    let beside = model.beside(&balances(2)).await.unwrap();
    model.close().await;
    let error = failure(model.projections(None).await);
    assert_failure(&error, StoreErrorKind::Unavailable, "closed");
    let error = failure(beside.begin().await);
    assert_failure(&error, StoreErrorKind::Unavailable, "closed");
    assert!(format!("{model:?}").contains("bank.db"));
}

/// Its own transaction is what it waits for.
#[tokio::test]
async fn an_append_within_a_transaction_of_the_same_store_fails_rather_than_hangs() {
    let place = place();
    let options = SqliteStore::options(&place.path).busy_timeout(BRIEFLY);
    let store = options.open().await.unwrap();
    let transaction = store.model().begin().await.unwrap();
    let append = append("1", ExpectedVersion::Any, &[event()]);
    let error = failure(store.append(&append).await);
    assert_failure(&error, StoreErrorKind::Busy, "busy timeout");
    drop(transaction);
    store_events(&store, "1", &[event()]).await;
}

#[tokio::test]
async fn who_stands_by_does_not_wait_for_the_lock() {
    let place = place();
    let model = open_patiently(&place.path).await.model();
    lease(&model, 1, ACCOUNTS).await;
    let other =
        Member { id: Uuid::from_u128(2), label: "other", leases: &[], time: HOUR, error: None };
    let share = model.share(&balances(1), &other).await.unwrap().unwrap();
    assert_eq!(share.leases, []);
    let mut locking = connect(&place.path).await;
    execute(&mut locking, "BEGIN IMMEDIATE").await;
    assert_eq!(model.share(&balances(1), &other).await.unwrap(), Some(share));
    let opened = model.open(&balances(1), &setup(ACCOUNTS)).await.unwrap();
    assert_eq!(opened, Opened::InService);
}
