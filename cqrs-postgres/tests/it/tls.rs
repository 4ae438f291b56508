//! Encrypted connections, to a server whose certificate an authority of ours has issued.

use std::path::PathBuf;

use cqrs_core::{EventStore, StoreError, StoreErrorKind};
use cqrs_postgres::PostgresStore;
use cqrs_test_harness::{Database, Server};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;

use crate::support::{add, log};

/// An authority for certificates.
struct Authority(Issuer<'static, KeyPair>, String);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self(Issuer::new(params, key), pem)
    }

    /// A certificate for a host, and its key.
    fn issue(&self, host: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([host.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    /// Where clients find its own certificate.
    fn file(&self, directory: &TempDir, name: &str) -> PathBuf {
        let path = directory.path().join(name);
        std::fs::write(&path, &self.1).unwrap();
        path
    }
}

/// Who may connect: `app` with TLS and a password, and the superuser of the tests as ever.
const WHO: &str = "host all postgres 127.0.0.1/32 trust
hostssl all app 127.0.0.1/32 scram-sha-256";

/// Has the server offer TLS, with a certificate for 127.0.0.1, and insist on it.
async fn encrypt(database: &Database, authority: &Authority) {
    let (certificate, key) = authority.issue("127.0.0.1");
    let files = [("server.crt", &*certificate), ("server.key", &*key), ("pg_hba.conf", WHO)];
    for (name, text) in files {
        // The server writes the files itself: they are to be its own, and nobody else's.
        execute(
            database,
            format!(
                "COPY (SELECT unnest(string_to_array('{text}', E'\\n'))) TO PROGRAM 'umask 077; cat > {name}'"
            ),
        )
        .await;
    }
    let name = database.name();
    let app =
        format!("CREATE ROLE app LOGIN PASSWORD 'sesame'; GRANT ALL ON DATABASE {name} TO app");
    execute(database, app).await;
    execute(database, "ALTER SYSTEM SET ssl = on".to_owned()).await;
    execute(database, "SELECT pg_reload_conf()".to_owned()).await;
    // New sessions have it as soon as the server has read its files again.
    let encrypted = database.options().clone().ssl_mode(PgSslMode::Require);
    while encrypted.connect().await.is_err() {
        tokio::task::yield_now().await;
    }
}

async fn execute(database: &Database, sql: String) {
    let mut connection = database.options().connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// How `app` connects, with this in the address.
fn address(options: &PgConnectOptions, host: &str, more: &str) -> String {
    let (port, database) = (options.get_port(), options.get_database().unwrap());
    format!("postgres://app:sesame@{host}:{port}/{database}?{more}")
}

async fn refused(url: &str) -> StoreError {
    let error = PostgresStore::connect(url).await.expect_err(url);
    assert!(!error.to_string().contains("sesame"), "{error}");
    error
}

#[tokio::test]
async fn a_server_is_trusted_by_the_certificate_of_its_authority_alone() {
    let server = Server::start_own().unwrap();
    let database = server.database("tls").await.unwrap();
    let (authority, other) = (Authority::new("ours"), Authority::new("another"));
    encrypt(&database, &authority).await;
    let directory = TempDir::new().unwrap();
    let root = authority.file(&directory, "root.crt");
    let root = format!("sslmode=verify-full&sslrootcert={}", root.display());
    let options = database.options();

    // All connections are encrypted, those for hints between stores as well.
    let store = PostgresStore::connect(&address(options, "127.0.0.1", &root)).await.unwrap();
    let mut news = store.news();
    let second = PostgresStore::connect(&address(options, "127.0.0.1", &root)).await.unwrap();
    add(&second, "a").await;
    while log(&store).await.is_empty() {
        news.wait().await;
    }
    let sql = "SELECT count(*), count(*) FILTER (WHERE ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
               WHERE usename = 'app'";
    let (all, encrypted): (i64, i64) = sqlx::query_as(sql).fetch_one(store.pool()).await.unwrap();
    assert!(all >= 2 && encrypted == all, "{encrypted} of {all}");

    let unencrypted = refused(&address(options, "127.0.0.1", "sslmode=disable")).await;
    assert!(unencrypted.to_string().contains("no encryption"), "{unencrypted}");
    // Another authority; none that is known here; the right one, and a host that is not the one of the certificate.
    let wrong = other.file(&directory, "wrong.crt");
    let wrong = format!("sslmode=verify-full&sslrootcert={}", wrong.display());
    for (host, more, reason) in [
        ("127.0.0.1", &*wrong, "UnknownIssuer"),
        ("127.0.0.1", "sslmode=verify-full", "UnknownIssuer"),
        ("localhost", &*root, "not valid for name"),
    ] {
        let error = refused(&address(options, host, more)).await;
        assert!(error.to_string().contains(reason), "{error}");
        // It does not pass by itself.
        assert_eq!(error.kind(), StoreErrorKind::Unsupported, "{error}");
    }
}
