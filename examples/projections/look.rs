//! What projections are doing, as text.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use cqrs::{Head, ProjectionStatus, Projections, SlotStatus, StoreError};

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
        let mut text = show_head(&self.head);
        if self.projections.is_empty() {
            text.push_str("\nThere are no projections.\n");
            return text;
        }
        let earlier = earlier.map(|earlier| (earlier.events(), self.at - earlier.at));
        let mut rows = vec![COLUMNS.map(|(title, _)| title.to_owned())];
        let mut remarks = String::new();
        for projection in &self.projections {
            for slot in &projection.slots {
                let key = (projection.name.as_str(), projection.version, slot.slot);
                let rate = earlier.as_ref().map(|(events, time)| {
                    let before = events.get(&key).copied().unwrap_or(slot.events);
                    rate(slot.events.saturating_sub(before), *time)
                });
                rows.push(show_slot(projection, slot, rate));
            }
            for note in notes(projection) {
                let title = title((&projection.name, projection.version));
                remarks.push_str(&format!("\n{title}: {note}"));
            }
        }
        text.push('\n');
        text.push_str(&show_table(&rows));
        if !remarks.is_empty() {
            text.push_str(&remarks);
            text.push('\n');
        }
        text
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
fn notes(projection: &ProjectionStatus) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(slots) = projection.rescaling {
        notes.push(format!("is being divided into {slots} slots"));
    }
    for slot in &projection.slots {
        if let Some(error) = &slot.error {
            notes.push(format!("slot {} can't go on: {error}", slot.slot));
        }
    }
    for (member, label) in &projection.members {
        if !projection.slots.iter().any(|slot| slot.owner == Some(*member)) {
            notes.push(format!("{label} stands by"));
        }
    }
    notes
}

fn show_head(head: &Head) -> String {
    let mut text = format!("The log ends at position {}", head.last);
    if head.visible < head.last {
        text.push_str(&format!(" and can be read up to {}", head.visible));
    }
    text.push_str(".\n");
    for append in &head.open_appends {
        let time = append.open_for.map(|time| format!(", for {}", duration(time)));
        let time = time.unwrap_or_default();
        text.push_str(&format!("  open append after {}{time}: {}\n", append.after, append.session));
    }
    text
}

fn show_table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = width(column).unwrap_or_default();
            line.push_str(&match COLUMNS[column].1 {
                Side::Left => format!("{cell:<width$}  "),
                Side::Right => format!("{cell:>width$}  "),
            });
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
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
