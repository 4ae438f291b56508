//! The steps from one version of an event to the next. None of them is ever changed again: each is as old as the version
//! it leads to.

use std::time::SystemTime;

use cqrs::{Draft, RecordedEvent, UpcastError};

/// `member.joined` v1 → v2.
pub fn names_apart(draft: &mut Draft) -> Result<(), UpcastError> {
    let name: String = draft.get("name")?;
    let (given, family) = name.rsplit_once(' ').unwrap_or(("", &name));
    draft.set("given", given)?;
    draft.set("family", family)?;
    draft.remove("name")
}

/// `member.paid` v1 → v2.
pub fn cents_from_euros(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.rename("euros", "cents")?;
    draft.map("cents", |euros: u64| euros * 100)?;
    draft.default("currency", "EUR")
}

/// `member.moved` v1 → `member.address_changed` v2.
pub fn address_nested(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.nest(&["street", "city"], "address")
}

/// The one half of `member.joined_and_paid`: `member.joined` v1.
pub fn joined_of_both(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.remove("euros")
}

/// The other half: `member.paid` v1, if it was more than nothing.
pub fn paid_of_both(mut draft: Draft) -> Result<Vec<Draft>, UpcastError> {
    draft.remove("name")?;
    draft.remove("plan")?;
    let euros: u64 = draft.get("euros")?;
    Ok(if euros > 0 { vec![draft] } else { Vec::new() })
}

/// `member.upgraded` → `member.plan_changed`.
pub fn to_premium(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.set("plan", "premium")
}

/// `member.downgraded` → `member.plan_changed`.
pub fn to_basic(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.set("plan", "basic")
}

/// `member.left` v1 → v2: the day, in days since 1970, is that on which it was stored.
pub fn with_day(draft: &mut Draft, event: &RecordedEvent) -> Result<(), UpcastError> {
    let since = event.recorded_at.duration_since(SystemTime::UNIX_EPOCH);
    let seconds = since.map_err(UpcastError::other)?.as_secs();
    draft.set("day", &(seconds / (24 * 60 * 60)))?;
    draft.default("reason", &None::<String>)
}
