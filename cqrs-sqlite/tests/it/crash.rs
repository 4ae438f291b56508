//! Processes that end in the middle of things.

use std::collections::BTreeSet;

use cqrs_core::EventId;
use cqrs_sqlite::SqliteStore;

use crate::child::{Said, Task, Worker};
use crate::support::{assert_all_or_nothing, assert_sound, ids, log, place};

#[tokio::test]
async fn g3_what_was_acknowledged_survives_a_kill() {
    let place = place();
    let mut acknowledged = BTreeSet::<EventId>::new();
    for round in 0..6 {
        let mut worker = Worker::start(Task::AppendUntilKilled, &place.path);
        worker.go();
        // Long enough in some rounds that the log is copied into the file while appends go on.
        for _ in 0..20 + round * 150 {
            match worker.next() {
                Some(Said::Stored(ids)) => acknowledged.extend(ids),
                other => panic!("{other:?}"),
            }
        }
        worker.kill();
        acknowledged.extend(worker.all_stored());
        assert_sound(&place.path).await;
        let store = SqliteStore::open(&place.path).await.unwrap();
        let log = log(&store).await;
        assert_all_or_nothing(&log);
        let stored = BTreeSet::from_iter(ids(&log));
        assert_eq!(stored.len(), log.len());
        assert!(acknowledged.is_subset(&stored));
        store.close().await;
    }
}

/// A limit on the size of files stands in for a disk that has no room.
#[cfg(unix)]
#[tokio::test]
async fn g3_a_write_that_fails_loses_nothing_and_says_so() {
    let place = place();
    let mut limited = std::process::Command::new("sh");
    limited
        .arg("-c")
        .arg(r#"trap "" XFSZ; ulimit -f 1024; exec "$0" "$@""#)
        .arg(std::env::current_exe().unwrap());
    let mut worker = Worker::start_as(limited, Task::AppendUntilFailure, &place.path);
    worker.go();
    let mut acknowledged = BTreeSet::<EventId>::new();
    let failure = loop {
        match worker.next().unwrap() {
            Said::Stored(ids) => acknowledged.extend(ids),
            Said::Failed(kind) => break kind,
            other @ Said::Taken(_) => panic!("{other:?}"),
        }
    };
    assert_eq!(failure, "Some(OutcomeUnknown)");
    assert!(worker.next().is_none());
    worker.assert_succeeded();
    assert_sound(&place.path).await;
    let store = SqliteStore::open(&place.path).await.unwrap();
    let log = log(&store).await;
    assert_all_or_nothing(&log);
    assert!(acknowledged.is_subset(&BTreeSet::from_iter(ids(&log))));
}
