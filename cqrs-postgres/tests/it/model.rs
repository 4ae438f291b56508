//! Leases, checkpoints and parked streams, as far as the suite for read models does not ask for them.

use std::time::{Duration, SystemTime};

use cqrs_core::{
    Commit, ExpectedVersion, Lease, Maintain, Member, Opened, Parked, ParkedRequest, Position,
    ProjectionId, ReadModel, Setup, Share, StoreError, StoreErrorKind, Version,
};
use cqrs_postgres::PostgresModel;
use cqrs_test_harness::{Database, postgres};
use sqlx::{PgTransaction, query, query_scalar};
use uuid::Uuid;

use crate::support::{append, store, stream};

const HOUR: Duration = Duration::from_hours(1);
/// A lease for no time has run out when it is had.
const RUN_OUT: Duration = Duration::ZERO;

pub(crate) fn balances(version: u32) -> ProjectionId {
    ProjectionId { name: "balances", version, events: "account.deposited".to_owned() }
}

pub(crate) fn setup(tables: &str, slots: u32) -> Setup<'_> {
    Setup { tables, slots, replays_to: Position::START, beside: true }
}

/// A table that takes an account as often as it comes.
pub(crate) const ACCOUNTS: &str =
    "CREATE TABLE accounts (number bigint GENERATED ALWAYS AS IDENTITY, id bigint)";

/// A model with version 1 of a projection, divided into so many slots.
async fn model(hint: &str, slots: u32) -> (PostgresModel, Database) {
    let database = postgres().unwrap().database(hint).await.unwrap();
    let model = PostgresModel::connect(&database.url()).await.unwrap();
    let opened = model.open(&balances(1), &setup(ACCOUNTS, slots)).await;
    assert_eq!(opened.unwrap(), Opened::InService);
    (model, database)
}

pub(crate) async fn share_of(
    model: &PostgresModel,
    id: Uuid,
    leases: &[Lease],
    time: Duration,
) -> Share {
    let member = Member { id, label: "one", leases, time, error: None };
    model.share(&balances(1), &member).await.unwrap().unwrap()
}

/// The lease of the only slot, once it can be had.
async fn lease(model: &PostgresModel, owner: Uuid, time: Duration) -> Lease {
    for _ in 0..1_000 {
        if let [lease] = share_of(model, owner, &[], time).await.leases[..] {
            return lease;
        }
    }
    panic!("somebody else has the lease")
}

/// A member as it leaves.
pub(crate) fn leaving(id: Uuid, leases: &[Lease]) -> Member<'_> {
    Member { id, label: "", leases, time: Duration::ZERO, error: None }
}

fn at(lease: Lease, position: u64) -> Lease {
    Lease { position: Position::new(position), ..lease }
}

/// The same lease after one more commit.
fn committed(lease: Lease) -> Lease {
    Lease { commits: lease.commits + 1, ..lease }
}

pub(crate) async fn insert(transaction: &mut PgTransaction<'static>, account: i64) {
    let sql = "INSERT INTO accounts (id) VALUES ($1)";
    query(sql).bind(account).execute(&mut **transaction).await.unwrap();
}

pub(crate) async fn accounts(model: &PostgresModel) -> Vec<i64> {
    let sql = "SELECT id FROM accounts ORDER BY number";
    query_scalar(sql).fetch_all(model.pool()).await.unwrap()
}

async fn position(model: &PostgresModel) -> u64 {
    model.projections(None).await.unwrap()[0].slots[0].position.get()
}

async fn try_commit(
    model: &PostgresModel,
    transaction: PgTransaction<'static>,
    leases: &[Lease],
) -> Result<bool, StoreError> {
    let commit = Commit { leases, events: 1, time: HOUR };
    model.commit(transaction, &balances(1), &commit).await
}

/// Begins, inserts an account and commits.
pub(crate) async fn commit(model: &PostgresModel, lease: Lease, account: i64) -> bool {
    let mut transaction = model.begin().await.unwrap();
    insert(&mut transaction, account).await;
    try_commit(model, transaction, &[lease]).await.unwrap()
}

#[track_caller]
pub(crate) fn assert_failure<T: std::fmt::Debug>(
    result: Result<T, StoreError>,
    kind: StoreErrorKind,
    part: &str,
) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(part), "{error}");
}

#[tokio::test]
async fn g7_an_owner_that_was_replaced_can_do_nothing() {
    let (model, _database) = model("replaced", 1).await;
    let stalled = lease(&model, Uuid::now_v7(), RUN_OUT).await;
    // It stops in the middle of a batch, with the locks it has.
    let mut its_batch = model.begin().await.unwrap();
    insert(&mut its_batch, 1).await;
    let successor = lease(&model, Uuid::now_v7(), HOUR).await;
    assert!(successor.token > stalled.token);
    assert!(commit(&model, at(successor, 9), 1).await);
    assert!(!try_commit(&model, its_batch, &[at(stalled, 20)]).await.unwrap());
    assert!(!commit(&model, at(stalled, 20), 1).await);
    assert!(!model.prolong(&balances(1), &[at(stalled, 20)], HOUR).await.unwrap());
    model.leave(&balances(1), &leaving(Uuid::now_v7(), &[at(stalled, 20)])).await.unwrap();
    assert!(commit(&model, at(committed(successor), 10), 3).await);
    assert_eq!(accounts(&model).await, [1, 3]);
    assert_eq!(position(&model).await, 10);
}

/// A commit and a take-over at the same time: one waits for the other, and there is one outcome.
#[tokio::test(flavor = "multi_thread")]
async fn g7_a_commit_that_races_a_take_over_counts_for_both_or_for_nobody() {
    let (model, _database) = model("take_over", 1).await;
    let mut expected = Vec::new();
    for round in 0..60 {
        let old = lease(&model, Uuid::now_v7(), RUN_OUT).await;
        let mut batch = model.begin().await.unwrap();
        insert(&mut batch, round).await;
        // That adds a check of a foreign key to the commit.
        model.park(&mut batch, &balances(1), &parked("1", 3, 1)).await.unwrap();
        let moved = at(old, old.position.get() + 1);
        let committing = {
            let model = model.clone();
            tokio::spawn(async move {
                let commit = Commit { leases: &[moved], events: 1, time: RUN_OUT };
                model.commit(batch, &balances(1), &commit).await.unwrap()
            })
        };
        tokio::time::sleep(Duration::from_micros(round.cast_unsigned() * 29)).await;
        let new = lease(&model, Uuid::now_v7(), RUN_OUT).await;
        let is_committed = committing.await.unwrap();
        if is_committed {
            expected.push(round);
        }
        assert!(new.token > old.token);
        assert_eq!(new.position == moved.position, is_committed);
        assert!(!model.prolong(&balances(1), &[old], HOUR).await.unwrap());
    }
    assert_eq!(accounts(&model).await, expected);
}

/// After a crash of the server the connections are replaced before the owner notices. What it knows of is more than is
/// there, and it must not go on from it.
#[tokio::test]
async fn g7_an_owner_whose_last_commit_is_lost_begins_where_the_server_is() {
    let (model, _database) = model("lost_commit", 1).await;
    let owner = Uuid::now_v7();
    let first = lease(&model, owner, HOUR).await;
    assert!(commit(&model, at(first, 3), 1).await);
    let held = committed(first);
    assert!(model.prolong(&balances(1), &[at(held, 4)], HOUR).await.unwrap());
    assert!(commit(&model, at(held, 5), 2).await);
    let held = committed(held);
    let crash = "DELETE FROM accounts WHERE id = 2; \
                 UPDATE cqrs.checkpoints SET commits = commits - 1, position = 4";
    sqlx::raw_sql(crash).execute(model.pool()).await.unwrap();
    assert!(!commit(&model, at(held, 9), 3).await);
    assert!(!model.prolong(&balances(1), &[at(held, 9)], HOUR).await.unwrap());
    // It is its own still, but under another token, and at the place of the rows.
    let [again] = share_of(&model, owner, &[at(held, 9)], HOUR).await.leases[..] else { panic!() };
    assert!(again.token > held.token);
    assert_eq!((again.position.get(), again.commits), (4, held.commits - 1));
    assert!(commit(&model, at(again, 5), 2).await);
    assert_eq!(accounts(&model).await, [1, 2]);
    // Nor when it gives the lease back.
    sqlx::raw_sql(crash).execute(model.pool()).await.unwrap();
    model.leave(&balances(1), &leaving(owner, &[at(committed(again), 9)])).await.unwrap();
    assert_eq!(position(&model).await, 4);
}

/// A failover may undo that a lease was given. Who has it comes back, and must not meet its token in another's hand.
#[tokio::test]
async fn g7_a_token_that_was_lost_is_never_given_again() {
    let (model, _database) = model("lost_token", 1).await;
    let before = lease(&model, Uuid::now_v7(), RUN_OUT).await;
    let stalled = lease(&model, Uuid::now_v7(), RUN_OUT).await;
    let sql = "UPDATE cqrs.checkpoints SET token = $1, owner = NULL, until = NULL";
    query(sql).bind(before.token).execute(model.pool()).await.unwrap();
    let successor = lease(&model, Uuid::now_v7(), HOUR).await;
    assert!(commit(&model, at(successor, 1), 1).await);
    assert!(!commit(&model, at(stalled, 1), 1).await);
    assert_eq!(accounts(&model).await, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_members_that_come_at_once_share_the_slots_and_no_slot_has_two_owners() {
    let (model, database) = model("members", 8).await;
    for round in 0..10 {
        let racing: Vec<_> = (0..5)
            .map(|number| {
                let (own, url) = (model.clone(), database.url());
                tokio::spawn(async move {
                    // Some in this process, some in others.
                    let model = match number {
                        0 => PostgresModel::connect(&url).await.unwrap(),
                        _ => own,
                    };
                    let member = Uuid::now_v7();
                    let mut share = share_of(&model, member, &[], HOUR).await;
                    for _ in 0..30 {
                        tokio::task::yield_now().await;
                        share = share_of(&model, member, &share.leases, HOUR).await;
                    }
                    (member, share.leases)
                })
            })
            .collect();
        let mut owners = Vec::new();
        for racing in racing {
            owners.push(racing.await.unwrap());
        }
        // Once more each: those who came first had more than their part.
        for (member, leases) in &mut owners {
            *leases = share_of(&model, *member, leases, HOUR).await.leases;
        }
        for (member, leases) in &mut owners {
            *leases = share_of(&model, *member, leases, HOUR).await.leases;
        }
        let mut slots: Vec<u32> =
            owners.iter().flat_map(|(_, leases)| leases.iter().map(|lease| lease.slot)).collect();
        slots.sort_unstable();
        assert_eq!(slots, (0..8).collect::<Vec<_>>(), "round {round}: {owners:?}");
        assert!(owners.iter().all(|(_, leases)| leases.len() <= 2), "{owners:?}");
        for (member, leases) in owners {
            model.leave(&balances(1), &leaving(member, &leases)).await.unwrap();
        }
    }
}

/// While a batch is open for long, everybody else goes on: its lease is prolonged, shares are settled, and so they are
/// while some other transaction of the server is open.
#[tokio::test]
async fn nobody_waits_for_a_batch_but_those_who_want_its_rows() {
    let (model, _database) = model("open_batch", 2).await;
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    let mut unrelated = model.pool().begin().await.unwrap();
    query("CREATE TABLE unrelated ()").execute(&mut *unrelated).await.unwrap();
    let share = share_of(&model, one, &[], HOUR).await;
    let mut batch = model.begin().await.unwrap();
    insert(&mut batch, 1).await;
    model.park(&mut batch, &balances(1), &parked("1", 3, 1)).await.unwrap();
    // As its commit does, before it is through.
    query("SET CONSTRAINTS ALL IMMEDIATE").execute(&mut *batch).await.unwrap();
    let meanwhile = async {
        assert!(model.prolong(&balances(1), &share.leases, HOUR).await.unwrap());
        let half = share_of(&model, one, &share.leases, HOUR).await;
        assert_eq!(half.leases.len(), 2);
        share_of(&model, other, &[], HOUR).await;
        let kept = share_of(&model, one, &share.leases, HOUR).await.leases;
        let taken = share_of(&model, other, &[], HOUR).await.leases;
        assert_eq!((kept.len(), taken.len()), (1, 1));
        let mut beside = model.begin().await.unwrap();
        insert(&mut beside, 2).await;
        assert!(try_commit(&model, beside, &[at(taken[0], 1)]).await.unwrap());
        assert_eq!(model.projections(None).await.unwrap()[0].members.len(), 2);
        kept
    };
    let kept = tokio::time::timeout(Duration::from_secs(50), meanwhile).await.unwrap();
    assert!(try_commit(&model, batch, &kept).await.unwrap());
    unrelated.rollback().await.unwrap();
    assert_eq!(accounts(&model).await.len(), 2);
}

fn parked(key: &str, version: u64, attempts: u32) -> Parked {
    Parked {
        stream: stream(key),
        version: Version::new(version),
        position: Position::new(version * 10),
        event_type: "account.deposited".to_owned(),
        attempts,
        error: format!("failed the {attempts}. time"),
        since: SystemTime::UNIX_EPOCH + Duration::from_micros(1_763_000_000_654_321),
        request: None,
    }
}

#[tokio::test]
async fn g8_what_a_handler_says_is_stored_whatever_it_is() {
    let (model, _database) = model("parked", 1).await;
    let held = lease(&model, Uuid::now_v7(), HOUR).await;
    let mut transaction = model.begin().await.unwrap();
    let said = Parked { error: "\0?".to_owned(), ..parked("1", 4, u32::MAX) };
    model.park(&mut transaction, &balances(1), &said).await.unwrap();
    assert!(try_commit(&model, transaction, &[held]).await.unwrap());
    let kept = Parked { error: "\u{fffd}?".to_owned(), ..said };
    assert_eq!(model.parked("balances", 1).await.unwrap(), [kept]);
    // So is what a worker says of itself.
    let leases = [committed(held)];
    let member =
        Member { id: Uuid::now_v7(), label: "\0", leases: &leases, time: HOUR, error: Some("\0") };
    model.share(&balances(1), &member).await.unwrap().unwrap();
    let state = &model.projections(Some("balances")).await.unwrap()[0];
    assert_eq!(state.members[1].1, "\u{fffd}");
}

/// Its owner is just one that was replaced.
#[tokio::test]
async fn g8_nothing_is_parked_for_a_version_that_is_gone() {
    let (model, _database) = model("gone", 1).await;
    let held = lease(&model, Uuid::now_v7(), HOUR).await;
    let mut transaction = model.begin().await.unwrap();
    query("DELETE FROM cqrs.projections").execute(model.pool()).await.unwrap();
    model.park(&mut transaction, &balances(1), &parked("1", 5, 7)).await.unwrap();
    assert!(!try_commit(&model, transaction, &[held]).await.unwrap());
    assert_eq!(model.parked("balances", 1).await.unwrap(), []);
}

/// As the comment in the schema says.
#[tokio::test]
async fn g8_a_request_may_be_made_with_sql() {
    let (model, _database) = model("request", 1).await;
    let held = lease(&model, Uuid::now_v7(), HOUR).await;
    let mut transaction = model.begin().await.unwrap();
    model.park(&mut transaction, &balances(1), &parked("1", 4, 1)).await.unwrap();
    assert!(try_commit(&model, transaction, &[held]).await.unwrap());
    query("UPDATE cqrs.parked SET request = 'discard'").execute(model.pool()).await.unwrap();
    let parked = model.parked("balances", 1).await.unwrap();
    assert_eq!(parked[0].request, Some(ParkedRequest::Discard));
    let refused = query("UPDATE cqrs.parked SET request = 'forget'").execute(model.pool()).await;
    refused.unwrap_err();
}

#[tokio::test]
async fn g14_a_commit_that_is_dropped_is_done_or_not() {
    let (model, _database) = model("dropped_commit", 1).await;
    let owner = Uuid::now_v7();
    for round in 0..60 {
        let held = lease(&model, owner, HOUR).await;
        let mut transaction = model.begin().await.unwrap();
        insert(&mut transaction, round).await;
        let moved = [at(held, held.position.get() + 1)];
        let pause = Duration::from_micros(round.cast_unsigned() * 25);
        let committing = try_commit(&model, transaction, &moved);
        let _ = tokio::time::timeout(pause, committing).await;
        let position = lease(&model, owner, HOUR).await.position;
        assert_eq!(accounts(&model).await.len() as u64, position.get());
    }
}

/// Otherwise the checkpoint would move without the rows.
#[tokio::test]
async fn g7_a_transaction_that_is_over_does_not_move_the_checkpoint() {
    let (model, _database) = model("over", 1).await;
    let held = lease(&model, Uuid::now_v7(), HOUR).await;
    for end in ["ROLLBACK", "ROLLBACK; BEGIN"] {
        let mut transaction = model.begin().await.unwrap();
        insert(&mut transaction, 1).await;
        sqlx::raw_sql(end).execute(&mut *transaction).await.unwrap();
        let committed = try_commit(&model, transaction, &[at(held, 5)]).await;
        assert_failure(committed, StoreErrorKind::Other, "a handler has ended it");
    }
    assert_eq!((position(&model).await, accounts(&model).await.len()), (0, 0));
    assert!(commit(&model, at(held, 1), 1).await);
}

/// So that the events are taken one by one, to find the one at fault.
#[tokio::test]
async fn g8_what_the_database_refuses_at_the_commit_is_the_fault_of_an_event() {
    let (model, _database) = model("refused", 1).await;
    let held = lease(&model, Uuid::now_v7(), HOUR).await;
    let create = "CREATE TABLE known (id bigint PRIMARY KEY); \
                  CREATE TABLE owners (id bigint REFERENCES known DEFERRABLE INITIALLY DEFERRED); \
                  CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ \
                  BEGIN RAISE EXCEPTION 'not this one'; END $$; \
                  CREATE TABLE refused (id bigint); \
                  CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON refused DEFERRABLE INITIALLY DEFERRED \
                  FOR EACH ROW EXECUTE FUNCTION refuse();";
    sqlx::raw_sql(create).execute(model.pool()).await.unwrap();
    let cases = [
        ("INSERT INTO owners VALUES (1)", "foreign key"),
        ("INSERT INTO refused VALUES (1)", "not this one"),
        // A handler that goes on after an error.
        ("SELECT 1 / 0", "has to return its error"),
    ];
    for (statement, part) in cases {
        let mut transaction = model.begin().await.unwrap();
        let _ = sqlx::raw_sql(statement).execute(&mut *transaction).await;
        let committed = try_commit(&model, transaction, &[at(held, 5)]).await;
        assert_failure(committed, StoreErrorKind::InvalidInput, part);
    }
    assert_eq!((position(&model).await, accounts(&model).await.len()), (0, 0));
    assert!(commit(&model, at(held, 1), 1).await);
}

/// Views need not wait for the disk, events do, and nobody is blocked for good by one who is cut off.
#[tokio::test]
async fn g3_a_batch_commits_without_waiting_for_the_disk_unless_it_appends() {
    let (store, _database) = store("asynchronous").await;
    let model = store.model();
    model.open(&balances(1), &setup(ACCOUNTS, 1)).await.unwrap();
    model.open(&balances(2), &setup(ACCOUNTS, 1)).await.unwrap();
    let setting = async |transaction: &mut PgTransaction<'static>, name: &str| -> String {
        let ask = query_scalar("SELECT current_setting($1)").bind(name.to_owned());
        ask.fetch_one(&mut **transaction).await.unwrap()
    };
    let limit = "idle_in_transaction_session_timeout";
    for model in [&model, &model.beside(&balances(2)).await.unwrap()] {
        let mut transaction = model.begin().await.unwrap();
        assert_eq!(setting(&mut transaction, "synchronous_commit").await, "off");
        assert_eq!(setting(&mut transaction, limit).await, "1min");
        store.append_in(&mut transaction, &append("a", ExpectedVersion::Any, 1)).await.unwrap();
        assert_eq!(setting(&mut transaction, "synchronous_commit").await, "on");
        transaction.rollback().await.unwrap();
    }
    // Nothing of that stays with the connection.
    let mut plain = store.pool().begin().await.unwrap();
    assert_eq!(setting(&mut plain, "synchronous_commit").await, "on");
    assert_eq!(setting(&mut plain, limit).await, "0");
}

/// As on a former primary: that is not the fault of an event, so it must show before a handler runs.
#[tokio::test]
async fn a_database_that_is_read_only_fails_before_any_event_does() {
    let (model, database) = model("read_only", 1).await;
    let held = lease(&model, Uuid::now_v7(), HOUR).await;
    let options = database.options().clone().options([("default_transaction_read_only", "on")]);
    let pool = sqlx::PgPool::connect_with(options).await.unwrap();
    let read_only = PostgresModel::with_pool(pool).await.unwrap();
    assert_failure(read_only.begin().await, StoreErrorKind::Unavailable, "primary");
    let prolonged = read_only.prolong(&balances(1), &[held], HOUR).await;
    assert_failure(prolonged, StoreErrorKind::Unavailable, "primary");
    let member = Member { id: Uuid::now_v7(), label: "", leases: &[held], time: HOUR, error: None };
    let shared = read_only.share(&balances(1), &member).await;
    assert_failure(shared, StoreErrorKind::Unavailable, "primary");
    assert_eq!(read_only.projections(None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_model_shares_the_connections_of_its_store_and_is_closed_with_it() {
    let (store, database) = store("closed").await;
    let model = store.model();
    model.open(&balances(1), &setup(ACCOUNTS, 1)).await.unwrap();
    model.open(&balances(2), &setup(ACCOUNTS, 1)).await.unwrap();
    let beside = model.beside(&balances(2)).await.unwrap();
    drop(beside.begin().await.unwrap());
    let debug = format!("{beside:?}");
    assert!(debug.contains(database.name()) && debug.contains("cqrs_balances_v2"), "{debug}");
    cqrs_core::EventStore::close(&store).await;
    assert_failure(model.begin().await, StoreErrorKind::Unavailable, "closed");
    assert_failure(beside.begin().await, StoreErrorKind::Unavailable, "closed");
    assert_failure(model.projections(None).await, StoreErrorKind::Unavailable, "closed");
    let model = PostgresModel::connect(&database.url()).await.unwrap();
    assert_eq!(model.projections(None).await.unwrap().len(), 2);
    model.close().await;
    assert_failure(model.projections(None).await, StoreErrorKind::Unavailable, "closed");
}

#[tokio::test]
async fn a_row_that_was_tampered_with_is_reported() {
    let (model, _database) = model("tampered", 1).await;
    query("UPDATE cqrs.checkpoints SET slot = -1").execute(model.pool()).await.unwrap();
    assert_failure(model.projections(None).await, StoreErrorKind::Corrupt, "state of projections");
    let member = Member { id: Uuid::now_v7(), label: "", leases: &[], time: HOUR, error: None };
    let shared = model.share(&balances(1), &member).await;
    assert_failure(shared, StoreErrorKind::Corrupt, "`balances`");
}
