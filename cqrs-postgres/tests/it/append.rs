//! What an append stores, and what it answers.

use std::sync::Arc;

use cqrs_core::{
    Append, Appended, Details, EventId, EventStore, ExpectedVersion, Metadata, NewEvent, Payload,
    StoreErrorKind, Version,
};
use sqlx::Row;
use uuid::Uuid;

use crate::support::{
    add, append, conflict, event, events, execute, failure, log, positions, store, stream,
};

#[tokio::test]
async fn g1_an_append_that_fails_halfway_stores_nothing() {
    let (store, _database) = store("halfway").await;
    add(&store, "a").await;
    let twice = store.find(log(&store).await[0].id).await.unwrap().unwrap();
    let mut batch = events(3);
    let again = Payload::from_json("{}").unwrap();
    let metadata = Arc::new(Metadata::of(Uuid::now_v7()));
    batch.push(NewEvent::from_parts(twice.id, "account.opened", 1, again, metadata).unwrap());
    let batch = Append::new(stream("b"), ExpectedVersion::NoStream, batch).unwrap();
    let error = failure(store.append(&batch).await);
    assert_eq!(error.kind(), StoreErrorKind::DuplicateEvent);
    assert!(error.to_string().contains(&twice.id.to_string()), "{error}");
    assert_eq!(log(&store).await.len(), 1);
}

#[tokio::test]
async fn g1_g6_ten_thousand_events_are_stored_by_one_append_in_order() {
    let (store, _database) = store("bulk").await;
    add(&store, "before").await;
    let bulk = append("a", ExpectedVersion::NoStream, 10_000);
    let appended = store.append(&bulk).await.unwrap();
    assert_eq!(appended.version, Version::new(10_000));

    let stored = store.read_stream(&stream("a"), Version::NONE, 20_000).await.unwrap();
    assert_eq!(stored.len(), 10_000);
    for ((stored, event), version) in stored.iter().zip(bulk.events()).zip(1..) {
        assert_eq!((stored.id, stored.version.get()), (event.id(), version));
    }
    let positions = positions(&stored);
    assert!(positions.is_sorted_by(|one, next| one < next));
    assert_eq!(positions.last(), Some(&appended.position.get()));
    assert_eq!(store.append(&bulk).await.unwrap(), Appended { replayed: true, ..appended });
}

/// What keeps positions and versions in step is in the plan: rows are sorted, then numbered.
#[tokio::test]
async fn g6_the_plan_draws_positions_from_rows_in_order() {
    let (store, _database) = store("plan").await;
    let columns = "array['t'], array[1], array['{}'], array[gen_random_uuid()], array[gen_random_uuid()], \
                   array[gen_random_uuid()], array[null]::text[]";
    let statements = [
        (include_str!("../../sql/append.sql"), "'a', '1', 0"),
        (include_str!("../../sql/append_many.sql"), "array['a'], array['1'], array[0], array[1]"),
    ];
    for (statement, first) in statements {
        let mut connection = store.pool().acquire().await.unwrap();
        let prepare = format!("DEALLOCATE ALL; PREPARE append AS {statement}");
        let prepare = sqlx::raw_sql(sqlx::AssertSqlSafe(prepare));
        prepare.execute(&mut *connection).await.unwrap();
        for mode in ["force_custom_plan", "force_generic_plan"] {
            let explain = format!(
                "SET plan_cache_mode = {mode}; SET enable_nestloop = off; \
                 EXPLAIN (VERBOSE, COSTS OFF) EXECUTE append ({first}, {columns})"
            );
            let explain = sqlx::raw_sql(sqlx::AssertSqlSafe(explain));
            let rows = explain.fetch_all(&mut *connection).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            let line = |text: &str| plan.iter().position(|line| line.contains(text));
            let text = plan.join("\n");
            // A node above the subquery draws; what is below it is ordered before that.
            let drawn = line("nextval(").expect(&text);
            let subquery = line("Subquery Scan").expect(&text);
            assert_eq!(drawn, subquery + 1, "{text}");
            assert_eq!(text.matches("nextval(").count(), 1, "{text}");
        }
    }
}

#[tokio::test]
async fn g2_conflicts_tell_where_the_stream_stands() {
    let (store, _database) = store("conflicts").await;
    for _ in 0..3 {
        add(&store, "a").await;
    }
    let expectations = [
        ("a", ExpectedVersion::NoStream, 3),
        ("a", ExpectedVersion::Exact(Version::NONE), 3),
        ("a", ExpectedVersion::Exact(Version::new(2)), 3),
        ("a", ExpectedVersion::Exact(Version::new(4)), 3),
        ("a", ExpectedVersion::Exact(Version::new(u64::MAX)), 3),
        ("b", ExpectedVersion::Exists, 0),
        ("b", ExpectedVersion::Exact(Version::FIRST), 0),
    ];
    for (key, expected, actual) in expectations {
        let conflict = conflict(store.append(&append(key, expected, 2)).await);
        assert_eq!(conflict.stream, stream(key));
        assert_eq!((conflict.expected, conflict.actual), (expected, Version::new(actual)));
    }
    assert_eq!(log(&store).await.len(), 3);
}

#[tokio::test]
async fn g4_the_same_append_again_stores_nothing_and_answers_the_same() {
    let (store, _database) = store("again").await;
    add(&store, "a").await;
    let expectations =
        [ExpectedVersion::Exact(Version::FIRST), ExpectedVersion::Exists, ExpectedVersion::Any];
    for expected in expectations {
        let append = append("a", expected, 2);
        let append = match expected {
            ExpectedVersion::Exact(_) => append,
            _ => Append::new(stream("a"), expected, events(2)).unwrap(),
        };
        let first = store.append(&append).await.unwrap();
        assert!(!first.replayed);
        add(&store, "a").await;
        let again = store.append(&append).await.unwrap();
        assert_eq!(again, Appended { replayed: true, ..first });
    }
    assert_eq!(log(&store).await.len(), 1 + 3 * 3);
}

#[tokio::test]
async fn the_same_ids_otherwise_arranged_are_not_the_same_append() {
    let (store, _database) = store("arranged").await;
    let batch = events(3);
    let stored = Append::new(stream("a"), ExpectedVersion::Any, batch.clone()).unwrap();
    store.append(&stored).await.unwrap();
    let kind = StoreErrorKind::DuplicateEvent;
    let [one, two, three] = &batch[..] else { unreachable!() };
    let arranged = [
        ("a", vec![two.clone(), one.clone()]),
        ("a", vec![one.clone(), three.clone()]),
        ("a", vec![three.clone(), event("account.opened")]),
        ("b", vec![one.clone()]),
        ("b", batch.clone()),
    ];
    for (key, events) in arranged {
        let other = Append::new(stream(key), ExpectedVersion::Any, events).unwrap();
        assert_eq!(failure(store.append(&other).await).kind(), kind);
    }
    // Part of the append, in order, is what was stored.
    let part = Append::new(stream("a"), ExpectedVersion::Any, batch[1..].to_vec()).unwrap();
    assert!(store.append(&part).await.unwrap().replayed);
    // Where the version is wrong as well, the conflict comes first.
    let wrong = Append::new(stream("b"), ExpectedVersion::Exists, batch).unwrap();
    conflict(store.append(&wrong).await);
    assert_eq!(log(&store).await.len(), 3);
}

#[tokio::test]
async fn everything_of_an_event_comes_back_as_it_was() {
    let (store, _database) = store("everything").await;
    let extra = [("quote".to_owned(), "\"\\'\u{1F980}\n".to_owned())];
    let metadata = Metadata {
        correlation_id: Uuid::now_v7(),
        causation_id: Uuid::now_v7(),
        details: Details { actor: Some("someone".to_owned()), tenant: None, extra: extra.into() },
    };
    // Spaces, order and repeated keys survive in a json column; numbers keep every digit.
    let json = "{ \"z\" :1,\"a\": [1.0e+2 , 18446744073709551615],\"z\":\"\\u00e9\\n\u{1F980}\" }";
    let payload = Payload::from_stored(json);
    let key = "Ünï/'; DROP TABLE cqrs.events; --\u{1F980}";
    let event = NewEvent::from_parts(
        EventId::random(),
        "account.öpened",
        u32::MAX,
        payload,
        metadata.into(),
    )
    .unwrap();
    let append = Append::new(stream(key), ExpectedVersion::NoStream, vec![event.clone()]).unwrap();
    let appended = store.append(&append).await.unwrap();

    let from_stream = store.read_stream(&stream(key), Version::NONE, 10).await.unwrap();
    let found = store.find(event.id()).await.unwrap().unwrap();
    assert_eq!(from_stream, log(&store).await);
    assert_eq!(from_stream, std::slice::from_ref(&found));
    assert_eq!(found.payload.as_str(), json);
    assert_eq!(found.schema_version, u32::MAX);
    assert_eq!(&*found.event_type, "account.öpened");
    assert_eq!(&*found.metadata, event.metadata());
    assert_eq!((found.stream, found.version), (stream(key), appended.version));
    let age = std::time::SystemTime::now().duration_since(found.recorded_at);
    assert!(age.is_ok_and(|age| age.as_secs() < 600));
    // Payloads can be queried.
    let sql = "SELECT payload->'a'->>1 FROM cqrs.events";
    let number: String = sqlx::query_scalar(sql).fetch_one(store.pool()).await.unwrap();
    assert_eq!(number, "18446744073709551615");
}

#[tokio::test]
async fn g13_text_that_is_not_json_is_refused() {
    let (store, _database) = store("not_json").await;
    let metadata = Arc::new(Metadata::of(Uuid::now_v7()));
    let payload = Payload::from_stored("{\"half\":");
    let event = NewEvent::from_parts(EventId::random(), "a", 1, payload, metadata).unwrap();
    let append = Append::new(stream("a"), ExpectedVersion::Any, vec![event]).unwrap();
    let error = failure(store.append(&append).await);
    assert_eq!(error.kind(), StoreErrorKind::InvalidInput);
    assert_eq!(log(&store).await.len(), 0);
}

#[tokio::test]
async fn g1_events_and_rows_of_ones_own_commit_together_or_not_at_all() {
    let (store, _database) = store("own_rows").await;
    execute(&store, "CREATE TABLE transfers (id bigint)").await;
    for commit in [false, true] {
        let mut transaction = store.pool().begin().await.unwrap();
        let insert = sqlx::raw_sql("INSERT INTO transfers VALUES (1)");
        insert.execute(&mut *transaction).await.unwrap();
        let append = append("a", ExpectedVersion::NoStream, 2);
        let appended = store.append_in(&mut transaction, &append).await.unwrap();
        assert_eq!(appended.version, Version::new(2));
        if commit {
            transaction.commit().await.unwrap();
        } else {
            transaction.rollback().await.unwrap();
        }
        let sql = "SELECT count(*) FROM transfers";
        let rows: i64 = sqlx::query_scalar(sql).fetch_one(store.pool()).await.unwrap();
        let expected = if commit { (1, 2) } else { (0, 0) };
        assert_eq!((rows, log(&store).await.len()), expected);
    }
}

#[tokio::test]
async fn g2_a_transaction_goes_on_after_a_conflict_or_a_duplicate() {
    let (store, _database) = store("goes_on").await;
    let mut transaction = store.pool().begin().await.unwrap();
    let stored = append("a", ExpectedVersion::NoStream, 1);
    let first = store.append_in(&mut transaction, &stored).await.unwrap();
    let wrong = append("a", ExpectedVersion::NoStream, 1);
    let conflict = conflict(store.append_in(&mut transaction, &wrong).await);
    assert_eq!(conflict.actual, Version::FIRST);
    let elsewhere = stored.events().to_vec();
    let elsewhere = Append::new(stream("b"), ExpectedVersion::Any, elsewhere).unwrap();
    let duplicate = failure(store.append_in(&mut transaction, &elsewhere).await);
    assert_eq!(duplicate.kind(), StoreErrorKind::DuplicateEvent);
    let again = store.append_in(&mut transaction, &stored).await.unwrap();
    assert_eq!(again, Appended { replayed: true, ..first });
    let next = append("a", ExpectedVersion::Exact(Version::FIRST), 1);
    store.append_in(&mut transaction, &next).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(log(&store).await.len(), 2);
}

#[tokio::test]
async fn appending_works_whatever_the_search_path() {
    let (store, _database) = store("search_path").await;
    let mut transaction = store.pool().begin().await.unwrap();
    let hide = "SET LOCAL search_path = ''";
    sqlx::raw_sql(hide).execute(&mut *transaction).await.unwrap();
    store.append_in(&mut transaction, &append("a", ExpectedVersion::Any, 1)).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(log(&store).await.len(), 1);
}
