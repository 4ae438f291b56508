//! From an append to the rows that show it, while nothing else happens.

use std::time::{Duration, Instant};

use cqrs::{
    Append, BoxError, EventId, EventStore, ExpectedVersion, Metadata, NewEvent, Position,
    Projections, Projector, StreamId,
};

use super::results::Latency;
use crate::bank::{AccountEvent, Balance, CATEGORY, Content, Log};
use crate::child::{self, LONG, Task};
use crate::console::Console;
use crate::database::Database;
use crate::report::Quantiles;

/// Between two appends: what was read is no longer news.
const PAUSE: Duration = Duration::from_millis(4);

pub(super) async fn measure<D: Database>(
    samples: usize,
    console: &Console,
) -> Result<Vec<Latency>, BoxError> {
    console.says(format!("{}: from an append to the rows", D::KIND));
    let database = D::create(Log { events: 1_000, content: Content::Bank }).await?;
    let store = database.store();

    let running = Projector::new(store.clone()).start_view::<Balance>(database.model());
    running.wait_for(store.head().await?.visible, LONG).await?;
    let here = async |_: &str, end: Position| Ok(running.wait_for(end, LONG).await?);
    let here = times(&database, "here", samples, here).await?;
    running.stop().await;

    console.says(format!("{}: from an append to the rows of another process", D::KIND));
    let (mut follower, _) = child::start(&database, Task::Follow).await?;
    let progress = Projections::new(store, database.model()).progress("balances");
    let asked = async |_: &str, end: Position| Ok(progress.wait_for(end, LONG).await?);
    let asked = times(&database, "asked", samples, asked).await?;
    let looked = async |account: &str, _: Position| {
        while !database.shows(account).await? {
            // A timer of the runtime takes a millisecond at least; nothing else is to be done on this thread.
            std::thread::sleep(Duration::from_micros(100));
        }
        Ok(())
    };
    let looked = times(&database, "looked", samples, looked).await?;
    drop(follower.stdin.take());
    follower.wait().await?;

    Ok(vec![
        here.latency::<D>("`Running::wait_for`, one process", 5.0),
        asked.latency::<D>("`Progress::wait_for`, another process", 20.0),
        looked.latency::<D>("SELECT, another process", 20.0),
    ])
}

/// How long each append took, and its being seen.
struct Times {
    appended: Vec<Duration>,
    shown: Vec<Duration>,
}

/// Appends, and waits until it is seen.
async fn times<D: Database>(
    database: &D,
    name: &str,
    samples: usize,
    seen: impl AsyncFn(&str, Position) -> Result<(), BoxError>,
) -> Result<Times, BoxError> {
    let store = database.store();
    let mut times = Times { appended: Vec::new(), shown: Vec::new() };
    for number in 0..samples {
        tokio::time::sleep(PAUSE).await;
        let account = format!("{name} {number}");
        let append = opening(&account)?;
        let begun = Instant::now();
        let appended = store.append(&append).await?;
        times.appended.push(begun.elapsed());
        let begun = Instant::now();
        seen(&account, appended.position).await?;
        times.shown.push(begun.elapsed());
        if !database.shows(&account).await? {
            return Err(format!("account `{account}` is not shown").into());
        }
    }
    Ok(times)
}

fn opening(account: &str) -> Result<Append, BoxError> {
    let id = EventId::random();
    let event = AccountEvent::Opened { owner: "somebody".to_owned() };
    let event = NewEvent::of(&event, id, Metadata::of(id.as_uuid()).into())?;
    let stream = StreamId::new(CATEGORY, account)?;
    Ok(Append::new(stream, ExpectedVersion::NoStream, vec![event])?)
}

impl Times {
    fn latency<D: Database>(self, seen_by: &'static str, required_ms: f64) -> Latency {
        let Self { appended, shown } = self;
        let total = appended.iter().zip(&shown).map(|(append, shown)| *append + *shown).collect();
        Latency {
            store: D::KIND,
            seen_by,
            samples: appended.len(),
            append: Quantiles::of(appended),
            shown: Quantiles::of(shown),
            total: Quantiles::of(total),
            required_ms,
        }
    }
}
