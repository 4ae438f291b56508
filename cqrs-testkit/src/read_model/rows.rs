//! The rows of views: what is written comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cqrs_core::{
    BoxError, Commit, Lease, Member, ProjectionId, ReadModel as _, Rows, Setup, StoreError,
    StoreErrorKind, View as _,
};
use serde_json::json;
use uuid::Uuid;

use super::Fixture;
use super::support::{LONG, Model, Worker, at, done, opened, same};
use super::views::{Composite, Sample};

/// The last microsecond that a column holds.
const LAST_TIME: Duration = Duration::from_micros(253_402_300_799_999_999);

/// Writes rows and deletes others, in a commit of their own.
async fn write<M: Model>(worker: &mut Worker<M>, rows: &[Sample], deleted: &[&str]) {
    let mut transaction = worker.begin().await;
    let deleted: Vec<String> = deleted.iter().map(|key| (*key).to_owned()).collect();
    done("writing rows", worker.model.write(&mut transaction, rows, &deleted).await);
    let leases = worker.leases.clone();
    assert!(worker.commit_under(transaction, &leases).await, "a commit was refused");
    for lease in &mut worker.leases {
        lease.commits += 1;
    }
}

async fn load<M: Model>(worker: &Worker<M>, keys: &[String]) -> BTreeMap<String, Sample> {
    let mut transaction = worker.begin().await;
    let loaded = done("loading rows", worker.model.load(&mut transaction, keys).await);
    let count = loaded.len();
    let rows: BTreeMap<_, _> = loaded.into_iter().map(|row: Sample| (row.key(), row)).collect();
    same("how many rows come twice", count - rows.len(), 0);
    rows
}

/// Checks that rows come back as they were written, both ways.
async fn come_back<M: Model>(worker: &mut Worker<M>, written: &[Sample]) {
    write(worker, written, &[]).await;
    let keys: Vec<String> = written.iter().map(|row| row.key.clone()).collect();
    let loaded = load(worker, &keys).await;
    for row in written {
        same(format!("row {:?}, loaded", row.key), loaded.get(&row.key), Some(row));
        let read = Rows::<Sample>::row(&worker.base, &row.key).await;
        same(format!("row {:?}, read", row.key), done("reading a row", read).as_ref(), Some(row));
    }
    same("how many rows are loaded", loaded.len(), written.len());
}

pub(super) async fn values_of_all_types_come_back<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 1, 0).await;
    let full = Sample {
        maybe_text: Some("maybe".to_owned()),
        maybe_integer: Some(-1),
        maybe_real: Some(-0.5),
        maybe_flag: Some(false),
        maybe_id: Some(Uuid::from_u128(9)),
        maybe_time: Some(SystemTime::UNIX_EPOCH + Duration::from_micros(1_234_567)),
        maybe_json: Some(json!([1, { "deep": ["er"] }])),
        ..Sample::new("full")
    };
    // Nothing is something else than what is empty, zero, false, or the document `null`.
    let hollow = Sample {
        text: String::new(),
        integer: 0,
        count: 0,
        real: 0.0,
        flag: false,
        id: Uuid::nil(),
        time: SystemTime::UNIX_EPOCH,
        json: json!(null),
        maybe_text: Some(String::new()),
        maybe_integer: Some(0),
        maybe_real: Some(0.0),
        maybe_flag: Some(false),
        maybe_id: Some(Uuid::nil()),
        maybe_time: Some(SystemTime::UNIX_EPOCH),
        maybe_json: Some(json!(null)),
        ..Sample::new("hollow")
    };
    come_back(&mut worker, &[full, hollow, Sample::new("nothing")]).await;
}

pub(super) async fn extreme_values_come_back<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 1, 0).await;
    let reals = [f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 0.1 + 0.2, 1e15 + 0.5, 1.0];
    let times = [1, 999_999, 1_000_000, 951_782_400_000_000, 4_102_444_800_000_001]
        .map(|micros| SystemTime::UNIX_EPOCH + Duration::from_micros(micros));
    let documents = [
        json!(u64::MAX),
        json!(i64::MIN),
        json!([1.5e300, 5e-324, 0.1]),
        json!("ü \u{1f980} \"\\/\n"),
        json!({ "": { "ключ": [] }, "nested": [[[[[[{}]]]]]] }),
        json!("x".repeat(200_000)),
    ];
    let mut all = vec![
        Sample {
            integer: i64::MIN,
            count: i64::MAX.unsigned_abs(),
            maybe_integer: Some(i64::MAX),
            id: Uuid::max(),
            time: SystemTime::UNIX_EPOCH + LAST_TIME,
            maybe_time: Some(SystemTime::UNIX_EPOCH + LAST_TIME),
            ..Sample::new("extreme")
        },
        Sample { integer: i64::MAX, maybe_integer: Some(i64::MIN), ..Sample::new("other extreme") },
    ];
    for (number, real) in reals.into_iter().enumerate() {
        let row = Sample::new(format!("real {number}"));
        all.push(Sample { real, maybe_real: Some(-real), ..row });
    }
    for (number, time) in times.into_iter().enumerate() {
        let row = Sample::new(format!("time {number}"));
        all.push(Sample { time, maybe_time: Some(time), ..row });
    }
    for (number, document) in documents.into_iter().enumerate() {
        let row = Sample::new(format!("document {number}"));
        all.push(Sample { json: document.clone(), maybe_json: Some(document), ..row });
    }
    come_back(&mut worker, &all).await;
}

pub(super) async fn texts_are_kept_byte_for_byte<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 1, 0).await;
    let texts = [
        "",
        " ",
        " a ",
        "a",
        "A",
        "null",
        "NULL",
        "'; --",
        "\"\\",
        "{a,b}",
        "\\N",
        "%_",
        "line\r\nline\ttab\u{1}\u{7f}",
        "é",
        "e\u{301}",
        "ß",
        "ss",
        "🦀",
        "\u{feff}bom",
        "1",
        "01",
        "1.0",
        "true",
    ];
    let row = |text: &&str| Sample {
        text: (*text).to_owned(),
        maybe_text: Some((*text).to_owned()),
        // As a key, too: each is a row of its own.
        ..Sample::new(*text)
    };
    let all: Vec<Sample> = texts.iter().map(row).collect();
    come_back(&mut worker, &all).await;
    let long = "äö\u{1f980}".repeat(50_000);
    let row = Sample { text: long.clone(), maybe_text: Some(long), ..Sample::new("long") };
    come_back(&mut worker, &[row, Sample::new("k".repeat(512))]).await;
}

pub(super) async fn rows_are_written_over_and_deleted<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut worker = opened(&model, 1, 1, 0).await;
    let full =
        Sample { maybe_text: Some("full".to_owned()), maybe_real: Some(1.5), ..Sample::new("a") };
    write(&mut worker, &[full, Sample::new("b"), Sample::new("c")], &[]).await;
    // A row is written whole: what is nothing now does not stay what it was.
    let over = Sample { integer: 99, json: json!({}), ..Sample::new("a") };
    write(&mut worker, &[over.clone(), Sample::new("d")], &["b", "never there"]).await;
    let keys = ["a", "b", "c", "d", "never there"].map(ToOwned::to_owned);
    let right: BTreeMap<String, Sample> =
        [over, Sample::new("c"), Sample::new("d")].map(|row| (row.key(), row)).into();
    same("the rows", load(&worker, &keys).await, right);
    same(
        "a row that was deleted",
        done("reading", Rows::<Sample>::row(&other, &keys[1]).await),
        None,
    );
    // Deleted and written again, in transactions and within one.
    write(&mut worker, &[Sample::new("b")], &["a"]).await;
    let mut transaction = worker.begin().await;
    let steps: Result<Vec<Sample>, BoxError> = async {
        let (row, key) = ([Sample::new("c")], ["c".to_owned()]);
        worker.model.write(&mut transaction, &[], &key).await?;
        worker.model.write(&mut transaction, &row, &[]).await?;
        worker.model.write(&mut transaction, &[Sample::new("e")], &[]).await?;
        worker.model.write(&mut transaction, &[], &["e".to_owned()]).await?;
        Ok(worker.model.load(&mut transaction, &["c".to_owned(), "e".to_owned()]).await?)
    }
    .await;
    same("what is left within a transaction", done("writing", steps), vec![Sample::new("c")]);
    assert!(worker.commit_under(transaction, &worker.leases_at(9)).await, "a commit was refused");
    let left: Vec<String> = load(&worker, &keys).await.into_keys().collect();
    same("what is left", left, ["b", "c", "d"].map(ToOwned::to_owned).to_vec());
}

pub(super) async fn no_keys_are_no_rows<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 1, 0).await;
    write(&mut worker, &[], &[]).await;
    write(&mut worker, &[Sample::new("a")], &[]).await;
    same("the rows with none of the keys", load(&worker, &[]).await, BTreeMap::new());
    same("the rows with unknown keys", load(&worker, &["b".to_owned()]).await, BTreeMap::new());
    write(&mut worker, &[], &["a"]).await;
    same("the rows", load(&worker, &["a".to_owned()]).await, BTreeMap::new());
}

pub(super) async fn many_rows_are_written_and_loaded_at_once<F: Fixture>(fixture: Arc<F>) {
    const MANY: usize = 5_000;
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 1, 0).await;
    let key = |number: usize| format!("row {number}");
    let rows: Vec<Sample> = (0..MANY)
        .map(|number| Sample { count: number as u64, ..Sample::new(key(number)) })
        .collect();
    write(&mut worker, &rows, &[]).await;
    let keys: Vec<String> = (0..MANY * 2).map(key).collect();
    let loaded = load(&worker, &keys).await;
    same("how many rows are loaded", loaded.len(), MANY);
    assert!(rows.iter().all(|row| loaded.get(&row.key) == Some(row)), "rows are not as written");
    let rest: Vec<String> = (0..MANY).filter(|number| number % 5 != 0).map(key).collect();
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let over: Vec<Sample> = (0..MANY).step_by(5).map(|number| Sample::new(key(number))).collect();
    write(&mut worker, &over, &rest).await;
    let loaded = load(&worker, &keys).await;
    same("how many rows are left", loaded.len(), MANY / 5);
    assert!(over.iter().all(|row| loaded.get(&row.key) == Some(row)), "rows are not as written");
}

pub(super) async fn values_that_can_not_be_kept_are_refused<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 1, 0).await;
    let bad = [
        Sample { text: "nul \0 nul".to_owned(), ..Sample::new("a") },
        Sample { count: u64::MAX, ..Sample::new("a") },
        Sample { real: f64::NAN, ..Sample::new("a") },
        Sample { time: SystemTime::UNIX_EPOCH - Duration::from_secs(1), ..Sample::new("a") },
        Sample { json: json!({ "nul": "\0" }), ..Sample::new("a") },
        Sample::new("nul \0 key"),
    ];
    for row in bad {
        let mut transaction = worker.begin().await;
        let rows = [Sample::new("good"), row];
        let written = worker.model.write(&mut transaction, &rows, &[]).await;
        let Err(error) = written else { panic!("{:?} is written, which no column holds", rows[1]) };
        assert!(!model.is_outage(&error), "{:?} is taken for an outage: {error}", rows[1]);
        drop(transaction);
    }
    same("the rows", load(&worker, &["good".to_owned(), "a".to_owned()]).await, BTreeMap::new());
    worker.commits(10, &["good"]).await;
}

pub(super) async fn rows_with_composite_keys_come_back<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open_composite().await;
    let tables = Rows::<Composite>::tables(&model);
    let setup = Setup { tables: &tables, slots: 1, replays_to: at(0), beside: false };
    let events = "suite.happened".to_owned();
    let projection = ProjectionId { name: Composite::NAME, version: 1, events };
    done("opening", model.open(&projection, &setup).await);
    let member = Member { id: Uuid::now_v7(), label: "", leases: &[], time: LONG, error: None };
    let share = done("settling a share", model.share(&projection, &member).await);
    let mut lease = share.unwrap_or_else(|| panic!("there is no share of it")).leases[0];
    // Rows that differ in one column of the key each, and columns that hold the same values.
    let row = Composite {
        note: None,
        time: SystemTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456),
        number: 7,
        name: "name".to_owned(),
        count: 7,
        flag: true,
        id: Uuid::from_u128(7),
    };
    let mut all = vec![
        row.clone(),
        Composite { time: row.time + Duration::from_micros(1), ..row.clone() },
        Composite { number: -7, ..row.clone() },
        Composite { number: i64::MIN, note: Some("lowest".to_owned()), ..row.clone() },
        Composite { name: "Name".to_owned(), ..row.clone() },
        Composite { name: "name,7".to_owned(), ..row.clone() },
        Composite { name: String::new(), ..row.clone() },
        Composite { flag: false, ..row.clone() },
        Composite { id: Uuid::nil(), ..row.clone() },
    ];
    all.extend((0..5_000).map(|number| Composite {
        count: 1,
        number,
        name: "many".to_owned(),
        ..row.clone()
    }));
    let mut transaction = done("beginning", model.begin().await);
    done("writing rows", model.write(&mut transaction, &all, &[]).await);
    lease = commit(&model, &projection, transaction, lease).await;
    let keys: Vec<_> = all.iter().map(Composite::key).collect();
    let missing = Composite { number: 8, ..row.clone() };
    let asked: Vec<_> = keys.iter().cloned().chain([missing.key()]).collect();
    let mut transaction = done("beginning", model.begin().await);
    let loaded = done("loading rows", model.load(&mut transaction, &asked).await);
    let loaded: BTreeMap<_, _> = loaded.into_iter().map(|row| (row.key(), row)).collect();
    for row in &all {
        same(format!("row {:?}", row.key()), loaded.get(&row.key()), Some(row));
    }
    same("how many rows are loaded", loaded.len(), all.len());
    // Written over and deleted by all of the key.
    let over = Composite { count: 8, note: Some("over".to_owned()), ..row.clone() };
    let written = model.write(&mut transaction, std::slice::from_ref(&over), &keys[2..]).await;
    done("writing rows", written);
    commit(&model, &projection, transaction, lease).await;
    let read = async |row: &Composite| done("reading a row", model.row(&row.key()).await);
    same("a row written over", read(&row).await, Some(over));
    same("a row left alone", read(&all[1]).await, Some(all[1].clone()));
    for row in [&all[2], &all[4], &all[7], &all[8], &missing] {
        same("a row that is not there", read(row).await, None);
    }
    let mut transaction = done("beginning", model.begin().await);
    let left = done("loading rows", model.load(&mut transaction, &asked).await);
    let left: BTreeSet<_> = left.iter().map(Composite::key).collect();
    same("the keys that are left", left, keys[..2].iter().cloned().collect());
}

async fn commit<M: Rows<Composite>>(
    model: &M,
    projection: &ProjectionId,
    transaction: M::Transaction,
    lease: Lease,
) -> Lease {
    let commit = Commit { leases: &[lease], events: 1, time: LONG };
    let committed = model.commit(transaction, projection, &commit).await;
    assert!(done("a commit", committed), "a commit was refused");
    Lease { commits: lease.commits + 1, ..lease }
}

pub(super) async fn outages_are_told_from_other_errors<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let kinds = [
        (StoreErrorKind::Unavailable, true),
        (StoreErrorKind::Busy, true),
        (StoreErrorKind::OutcomeUnknown, true),
        (StoreErrorKind::InvalidInput, false),
        (StoreErrorKind::Corrupt, false),
        (StoreErrorKind::Other, false),
    ];
    for (kind, is_outage) in kinds {
        let error: BoxError = Box::new(StoreError::new(kind, "said by a handler"));
        same(format!("whether {kind:?} is an outage"), model.is_outage(&error), is_outage);
    }
    same("whether any text is an outage", model.is_outage(&"it does not pass".into()), false);
}
