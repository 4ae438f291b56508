//! Expected versions (G2), without races: what is met, and what a conflict says.

use std::sync::Arc;

use cqrs_core::ExpectedVersion::{self, Any, Exact, Exists, NoStream};
use cqrs_core::{Conflict, Version};

use super::Fixture;
use super::support::{account, add, append, append_of, conflict, events, holds, same};

pub(super) async fn g2_an_append_meets_its_expectation_or_conflicts(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let at = |version| Exact(Version::new(version));
    let table: [(usize, &[ExpectedVersion], &[ExpectedVersion]); 3] = [
        (0, &[Any, NoStream, at(0)], &[Exists, at(1), at(2), at(7)]),
        (1, &[Any, Exists, at(1)], &[NoStream, at(0), at(2), at(7)]),
        (5, &[Any, Exists, at(5)], &[NoStream, at(0), at(1), at(4), at(6), at(7)]),
    ];
    let mut streams = 0;
    for (version, met, unmet) in table {
        for &expected in met {
            let stream = account(streams);
            streams += 1;
            let mut all = events("before", version);
            if version > 0 {
                add(&*store, &stream, all.clone()).await;
            }
            let batch = events("appended", 2);
            all.extend(batch.clone());
            let outcome = append(&*store, &append_of(&stream, expected, batch)).await;
            same(
                format!(
                    "the version after an append to a stream at {version}, expecting {expected}"
                ),
                outcome.version,
                Version::new(version as u64 + 2),
            );
            holds(&*store, &stream, &all).await;
        }
        for &expected in unmet {
            let stream = account(streams);
            streams += 1;
            let before = events("before", version);
            if version > 0 {
                add(&*store, &stream, before.clone()).await;
            }
            let attempt = append_of(&stream, expected, events("refused", 2));
            same(
                "what the conflict says",
                conflict(&attempt, store.append(&attempt).await),
                Conflict { stream: stream.clone(), expected, actual: Version::new(version as u64) },
            );
            holds(&*store, &stream, &before).await;
        }
    }
}

pub(super) async fn g2_versions_no_database_counts_to_are_conflicts(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let (missing, stream) = (account("missing"), account("stream"));
    let before = events("before", 3);
    add(&*store, &stream, before.clone()).await;
    // Databases count in signed numbers; a version that wraps around must not meet anything.
    let largest = i64::MAX.unsigned_abs();
    let wrapped = [3, 4].map(|version| version + (1 << 32));
    let beyond = [u64::MAX, u64::MAX - 1, largest, largest - 1, largest + 1, largest + 4];
    for version in beyond.into_iter().chain(wrapped) {
        for (stream, actual) in [(&missing, 0), (&stream, 3)] {
            let expected = Exact(Version::new(version));
            let attempt = append_of(stream, expected, events("refused", 1));
            same(
                "what the conflict says",
                conflict(&attempt, store.append(&attempt).await),
                Conflict { stream: stream.clone(), expected, actual: Version::new(actual) },
            );
        }
    }
    holds(&*store, &missing, &[]).await;
    holds(&*store, &stream, &before).await;
}
