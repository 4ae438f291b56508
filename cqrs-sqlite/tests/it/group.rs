//! Appends of many callers, in commits that they share.

use std::path::Path;

use cqrs_core::{Append, EventStore as _, ExpectedVersion};
use futures_util::future::join_all;

use crate::support::{append, events, log, open_patiently, place};

/// How many commits are in the log that SQLite keeps beside the file: the last page of each tells how large the
/// database is from then on.
fn commits(path: &Path) -> usize {
    let wal = std::fs::read(path.with_extension("db-wal")).unwrap();
    let (header, frames) = wal.split_at(32);
    let page = u32::from_be_bytes(header[8..12].try_into().unwrap()) as usize;
    let is_commit = |frame: &&[u8]| frame[8..16] == header[16..24] && frame[4..8] != [0; 4];
    frames.chunks_exact(24 + page).filter(is_commit).count()
}

#[tokio::test]
async fn callers_share_commits() {
    let place = place();
    let store = open_patiently(&place.path).await;
    let appends: Vec<Append> = (0..60)
        .map(|index| append(&format!("a{index}"), ExpectedVersion::NoStream, &events(1)))
        .collect();
    let before = commits(&place.path);
    for appended in join_all(appends.iter().map(|append| store.append(append))).await {
        assert!(!appended.unwrap().replayed);
    }
    let commits = commits(&place.path) - before;
    assert!(commits < 30, "{commits} commits for 60 appends");
    assert_eq!(log(&store).await.len(), 60);
}
