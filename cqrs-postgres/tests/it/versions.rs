//! Versions of projections: their tables, and how one takes the place of another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cqrs_core::{
    Commit, Lease, Maintain, Member, Opened, Position, ProjectionId, PutInService, ReadModel,
    StoreErrorKind,
};
use cqrs_postgres::{PostgresModel, PostgresStore};
use cqrs_test_harness::{Database, postgres};
use sqlx::{AssertSqlSafe, ConnectOptions, query, query_as, query_scalar};
use uuid::Uuid;

use crate::model::{ACCOUNTS, assert_failure, balances, setup};
use crate::proxy::{Cut, Proxy};
use crate::support::impatient;

const HOUR: Duration = Duration::from_hours(1);

async fn empty(hint: &str) -> (PostgresModel, Database) {
    let database = postgres().unwrap().database(hint).await.unwrap();
    (PostgresModel::connect(&database.url()).await.unwrap(), database)
}

/// Version 1 in service and version 2 beside it.
async fn two(hint: &str) -> (PostgresModel, Database) {
    let (model, database) = empty(hint).await;
    let opened = model.open(&balances(1), &setup(ACCOUNTS, 1)).await.unwrap();
    assert_eq!(opened, Opened::InService);
    let opened = model.open(&balances(2), &setup(ACCOUNTS, 1)).await.unwrap();
    assert_eq!(opened, Opened::Beside);
    (model, database)
}

async fn execute(model: &PostgresModel, sql: impl Into<String>) {
    sqlx::raw_sql(AssertSqlSafe(sql.into())).execute(model.pool()).await.unwrap();
}

/// What is in the schemas that are not the server's or ours: tables, indexes and sequences.
async fn relations(model: &PostgresModel) -> Vec<String> {
    let sql = "SELECT format('%s.%s', nspname, relname) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace \
               WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'cqrs') ORDER BY 1";
    query_scalar(sql).fetch_all(model.pool()).await.unwrap()
}

async fn schemas(model: &PostgresModel) -> Vec<String> {
    let sql = "SELECT nspname::text FROM pg_namespace \
               WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1";
    query_scalar(sql).fetch_all(model.pool()).await.unwrap()
}

/// The only lease of a version, had by somebody new.
async fn lease(model: &PostgresModel, version: u32) -> Lease {
    query("UPDATE cqrs.checkpoints SET owner = NULL, until = NULL")
        .execute(model.pool())
        .await
        .unwrap();
    query("DELETE FROM cqrs.members").execute(model.pool()).await.unwrap();
    let member = Member { id: Uuid::now_v7(), label: "", leases: &[], time: HOUR, error: None };
    model.share(&balances(version), &member).await.unwrap().unwrap().leases[0]
}

/// Inserts an account through `model` and commits it for a version, whose checkpoint comes to a position.
async fn commit(model: &PostgresModel, version: u32, account: i64, position: u64) -> bool {
    let lease = lease(model, version).await;
    let mut transaction = model.begin().await.unwrap();
    crate::model::insert(&mut transaction, account).await;
    let leases = [Lease { position: Position::new(position), ..lease }];
    let commit = Commit { leases: &leases, events: 1, time: HOUR };
    model.commit(transaction, &balances(version), &commit).await.unwrap()
}

#[tokio::test]
async fn tables_move_with_all_that_belongs_to_them() {
    let (model, _database) = empty("moving").await;
    let tables = "CREATE TABLE \"Sums \"\"of\"\" all\" (id bigserial PRIMARY KEY, sum bigint); \
                  CREATE INDEX sums_index ON \"Sums \"\"of\"\" all\" (sum); \
                  CREATE TABLE parts (id bigint GENERATED ALWAYS AS IDENTITY, of_sum bigint \
                  REFERENCES \"Sums \"\"of\"\" all\"); \
                  GRANT SELECT ON parts TO PUBLIC;";
    model.open(&balances(1), &setup(tables, 1)).await.unwrap();
    let one = relations(&model).await;
    assert_eq!(
        one,
        [
            "public.Sums \"of\" all",
            "public.Sums \"of\" all_id_seq",
            "public.Sums \"of\" all_pkey",
            "public.parts",
            "public.parts_id_seq",
            "public.sums_index"
        ]
    );
    assert_eq!(schemas(&model).await, ["cqrs", "public"]);
    model.open(&balances(2), &setup(tables, 1)).await.unwrap();
    let both = relations(&model).await;
    assert_eq!(both.len(), 12);
    assert!(both.contains(&"cqrs_balances_v2.sums_index".to_owned()), "{both:?}");
    assert_eq!(model.put_in_service("balances", 2, true).await.unwrap(), PutInService::Done);
    let moved: Vec<_> =
        both.iter().map(|name| name.replace("cqrs_balances_v2", "cqrs_balances_v1")).collect();
    assert_eq!(relations(&model).await, moved);
    assert_eq!(schemas(&model).await, ["cqrs", "cqrs_balances_v1", "public"]);
    assert!(model.remove("balances", 1).await.unwrap());
    assert_eq!((relations(&model).await, schemas(&model).await.len()), (one, 2));
}

#[tokio::test]
async fn a_name_too_long_for_a_schema_gets_one_all_the_same() {
    let (model, _database) = empty("long_names").await;
    // The two begin alike.
    let names: [&'static str; 2] = [
        "balances of all accounts by currency, in euros, at the end of each month",
        "balances of all accounts by currency, in euros, at the end of each year",
    ];
    for (number, name) in names.into_iter().enumerate() {
        let tables = format!("CREATE TABLE table_{number} (id bigint)");
        for version in [1, u32::MAX] {
            let id = ProjectionId { name, version, events: String::new() };
            model.open(&id, &setup(&tables, 1)).await.unwrap();
        }
        assert_eq!(model.put_in_service(name, u32::MAX, true).await.unwrap(), PutInService::Done);
    }
    assert_eq!(schemas(&model).await.len(), 4);
    let quotes = ProjectionId { name: "it's \"quoted\"", version: 2, events: String::new() };
    let tables = "CREATE TABLE quoted (id bigint)";
    model.open(&ProjectionId { version: 1, ..quotes.clone() }, &setup(tables, 1)).await.unwrap();
    model.open(&quotes, &setup(tables, 1)).await.unwrap();
    let beside = model.beside(&quotes).await.unwrap();
    let mut transaction = beside.begin().await.unwrap();
    let path: String = query_scalar("SHOW search_path").fetch_one(&mut *transaction).await.unwrap();
    assert!(path.starts_with("\"cqrs_it's \"\"quoted\"\"_v2\", "), "{path}");
    query("INSERT INTO quoted VALUES (1)").execute(&mut *transaction).await.unwrap();
    drop(transaction);
}

#[tokio::test]
async fn only_what_can_be_moved_may_be_made() {
    let (model, _database) = empty("what_is_made").await;
    let cases = [
        ("CREATE VIEW accounts AS SELECT 1 AS id", "makes view"),
        (
            "CREATE TABLE a (id bigint); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "f()",
        ),
        ("CREATE TABLE a (id bigint); CREATE TYPE mood AS ENUM ('happy')", "type"),
        ("CREATE TABLE a (id bigint); CREATE SEQUENCE s", "sequence"),
        ("CREATE TABLE a (id bigint) PARTITION BY RANGE (id)", "makes table"),
        ("CREATE TABLE public.a (id bigint)", "leave out the schema"),
        ("SELECT 1", "makes none"),
        ("CREATE TABLE a (id biggint)", "biggint"),
        ("CREATE TABLE a (id bigint); ROLLBACK; BEGIN", "ends the transaction"),
    ];
    for (tables, part) in cases {
        let opened = model.open(&balances(1), &setup(tables, 1)).await;
        assert_failure(opened, StoreErrorKind::InvalidInput, part);
        assert_eq!(model.projections(None).await.unwrap(), [], "{tables}");
        assert_eq!(relations(&model).await, [""; 0], "{tables}");
        assert_eq!(schemas(&model).await, ["cqrs", "public"], "{tables}");
    }
    model.open(&balances(1), &setup(ACCOUNTS, 1)).await.unwrap();
    commit(&model, 1, 7, 1).await;
}

#[tokio::test]
async fn tables_of_something_else_are_left_alone() {
    let (model, _database) = empty("others").await;
    execute(&model, "CREATE TABLE accounts (name text); INSERT INTO accounts VALUES ('Ada')").await;
    let opened = model.open(&balances(1), &setup(ACCOUNTS, 1)).await;
    assert_failure(opened, StoreErrorKind::InvalidInput, "drop that if nobody needs it");
    let names: Vec<String> =
        query_scalar("SELECT name FROM accounts").fetch_all(model.pool()).await.unwrap();
    assert_eq!(names, ["Ada"]);
    assert_eq!(schemas(&model).await, ["cqrs", "public"]);
    execute(&model, "DROP TABLE accounts; CREATE SCHEMA cqrs_balances_v1").await;
    let opened = model.open(&balances(1), &setup(ACCOUNTS, 1)).await;
    assert_failure(opened, StoreErrorKind::InvalidInput, "cqrs_balances_v1");
    execute(&model, "DROP SCHEMA cqrs_balances_v1").await;
    model.open(&balances(1), &setup(ACCOUNTS, 1)).await.unwrap();
    // A version with another table, whose place is taken by the time.
    let tables = format!("{ACCOUNTS}; CREATE TABLE owners (id bigint)");
    model.open(&balances(2), &setup(&tables, 1)).await.unwrap();
    execute(&model, "CREATE TABLE owners (name text)").await;
    let before = relations(&model).await;
    model.put_in_service("balances", 2, true).await.unwrap_err();
    assert_eq!(relations(&model).await, before);
    // Somebody keeps something in the schema of a version.
    execute(&model, "DROP TABLE owners; CREATE TABLE cqrs_balances_v2.notes (note text)").await;
    assert_eq!(model.put_in_service("balances", 2, true).await.unwrap(), PutInService::Done);
    execute(&model, "INSERT INTO cqrs_balances_v2.notes VALUES ('kept')").await;
    assert_eq!(model.put_in_service("balances", 1, false).await.unwrap(), PutInService::Done);
    assert!(model.remove("balances", 2).await.unwrap());
    execute(&model, "DROP TABLE cqrs_balances_v2.notes").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_open_a_version_at_once_make_it_once() {
    let (_, database) = empty("at_once").await;
    for version in 1..=4 {
        let opening: Vec<_> = (0..6)
            .map(|_| {
                let url = database.url();
                tokio::spawn(async move {
                    let model = PostgresModel::connect(&url).await.unwrap();
                    model.open(&balances(version), &setup(ACCOUNTS, 3)).await.unwrap()
                })
            })
            .collect();
        for opened in opening {
            let expected = if version == 1 { Opened::InService } else { Opened::Beside };
            assert_eq!(opened.await.unwrap(), expected);
        }
    }
}

#[tokio::test]
async fn tables_the_application_makes_are_never_moved_or_emptied() {
    let (model, _database) = empty("of_the_application").await;
    execute(&model, ACCOUNTS).await;
    assert_eq!(model.open(&balances(1), &setup("", 1)).await.unwrap(), Opened::InService);
    let changed = Opened::Changed { version: 1, events: balances(1).events };
    assert_eq!(model.open(&balances(2), &setup(" ", 1)).await.unwrap(), changed);
    let tables = "CREATE TABLE accounts (id bigint)";
    assert_eq!(model.open(&balances(2), &setup(tables, 1)).await.unwrap(), Opened::Beside);
    let kind = StoreErrorKind::InvalidInput;
    assert_failure(model.put_in_service("balances", 2, true).await, kind, "which tables");
    assert_failure(model.reset("balances", 1, Position::START).await, kind, "which tables");
    assert!(commit(&model, 1, 7, 1).await);
}

/// What is prepared for a table with other columns is not used: neither while one version is built beside the other,
/// nor, for those who list what they want, after they have changed places.
#[tokio::test]
async fn versions_with_other_columns_are_used_side_by_side() {
    let (model, database) = empty("columns").await;
    model.open(&balances(1), &setup("CREATE TABLE sums (id bigint, sum bigint)", 1)).await.unwrap();
    let tables = "CREATE TABLE sums (sum text, id bigint, currency text)";
    model.open(&balances(2), &setup(tables, 1)).await.unwrap();
    // All through one connection, where they can.
    let store = PostgresStore::options(database.url()).max_connections(1);
    let model = store.connect().await.unwrap().model();
    let beside = model.beside(&balances(2)).await.unwrap();
    for round in 0..10 {
        let mut one = model.begin().await.unwrap();
        query("INSERT INTO sums VALUES (1, 2)").execute(&mut *one).await.unwrap();
        let all: Vec<(i64, i64)> =
            query_as("SELECT * FROM sums").fetch_all(&mut *one).await.unwrap();
        assert_eq!(all, [(1, 2)]);
        one.rollback().await.unwrap();
        let mut other = beside.begin().await.unwrap();
        let insert = query("INSERT INTO sums VALUES ('2', 1, 'EUR')");
        insert.execute(&mut *other).await.unwrap();
        let all: Vec<(String, i64, String)> =
            query_as("SELECT * FROM sums").fetch_all(&mut *other).await.unwrap();
        assert_eq!(all.len(), 1, "{round}");
        other.rollback().await.unwrap();
    }
    let listed = async || -> Vec<i64> {
        query_scalar("SELECT id FROM sums").fetch_all(model.pool()).await.unwrap()
    };
    assert_eq!(listed().await.len(), 0);
    assert_eq!(model.put_in_service("balances", 2, true).await.unwrap(), PutInService::Done);
    execute(&model, "INSERT INTO sums VALUES ('2', 1, 'EUR')").await;
    assert_eq!(listed().await, [1]);
    assert_eq!(model.put_in_service("balances", 1, true).await.unwrap(), PutInService::Done);
    assert_eq!(listed().await.len(), 0);
}

/// Other tables are found from beside, in the schemas in which the application looks.
#[tokio::test]
async fn the_application_has_a_schema_of_its_own() {
    let (_, database) = empty("own_schema").await;
    let options = database.options().clone().options([("search_path", "app,public")]);
    let pool = sqlx::PgPool::connect_with(options).await.unwrap();
    let model = PostgresModel::with_pool(pool).await.unwrap();
    let nowhere = database.options().clone().options([("search_path", "nowhere")]);
    let nowhere = sqlx::PgPool::connect_with(nowhere).await.unwrap();
    let nowhere = PostgresModel::with_pool(nowhere).await.unwrap();
    let opened = nowhere.open(&balances(1), &setup(ACCOUNTS, 1)).await;
    assert_failure(opened, StoreErrorKind::InvalidInput, "search_path");
    execute(&model, "CREATE SCHEMA app; CREATE TABLE app.rates (rate bigint)").await;
    model.open(&balances(1), &setup(ACCOUNTS, 1)).await.unwrap();
    model.open(&balances(2), &setup(ACCOUNTS, 1)).await.unwrap();
    let beside = model.beside(&balances(2)).await.unwrap();
    let mut transaction = beside.begin().await.unwrap();
    let insert = "INSERT INTO accounts (id) SELECT count(*) FROM rates";
    query(insert).execute(&mut *transaction).await.unwrap();
    transaction.rollback().await.unwrap();
    // By somebody who looks elsewhere.
    let other = PostgresModel::connect(&database.url()).await.unwrap();
    assert_eq!(other.put_in_service("balances", 2, true).await.unwrap(), PutInService::Done);
    assert!(relations(&model).await.contains(&"app.accounts".to_owned()));
    assert!(commit(&model, 2, 7, 1).await);
}

/// Whoever uses the tables for long is not waited for; and who waits for the tables does not wait for long.
#[tokio::test]
async fn a_change_of_place_gives_up_where_tables_are_in_use() {
    let (model, _database) = two("in_use").await;
    assert!(commit(&model, 1, 7, 1).await);
    let beside = model.beside(&balances(2)).await.unwrap();
    assert!(commit(&beside, 2, 8, 1).await);
    let held = [lease(&model, 1).await];
    let mut reader = model.pool().begin().await.unwrap();
    query("SELECT FROM accounts").execute(&mut *reader).await.unwrap();
    let busy = async |model: &PostgresModel| {
        let put = model.put_in_service("balances", 2, true).await;
        assert_failure(put, StoreErrorKind::Busy, "into service");
    };
    let queries = async {
        let sql = "SELECT id FROM accounts";
        let ids: Vec<i64> = query_scalar(sql).fetch_all(model.pool()).await.unwrap();
        assert_eq!(ids, [7]);
    };
    tokio::time::timeout(HOUR / 60, async { tokio::join!(busy(&model), queries) }).await.unwrap();
    assert_failure(model.reset("balances", 1, Position::START).await, StoreErrorKind::Busy, "");
    // Nobody has lost a lease.
    assert!(model.prolong(&balances(1), &held, HOUR).await.unwrap());
    reader.rollback().await.unwrap();
    let mut batch = beside.begin().await.unwrap();
    crate::model::insert(&mut batch, 9).await;
    busy(&model).await;
    assert_failure(model.remove("balances", 2).await, StoreErrorKind::Busy, "");
    batch.rollback().await.unwrap();
    assert_eq!(model.put_in_service("balances", 2, true).await.unwrap(), PutInService::Done);
    assert_eq!(crate::model::accounts(&model).await, [8]);
    assert!(!model.prolong(&balances(1), &held, HOUR).await.unwrap());
}

/// One that is behind asks again and again: that must not stop those who read the tables.
#[tokio::test]
async fn who_is_behind_waits_for_nobody() {
    let (model, _database) = two("behind").await;
    assert!(commit(&model, 1, 7, 5).await);
    let mut reader = model.pool().begin().await.unwrap();
    query("SELECT FROM accounts").execute(&mut *reader).await.unwrap();
    let behind = PutInService::Behind(Position::START, Position::new(5));
    assert_eq!(model.put_in_service("balances", 2, true).await.unwrap(), behind);
}

/// A batch for fewer events whose commit has begun counts as one that is seen.
#[tokio::test]
async fn g10_an_adoption_waits_for_a_commit_that_has_begun() {
    const WAITING: &str = "SELECT EXISTS (SELECT FROM pg_stat_activity \
                           WHERE datname = current_database() AND wait_event_type = 'Lock')";
    let (model, _database) = two("adopted").await;
    assert!(commit(&model, 1, 7, 5).await);
    let adopt = |through| {
        let (model, before) = (model.clone(), balances(1).events);
        let wider = ProjectionId { events: format!("{before} more"), ..balances(1) };
        async move { model.adopt(&wider, &before, Position::new(through)).await.unwrap() }
    };
    let mut committing = model.pool().begin().await.unwrap();
    let moving = query("UPDATE cqrs.checkpoints SET position = 9 WHERE version = 1");
    moving.execute(&mut *committing).await.unwrap();
    let adopting = tokio::spawn(adopt(5));
    while !query_scalar::<_, bool>(WAITING).fetch_one(model.pool()).await.unwrap() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    committing.commit().await.unwrap();
    assert!(!adopting.await.unwrap(), "adopted without what was committed meanwhile");
    assert!(adopt(9).await);
}

/// Batches of both versions, and versions that change places all the time: there are no deadlocks, and what is
/// committed is where it belongs.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn g7_batches_and_changes_of_place_do_not_wait_in_a_circle() {
    // And more, until there were some changes.
    const COMMITS: u64 = 150;
    const CHANGES: u32 = 4;
    let (model, database) = two("circle").await;
    let changes = Arc::<AtomicU32>::default();
    let working: Vec<_> = [1, 2]
        .map(|version| {
            let url = database.url();
            let changes = changes.clone();
            let is_enough =
                move |position| position >= COMMITS && changes.load(Ordering::Relaxed) >= CHANGES;
            tokio::spawn(async move {
                let base = PostgresModel::connect(&url).await.unwrap();
                let member = Uuid::now_v7();
                let mut leases: Vec<Lease> = Vec::new();
                let mut position = 0;
                while !is_enough(position) {
                    let member =
                        Member { id: member, label: "", leases: &leases, time: HOUR, error: None };
                    let share = base.share(&balances(version), &member).await.unwrap().unwrap();
                    position = share.leases[0].position.get();
                    let model = if share.in_service {
                        base.clone()
                    } else if let Ok(model) = base.beside(&balances(version)).await {
                        model
                    } else {
                        // It has changed its place since.
                        leases = share.leases;
                        continue;
                    };
                    leases = share.leases;
                    while !is_enough(position) {
                        let mut batch = model.begin().await.unwrap();
                        let account = i64::from(version) * 1_000 + position.cast_signed() + 1;
                        crate::model::insert(&mut batch, account).await;
                        let moved = [Lease { position: Position::new(position + 1), ..leases[0] }];
                        let commit = Commit { leases: &moved, events: 1, time: HOUR };
                        if !base.commit(batch, &balances(version), &commit).await.unwrap() {
                            break;
                        }
                        position += 1;
                        leases = vec![Lease { commits: moved[0].commits + 1, ..moved[0] }];
                    }
                }
                position
            })
        })
        .into();
    let mut busy = 0;
    while !working.iter().all(tokio::task::JoinHandle::is_finished) {
        let next = 1 + (changes.load(Ordering::Relaxed) + 1) % 2;
        match model.put_in_service("balances", next, false).await {
            Ok(put) => {
                assert_eq!(put, PutInService::Done);
                changes.fetch_add(1, Ordering::Relaxed);
            }
            // A batch has taken longer than anybody waits for it, as all would that wait in a circle.
            Err(error) => {
                busy += 1;
                assert!(error.kind() == StoreErrorKind::Busy && busy < 10, "{error}");
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for (version, work) in [1, 2].into_iter().zip(working) {
        let commits = work.await.unwrap();
        let in_service = model.projections(None).await.unwrap()[version - 1].in_service;
        let model = if in_service {
            model.clone()
        } else {
            model.beside(&balances(u32::try_from(version).unwrap())).await.unwrap()
        };
        let mut transaction = model.begin().await.unwrap();
        let ids: Vec<i64> = query_scalar("SELECT id FROM accounts ORDER BY number")
            .fetch_all(&mut *transaction)
            .await
            .unwrap();
        let first = i64::try_from(version).unwrap() * 1_000 + 1;
        assert_eq!(ids, (first..first + commits.cast_signed()).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn what_is_emptied_begins_anew() {
    let (model, _database) = two("emptied").await;
    assert!(commit(&model, 1, 7, 5).await);
    let beside = model.beside(&balances(2)).await.unwrap();
    assert!(commit(&beside, 2, 8, 5).await);
    assert!(model.reset("balances", 1, Position::new(9)).await.unwrap());
    assert_eq!(crate::model::accounts(&model).await, [0_i64; 0]);
    assert!(commit(&model, 1, 9, 1).await);
    let sql = "SELECT number, id FROM accounts";
    let rows: Vec<(i64, i64)> = query_as(sql).fetch_all(model.pool()).await.unwrap();
    assert_eq!(rows, [(1, 9)]);
    // The other one is as it was.
    assert_eq!(model.put_in_service("balances", 2, true).await.unwrap(), PutInService::Done);
    assert_eq!(crate::model::accounts(&model).await, [8]);
}

/// A connection that breaks does not make anybody guess what came of it.
#[tokio::test]
async fn g4_what_is_done_over_a_connection_that_is_cut_is_done_once() {
    let (direct, database) = two("cut").await;
    let options = database.options().clone();
    let proxy = Proxy::start(&options).await;
    let options = options.host("127.0.0.1").port(proxy.port());
    let options = PostgresStore::options(options.to_url_lossy());
    let store = impatient(options.call_timeout(Duration::from_secs(2))).await;
    let model = store.model();
    let cuts = [Cut::BeforeRequest, Cut::BeforeAnswer, Cut::SilenceBeforeAnswer];
    for (cut, version) in cuts.into_iter().zip([2, 1, 2]) {
        proxy.cut_next(cut);
        let put = model.put_in_service("balances", version, true).await.unwrap();
        assert_eq!(put, PutInService::Done);
        assert!(direct.projections(None).await.unwrap()[version as usize - 1].in_service);
        // A batch is committed or not, and the error says that it may be tried again.
        let lease = lease(&direct, version).await;
        let mut transaction = model.begin().await.unwrap();
        crate::model::insert(&mut transaction, 7).await;
        let before = crate::model::accounts(&direct).await.len();
        proxy.cut_next(cut);
        let commit = Commit { leases: &[lease], events: 1, time: HOUR };
        let error = model.commit(transaction, &balances(version), &commit).await.unwrap_err();
        assert!(error.may_retry(), "{error}");
        assert_eq!(crate::model::accounts(&direct).await.len(), before);
    }
    for (cut, version) in cuts.into_iter().zip([1, 3, 4]) {
        direct.open(&balances(version.max(3)), &setup(ACCOUNTS, 1)).await.unwrap();
        proxy.cut_next(cut);
        assert!(model.remove("balances", version).await.unwrap());
        assert!(
            direct.projections(None).await.unwrap().iter().all(|state| state.version != version)
        );
    }
    assert_eq!(proxy.cuts(), 9);
}
