//! A purse, whose events have changed a lot over the years.

use cqrs::prelude::*;
use cqrs::{BoxError, Draft, Received, RecordedEvent, Upcast, UpcastError};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(prefix = "purse")]
pub(super) enum PurseEvent {
    #[event(
        alias = "purse.created",
        alias = "wallet.made",
        from("purse.opened_and_filled", upcast(1 => opening)),
    )]
    Opened { owner: String },
    #[event(
        version = 3,
        upcast(1 => cents_from_units, 2 => type FilledV2),
        from("purse.opened_and_filled", upcast(1 => filling), into = 1),
        from("purse.filled_often", upcast(1 => each_filling), into = 2),
    )]
    Filled { cents: i64, currency: String },
    #[event(
        from("purse.spent", upcast(1 => taken, 2 => same)),
        from("purse.robbed", upcast(1 => taken)),
    )]
    Emptied { cents: i64 },
    #[event(version = 2, upcast(1 => in_stream))]
    Noted { text: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "purse.lost", retired)]
pub(super) struct Lost {
    pub(super) place: String,
}

#[derive(Deserialize, Upcast)]
#[upcast(into = PurseEvent)]
pub(super) struct FilledV2 {
    cents: i64,
}

impl From<FilledV2> for PurseEvent {
    fn from(FilledV2 { cents }: FilledV2) -> Self {
        Self::Filled { cents, currency: "EUR".into() }
    }
}

fn cents_from_units(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.rename("units", "cents")?;
    draft.map("cents", |units: i64| units * 100)
}

fn opening(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.remove("units")
}

/// Nothing, where nothing was filled in.
fn filling(mut draft: Draft) -> Result<Vec<Draft>, UpcastError> {
    draft.remove("owner")?;
    Ok(if draft.get::<i64>("units")? == 0 { Vec::new() } else { vec![draft] })
}

fn each_filling(mut draft: Draft, _: &RecordedEvent) -> Result<Vec<Draft>, UpcastError> {
    let all: Vec<i64> = draft.get("cents")?;
    all.iter().map(|cents| Draft::of(&serde_json::json!({ "cents": cents }))).collect()
}

fn taken(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.rename("taken", "cents")
}

#[allow(clippy::unnecessary_wraps, reason = "the form of a step")]
fn same(_: &mut Draft) -> Result<(), UpcastError> {
    Ok(())
}

fn in_stream(draft: &mut Draft, event: &RecordedEvent) -> Result<(), UpcastError> {
    let stream = event.stream.clone();
    draft.map("text", |text: String| format!("{text} in {stream} at {}", event.version))
}

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(
    category = "purse",
    events(PurseEvent, Lost),
    ignore("purse.admired"),
    snapshot(every = 3)
)]
pub(super) struct Purse {
    pub(super) happened: Vec<String>,
    pub(super) cents: i64,
}

impl Apply<PurseEvent> for Purse {
    fn apply(&mut self, event: PurseEvent) {
        self.happened.push(format!("{event:?}"));
        self.cents += match event {
            PurseEvent::Filled { cents, .. } => cents,
            PurseEvent::Emptied { cents } => -cents,
            PurseEvent::Opened { .. } | PurseEvent::Noted { .. } => 0,
        };
    }
}

impl Apply<Lost> for Purse {
    fn apply(&mut self, event: Lost) {
        self.happened.push(format!("{event:?}"));
    }
}

#[derive(Debug, Clone, Command)]
#[command(aggregate = Purse, id = purse)]
pub(super) struct Fill {
    pub(super) purse: String,
    pub(super) cents: i64,
}

impl Handle<Fill> for Purse {
    fn handle(&self, Fill { cents, .. }: Fill) -> Decision<Self> {
        emit(PurseEvent::Filled { cents, currency: "EUR".into() })
    }
}

/// What is in a purse: a view that wants some of the events.
#[derive(Debug, Clone, PartialEq, View)]
#[view(name = "purses", key(purse), events(PurseEvent))]
pub(super) struct PurseRow {
    pub(super) purse: String,
    pub(super) events: i64,
    pub(super) cents: i64,
}

impl Fold<PurseEvent> for PurseRow {
    fn rows(_: &PurseEvent, received: &Received<'_>) -> impl IntoIterator<Item = String> {
        [received.stream.key().to_owned()]
    }

    fn fold(
        row: &mut Option<Self>,
        purse: &String,
        event: &PurseEvent,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        let none = Self { purse: purse.clone(), events: 0, cents: 0 };
        let row = row.get_or_insert(none);
        row.events += 1;
        row.cents += match *event {
            PurseEvent::Filled { cents, .. } => cents,
            PurseEvent::Emptied { cents } => -cents,
            PurseEvent::Opened { .. } | PurseEvent::Noted { .. } => 0,
        };
        Ok(())
    }
}
