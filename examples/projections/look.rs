//! What projections are doing, as text.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use cqrs::{Head, OpenAppend, ProjectionStatus, Projections, SlotStatus, StoreError};

/// All there is to see at a moment.
pub struct Look {
    head: Head,
    projections: Vec<ProjectionStatus>,
    at: Instant,
}

impl Look {
    pub async fn at(projections: &Projections) -> Result<Self, StoreError> {
        let head = projections.head().await?;
        Ok(Self { head, projections: projections.status().await?, at: Instant::now() })
    }

    /// As text; with an earlier look, rates as well.
    pub fn show(&self, earlier: Option<&Self>) -> String {
        let mut lines = show_head(&self.head);
        lines.push(String::new());
        if self.projections.is_empty() {
            lines.push("There are no projections.".to_owned());
            return lines.join("\n");
        }
        let earlier = earlier.map(|earlier| (earlier.events(), self.at - earlier.at));
        let mut rows = vec![COLUMNS.map(|(title, _)| title.to_owned())];
        let mut remarks = Vec::new();
        for projection in &self.projections {
            for slot in &projection.slots {
                let key = (projection.name.as_str(), projection.version, slot.slot);
                let rate = earlier.as_ref().map(|(events, time)| {
                    let before = events.get(&key).copied().unwrap_or(slot.events);
                    rate(slot.events.saturating_sub(before), *time)
                });
                rows.push(show_slot(projection, slot, rate));
            }
            let title = title((&projection.name, projection.version));
            remarks.extend(self::remarks(projection).iter().map(|text| format!("{title} {text}")));
        }
        lines.extend(show_table(&rows));
        if !remarks.is_empty() {
            lines.push(String::new());
            lines.extend(remarks);
        }
        lines.join("\n")
    }

    /// How many events each slot has taken.
    fn events(&self) -> HashMap<(&str, u32, u32), u64> {
        let slots = self.projections.iter().flat_map(|projection| {
            let key = |slot: &SlotStatus| (&*projection.name, projection.version, slot.slot);
            projection.slots.iter().map(move |slot| (key(slot), slot.events))
        });
        slots.collect()
    }
}

/// The columns of the table, and on which side of them their content stands.
const COLUMNS: [(&str, Side); 9] = [
    ("PROJECTION", Side::Left),
    ("STATE", Side::Left),
    ("SLOT", Side::Right),
    ("POSITION", Side::Right),
    ("BEHIND", Side::Right),
    ("FOR", Side::Right),
    ("EVENTS/S", Side::Right),
    ("PARKED", Side::Right),
    ("OWNER", Side::Left),
];

enum Side {
    Left,
    Right,
}

fn show_slot(
    projection: &ProjectionStatus,
    slot: &SlotStatus,
    rate: Option<String>,
) -> [String; COLUMNS.len()] {
    // What is true of all slots stands at the first.
    let once = |text: String| if slot.slot == 0 { text } else { String::new() };
    let or_dash = |number: u64| if number == 0 { "-".to_owned() } else { number.to_string() };
    let is_behind = slot.lag.positions > 0;
    [
        once(title((&projection.name, projection.version))),
        once(if projection.in_service { "in service" } else { "beside" }.to_owned()),
        slot.slot.to_string(),
        slot.position.to_string(),
        or_dash(slot.lag.positions),
        if is_behind { duration(slot.lag.time) } else { "-".to_owned() },
        rate.unwrap_or_else(|| "-".to_owned()),
        once(or_dash(projection.parked)),
        owner(projection, slot),
    ]
}

fn owner(projection: &ProjectionStatus, slot: &SlotStatus) -> String {
    let Some(owner) = slot.owner else {
        return format!("nobody for {}", duration(slot.heard));
    };
    let label = projection.members.iter().find(|(member, _)| *member == owner);
    label.map_or_else(|| owner.to_string(), |(_, label)| label.clone())
}

/// What does not fit in the table: errors, workers without a slot, and what is under way.
fn remarks(projection: &ProjectionStatus) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(slots) = projection.rescaling {
        remarks.push(format!("is being divided into {slots} slots."));
    }
    for slot in &projection.slots {
        if let Some(error) = &slot.error {
            remarks.push(format!("can't go on in slot {}: {error}", slot.slot));
        }
    }
    for (member, label) in &projection.members {
        if !projection.slots.iter().any(|slot| slot.owner == Some(*member)) {
            remarks.push(format!("has another worker that stands by: {label}"));
        }
    }
    remarks
}

fn show_head(head: &Head) -> Vec<String> {
    let is_held_up = head.visible < head.last;
    let readable = is_held_up.then(|| format!(" and can be read up to {}", head.visible));
    let readable = readable.unwrap_or_default();
    let mut lines = vec![format!("The log ends at position {}{readable}.", head.last)];
    for OpenAppend { after, session, open_for } in &head.open_appends {
        let time = open_for.map(|time| format!(", for {}", duration(time))).unwrap_or_default();
        lines.push(format!("  open append after {after}{time}: {session}"));
    }
    lines
}

fn show_table(rows: &[[String; COLUMNS.len()]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; COLUMNS.len()] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let line = |row: &[String; COLUMNS.len()]| {
        let cells =
            row.iter().zip(widths).zip(COLUMNS).map(|((cell, width), (_, side))| match side {
                Side::Left => format!("{cell:<width$}"),
                Side::Right => format!("{cell:>width$}"),
            });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// A version of a projection.
pub fn title((name, version): (&str, u32)) -> String {
    format!("{name} v{version}")
}

/// A time for people to read.
pub fn duration(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        seconds @ 10..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn rate(events: u64, time: Duration) -> String {
    format!("{:.0}", events as f64 / time.as_secs_f64().max(f64::EPSILON))
}
