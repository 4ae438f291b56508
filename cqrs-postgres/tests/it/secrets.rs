//! Passwords stay out of everything that is printed.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cqrs_core::{EventId, EventStore};
use cqrs_postgres::PostgresStore;
use cqrs_test_harness::{Database, postgres};
use sqlx::{AssertSqlSafe, ConnectOptions};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Metadata, Subscriber};

use crate::proxy::{Cut, Proxy};
use crate::support::{add, execute, log};

const PASSWORD: &str = "hunter2";

/// Keeps everything that is traced, at every level, with all fields.
#[derive(Clone, Default)]
struct Traced(Arc<Mutex<String>>);

impl Traced {
    fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }

    fn write(&self, metadata: &Metadata<'_>, record: impl FnOnce(&mut dyn Visit)) {
        let mut text = self.0.lock().unwrap();
        write!(text, "\n{} {}", metadata.level(), metadata.target()).unwrap();
        record(&mut Fields(&mut text));
    }
}

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Traced {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.write(span.metadata(), |fields| span.record(fields));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Fields(&mut self.0.lock().unwrap()));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.write(event.metadata(), |fields| event.record(fields));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The address of the database, with a password.
fn address(database: &Database) -> String {
    database.options().clone().password(PASSWORD).to_url_lossy().to_string()
}

/// What an error or anything else says of itself, in every way there is.
fn said(thing: impl fmt::Debug) -> String {
    format!("{thing:?} {thing:#?}")
}

async fn error_of(url: &str) -> String {
    let options = PostgresStore::options(url).acquire_timeout(Duration::from_secs(20));
    let shown = said(&options);
    let mut error: &dyn std::error::Error = &options.connect().await.expect_err(url);
    let mut text = shown + &said(error) + &error.to_string();
    while let Some(source) = error.source() {
        text += &(said(source) + &source.to_string());
        error = source;
    }
    text
}

/// All of it runs on this thread, so that its subscriber gets everything.
#[tokio::test]
async fn a_password_is_in_no_error_no_debug_output_and_no_trace() {
    let traced = Traced::default();
    let _tracing = tracing::subscriber::set_default(traced.clone());
    // As long as there is only one subscriber, threads of other tests, which have none, switch off for everybody what
    // they come by first.
    let _second = Dispatch::new(Traced::default());
    let database = postgres().unwrap().database("secrets").await.unwrap();
    let url = address(&database);
    assert!(url.contains(PASSWORD));

    // What works, and what goes wrong on the way.
    let options = PostgresStore::options(&*url);
    let mut shown = said(&options);
    let store = options.connect().await.unwrap();
    let mut news = store.news();
    add(&store, "a").await;
    assert_eq!(log(&store).await.len(), 1);
    news.wait().await;
    shown += &said(&store);
    shown += &said(store.model());
    shown += &said(&news);
    let proxy = Proxy::start(database.options()).await;
    let through = database.options().clone().password(PASSWORD).port(proxy.port());
    let cut = PostgresStore::options(through.to_url_lossy())
        .acquire_timeout(Duration::from_secs(3))
        .connect()
        .await
        .unwrap();
    proxy.cut_next(Cut::BeforeAnswer);
    add(&cut, "a").await;
    proxy.cut_next(Cut::BeforeAnswer);
    proxy.refuse();
    shown += &said(cut.find(EventId::random()).await.unwrap_err());
    shown += &said(&cut);
    // What goes wrong in the background is only traced.
    let _hints = cut.news();
    while !traced.text().contains("DEBUG cqrs_postgres::news") {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    // What never works.
    let elsewhere = url.replace(database.name(), "no_such_database");
    let unreachable = format!("postgres://user:{PASSWORD}@127.0.0.1:1/x");
    let unknown = format!("postgres://user:{PASSWORD}@no-such-host.invalid/x");
    let nonsense = format!("postgres://user:{PASSWORD}@127.0.0.1:port/x");
    let mode = format!("postgres://user:{PASSWORD}@127.0.0.1/x?sslmode=none");
    let scheme = format!("mysql://user:{PASSWORD}@127.0.0.1/x");
    for url in [&elsewhere, &unreachable, &unknown, &nonsense, &mode, &scheme] {
        shown += &error_of(url).await;
    }
    assert!(!shown.contains(PASSWORD), "{shown}");
    let text = traced.text();
    assert!(text.contains("DEBUG sqlx"), "{text}");
    assert!(!text.contains(PASSWORD), "{text}");
}

#[tokio::test]
async fn a_wrong_password_is_not_repeated() {
    let server = cqrs_test_harness::Server::start_own().unwrap();
    let database = server.database("wrong").await.unwrap();
    let owner = PostgresStore::connect(&database.url()).await.unwrap();
    execute(&owner, "CREATE ROLE app LOGIN PASSWORD 'the right one'").await;
    // The first rule that fits counts.
    let who = "COPY (SELECT unnest(array['host all postgres 127.0.0.1/32 trust', \
               'host all all 127.0.0.1/32 scram-sha-256'])) TO PROGRAM 'cat > pg_hba.conf'";
    sqlx::raw_sql(AssertSqlSafe(who)).execute(owner.pool()).await.unwrap();
    execute(&owner, "SELECT pg_reload_conf()").await;
    let url = address(&database).replace("postgres:hunter2", "app:hunter2");
    // Until the server has read the rules again, the role needs no password.
    let error = loop {
        match PostgresStore::connect(&url).await {
            Err(error) if error.to_string().contains("password authentication") => break error,
            Err(_) => tokio::task::yield_now().await,
            Ok(store) => store.close().await,
        }
    };
    assert_eq!(error.kind(), cqrs_core::StoreErrorKind::Unsupported);
    let text = said(&error) + &error.to_string();
    assert!(text.contains("app") && !text.contains(PASSWORD), "{text}");
}
