//! A view in memory against a loop over the pages of the log.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cqrs::{
    Append, BoxError, EventStore as _, ExpectedVersion, LogFilter, MemoryModel, MemoryStore,
    MemoryView, Position, Projector, StreamId,
};

use super::results::Rate;
use crate::bank::{ACCOUNT_EVENTS, Balance, CATEGORY, Content, Log, decode};
use crate::child::LONG;
use crate::console::Console;
use crate::database::Kind;
use crate::report::median;

pub(super) async fn measure(
    events: usize,
    rounds: usize,
    console: &Console,
) -> Result<Rate, BoxError> {
    let log = Log { events, content: Content::Bank };
    console.says(format!("{}: storing {events} events", Kind::Memory));
    let store = MemoryStore::new();
    for entry in log.entries() {
        let stream = StreamId::new(CATEGORY, &entry.account)?;
        let append = Append::new(stream, ExpectedVersion::Any, vec![entry.to_new_event()?])?;
        store.append(&append).await?;
    }
    let right = log.balances();
    let (mut ours, mut twins) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        console.says(format!("{}: fold into rows, round {round} of {rounds}", Kind::Memory));
        let (rows, time) = view(&store).await?;
        let (twin_rows, twin_time) = by_hand(&store).await?;
        if rows != right || twin_rows != right {
            return Err("the rows in memory are wrong".into());
        }
        ours.push(time.as_secs_f64());
        twins.push(twin_time.as_secs_f64());
    }
    #[expect(clippy::cast_precision_loss, reason = "there are not so many")]
    let per_second =
        |times: &[f64]| median(times.iter().map(|time| events as f64 / time).collect());
    let ratios: Vec<f64> = ours.iter().zip(&twins).map(|(ours, twin)| twin / ours).collect();
    Ok(Rate {
        workload: "fold into rows",
        store: Kind::Memory,
        events,
        ours: "view".to_owned(),
        against: "by hand, batches of 10000".to_owned(),
        against_events: None,
        ours_per_second: per_second(&ours),
        against_per_second: Some(per_second(&twins)),
        ratio: Some(median(ratios.clone())),
        ratios,
        required: None,
    })
}

async fn view(store: &MemoryStore) -> Result<(Vec<Balance>, Duration), BoxError> {
    let model: MemoryView<Balance> = MemoryModel::new(BTreeMap::new());
    let begun = Instant::now();
    let running = Projector::new(store.clone()).start_view::<Balance>(model.clone());
    running.wait_for(store.head().await?.visible, LONG).await?;
    let time = begun.elapsed();
    running.stop().await;
    Ok((model.read(|rows| rows.values().cloned().collect()), time))
}

async fn by_hand(store: &MemoryStore) -> Result<(Vec<Balance>, Duration), BoxError> {
    let begun = Instant::now();
    let filter = ACCOUNT_EVENTS.into_iter().fold(LogFilter::all(), LogFilter::event_type);
    let mut rows: BTreeMap<String, Balance> = BTreeMap::new();
    let mut after = Position::START;
    loop {
        let page = store.read_log(&filter, after, 10_000).await?;
        if page.events.is_empty() {
            return Ok((rows.into_values().collect(), begun.elapsed()));
        }
        after = page.through;
        for event in &page.events {
            let account = event.stream.key();
            let row = rows.entry(account.to_owned()).or_insert_with(|| Balance::none(account));
            row.take(&decode(&event.event_type, event.payload.as_str())?);
        }
    }
}
