//! What the roles of `roles.sql` may do, and that it is enough.

use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use cqrs_core::{
    Append, EventStore, ExpectedVersion, LogFilter, Position, Store, StoreErrorKind, Version,
};
use cqrs_postgres::{PostgresModel, PostgresStore};
use cqrs_test_harness::{Server, program};
use cqrs_testkit::conformance::{self, HeldAppend};
use cqrs_testkit::read_model;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgTransaction};
use tokio::sync::{Mutex, OnceCell};

use crate::support::{Follower, add, append, failure, log, stream};

/// Roles are of a whole server, which `DATABASE_URL` may have for others, too.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start_own().unwrap())
}

/// A database of the server.
struct Place(PgConnectOptions);

impl Place {
    async fn empty(hint: &str) -> Self {
        Self(server().database(hint).await.unwrap().options().clone())
    }

    /// A database that has been migrated and granted, with four who log in, each with one of the roles.
    async fn new() -> Self {
        static ORIGINAL: OnceCell<Place> = OnceCell::const_new();
        // One copy at a time: a database that is being copied counts as in use.
        static COPIES: Mutex<u32> = Mutex::const_new(0);
        let original = ORIGINAL.get_or_init(Self::original).await;
        let mut copies = COPIES.lock().await;
        *copies += 1;
        // Quicker than to run the migrations.
        let (name, of) = (format!("copy_{copies}"), original.0.get_database().unwrap());
        let admin = Self(original.0.clone().database("postgres"));
        // A session that has used it may still be about to end.
        let until = Instant::now() + Duration::from_mins(2);
        while let Err(error) = admin.execute(&format!("CREATE DATABASE {name} TEMPLATE {of}")).await
        {
            let error = error.into_database_error().unwrap();
            let is_used = error.code().as_deref() == Some("55006");
            assert!(is_used && Instant::now() < until, "{error}");
        }
        Self(original.0.clone().database(&name))
    }

    async fn original() -> Self {
        let place = Self::empty("original").await;
        place.grant(&[]);
        for role in ["reader", "writer", "projector", "migrator"] {
            let login = format!("CREATE ROLE a_{role} LOGIN; GRANT cqrs_{role} TO a_{role}");
            place.execute(&login).await.unwrap();
        }
        place.store("a_migrator").await.close().await;
        place.grant(&[]);
        place
    }

    /// Runs `roles.sql` as the superuser.
    fn grant(&self, variables: &[&str]) {
        let mut psql = self.program("psql", self.0.get_username());
        psql.args(["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--single-transaction"]);
        psql.args(variables.iter().map(|variable| format!("--set={variable}")));
        psql.arg(concat!("--file=", env!("CARGO_MANIFEST_DIR"), "/roles.sql"));
        succeeds(psql);
    }

    /// A client program of Postgres, on this database.
    fn program(&self, name: &str, role: &str) -> Command {
        let url = self.url(role);
        let mut command = Command::new(program(name).unwrap());
        // Without what only `sqlx` understands.
        command.arg(format!("--dbname={}", url.split('?').next().unwrap()));
        command
    }

    fn url(&self, role: &str) -> String {
        self.0.clone().username(role).to_url_lossy().to_string()
    }

    async fn store(&self, role: &str) -> PostgresStore {
        PostgresStore::connect(&self.url(role)).await.unwrap()
    }

    /// Runs statements as the superuser.
    async fn execute(&self, sql: &str) -> Result<(), sqlx::Error> {
        self.execute_as(self.0.get_username(), sql).await
    }

    async fn execute_as(&self, role: &str, sql: &str) -> Result<(), sqlx::Error> {
        let mut connection = self.0.clone().username(role).connect().await?;
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await;
        connection.close().await?;
        done.map(drop)
    }
}

/// What a program prints, which has nothing to complain of.
fn succeeds(mut program: Command) -> String {
    let output = program.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said, "");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether this was refused for want of a privilege.
fn is_refused(done: &Result<(), sqlx::Error>) -> bool {
    let Err(sqlx::Error::Database(error)) = done else { return false };
    error.code().as_deref() == Some("42501")
}

#[tokio::test]
async fn a_migrator_makes_the_schema_and_others_use_it() {
    // Has those who log in.
    Place::new().await;
    let place = Place::empty("first").await;
    place.grant(&[]);
    // Nobody else can make it, and says who can.
    for role in ["a_reader", "a_writer", "a_projector"] {
        let error = PostgresStore::connect(&place.url(role)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains("a role that may create it"), "{role}: {error}");
    }
    place.store("a_migrator").await;
    place.grant(&[]);
    add(&place.store("a_writer").await, "a").await;

    // A program that needs a newer schema is told the same.
    let older = "DELETE FROM cqrs.migrations WHERE number > 1";
    place.execute(older).await.unwrap();
    let error = PostgresStore::connect(&place.url("a_writer")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("a role that may create it"), "{error}");
}

#[tokio::test]
async fn what_is_granted_does_not_depend_on_what_was_before() {
    let place = Place::new().await;
    let sql = "SELECT string_agg(concat_ws(' ', relname, pg_get_userbyid(relowner), relacl, attname, attacl), ', ' \
                   ORDER BY relname, attname) \
               FROM pg_class LEFT JOIN pg_attribute ON attrelid = pg_class.oid AND attacl IS NOT NULL \
               WHERE relnamespace = 'cqrs'::regnamespace";
    let store = PostgresStore::connect(place.0.to_url_lossy().as_str()).await.unwrap();
    let rights =
        async || -> String { sqlx::query_scalar(sql).fetch_one(store.pool()).await.unwrap() };
    let before = rights().await;
    assert!(before.contains("events cqrs_migrator"), "{before}");
    let more = "GRANT ALL ON ALL TABLES IN SCHEMA cqrs TO cqrs_reader, cqrs_writer, PUBLIC; \
                GRANT ALL ON SEQUENCE cqrs.events_position_seq TO cqrs_projector; \
                GRANT UPDATE (payload) ON cqrs.events TO cqrs_writer; \
                ALTER TABLE cqrs.events OWNER TO a_writer";
    place.execute(more).await.unwrap();
    assert_ne!(rights().await, before);
    place.grant(&[]);
    assert_eq!(rights().await, before);
}

#[tokio::test]
async fn roles_may_have_other_names() {
    let place = Place::new().await;
    let names = ["writer=the writer", "reader=\"r", "projector=p'", "migrator=m"];
    place.grant(&names);
    place.grant(&names);
    place.execute("ALTER ROLE \"the writer\" LOGIN").await.unwrap();
    add(&place.store("the writer").await, "a").await;
}

#[tokio::test]
async fn nobody_changes_events_who_may_append_or_read_them() {
    let place = Place::new().await;
    let writer = place.store("a_writer").await;
    add(&writer, "a").await;
    let before = log(&writer).await;
    let forbidden = [
        "UPDATE cqrs.events SET payload = '{}'",
        "DELETE FROM cqrs.events",
        "TRUNCATE cqrs.events",
        "DROP TABLE cqrs.events",
        "ALTER TABLE cqrs.events ADD note text",
        "ALTER TABLE cqrs.events DISABLE TRIGGER before_append",
        "ALTER TABLE cqrs.events DROP CONSTRAINT events_stream_key",
        "CREATE TRIGGER another BEFORE INSERT ON cqrs.events EXECUTE FUNCTION cqrs.before_append()",
        "CREATE RULE another AS ON INSERT TO cqrs.events DO INSTEAD NOTHING",
        "DROP INDEX cqrs.events_kind_idx",
        "CREATE INDEX ON cqrs.events (recorded_at)",
        "CREATE OR REPLACE FUNCTION cqrs.before_append() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE TABLE cqrs.another ()",
        "DROP SCHEMA cqrs CASCADE",
        "SELECT nextval('cqrs.events_position_seq')",
        "SELECT setval('cqrs.events_position_seq', 1)",
        "SET session_replication_role = replica",
        "DELETE FROM cqrs.snapshots",
        "DELETE FROM cqrs.migrations",
        "SET ROLE cqrs_migrator",
        // Place and time of an event are not its writer's to say.
        "INSERT INTO cqrs.events (position, category, key, version, event_type, schema_version, payload, event_id, \
             correlation_id, causation_id) \
         SELECT 1000, category, key, 2, event_type, 1, '{}', causation_id, correlation_id, causation_id \
         FROM cqrs.events",
        "INSERT INTO cqrs.events (recorded_at, category, key, version, event_type, schema_version, payload, event_id, \
             correlation_id, causation_id) \
         SELECT recorded_at, category, key, 2, event_type, 1, '{}', causation_id, correlation_id, causation_id \
         FROM cqrs.events",
    ];
    for role in ["a_reader", "a_writer", "a_projector"] {
        for sql in forbidden {
            let done = place.execute_as(role, sql).await;
            assert!(is_refused(&done), "{role}: {sql}: {done:?}");
        }
    }
    assert_eq!(log(&writer).await, before);
    add(&writer, "a").await;
}

#[tokio::test]
async fn g5_a_reader_follows_the_log_and_can_not_append() {
    let place = Place::new().await;
    let (writer, reader) = (place.store("a_writer").await, place.store("a_reader").await);
    let first = add(&writer, "a").await.position.get();
    let mut held = writer.pool().begin().await.unwrap();
    let in_held = append("held", ExpectedVersion::NoStream, 1);
    let in_held = writer.append_in(&mut held, &in_held).await.unwrap().position.get();
    let later = add(&writer, "b").await.position.get();

    // It sees whom it waits for.
    let mut follower = Follower::new(&reader, 10);
    assert_eq!(follower.positions().await, [first]);
    let end = reader.head().await.unwrap();
    assert_eq!((end.visible.get(), end.open_appends.len()), (first, 1));
    held.commit().await.unwrap();
    assert_eq!(follower.positions().await, [first, in_held, later]);
    // By the index over kinds, too.
    let filter = LogFilter::all().event_type("account.deposited");
    let page = reader.read_log(&filter, Position::START, 10).await.unwrap();
    assert_eq!(page.events.len(), 3);
    assert_eq!(reader.read_stream(&stream("b"), Version::NONE, 10).await.unwrap().len(), 1);

    let error = failure(reader.append(&append("c", ExpectedVersion::Any, 1)).await);
    assert_eq!(error.kind(), StoreErrorKind::Unsupported);
    assert!(error.to_string().contains("privilege"), "{error}");
    // It is woken by those who append.
    let mut news = reader.news();
    add(&writer, "c").await;
    while follower.positions().await.len() < 4 {
        news.wait().await;
    }
}

#[tokio::test]
async fn a_reader_can_make_a_backup() {
    let place = Place::new().await;
    add(&place.store("a_writer").await, "in_the_backup").await;
    let mut dump = place.program("pg_dump", "a_reader");
    dump.arg("--schema=cqrs");
    assert!(succeeds(dump).contains("in_the_backup"));
}

/// The suite that every store passes, as the writer.
mod writing {
    use super::*;

    struct Writing(Place, PostgresStore);

    impl Writing {
        async fn new() -> Self {
            let place = Place::new().await;
            let store = place.store("a_writer").await;
            Self(place, store)
        }
    }

    #[async_trait]
    impl conformance::Fixture for Writing {
        async fn open(&self) -> Arc<dyn Store> {
            Arc::new(self.0.store("a_writer").await)
        }

        async fn hold(&self, append: &Append) -> Option<Box<dyn HeldAppend>> {
            let mut transaction = self.1.pool().begin().await.unwrap();
            self.1.append_in(&mut transaction, append).await.unwrap();
            Some(Box::new(Held(transaction)))
        }
    }

    struct Held(PgTransaction<'static>);

    #[async_trait]
    impl HeldAppend for Held {
        async fn commit(self: Box<Self>) {
            self.0.commit().await.unwrap();
        }

        async fn roll_back(self: Box<Self>) {
            self.0.rollback().await.unwrap();
        }
    }

    conformance::tests!(Writing::new());
}

/// The suite that every read model passes, as the projector.
mod projecting {
    use super::*;

    struct Projecting(Place);

    impl Projecting {
        async fn new() -> Self {
            let place = Place::new().await;
            place.grant(&["application=public"]);
            Self(place)
        }
    }

    #[async_trait]
    impl read_model::Fixture for Projecting {
        type Model = PostgresModel;
        type Composite = PostgresModel;

        async fn open(&self) -> PostgresModel {
            self.0.store("a_projector").await.model()
        }

        async fn open_composite(&self) -> PostgresModel {
            self.open().await
        }
    }

    read_model::tests!(Projecting::new());
}
