//! Stored names that would mean two things.

use super::catalogue::{Catalogue, EventSchema};
use crate::event::EventType;

/// Why these two event types can't be in one program; `None` if they can. Each comes with where it is declared.
///
/// A name may be read by several types, where a stored event was split; but not if it still is, or was, the own name of
/// one of them: what is stored under that name would be two things.
pub(crate) fn clash(
    (one, one_in): (&EventType, &str),
    (other, other_in): (&EventType, &str),
) -> Option<String> {
    if one == other {
        return None;
    }
    if one.name == other.name {
        let what = match (one.schema_version, other.schema_version) {
            (a, b) if a != b => format!("at v{a} in `{one_in}`, at v{b} in `{other_in}`"),
            _ => format!("in `{one_in}` and in `{other_in}`, with other aliases or steps"),
        };
        return Some(format!(
            "`{}` is declared twice: {what}; declare it once, or give one of the two another name",
            one.name
        ));
    }
    own_names(one)
        .find(|name| other.is_read_from(name))
        .map(|name| claimed(name, (one, one_in), (other, other_in)))
        .or_else(|| {
            own_names(other)
                .find(|name| one.is_read_from(name))
                .map(|name| claimed(name, (other, other_in), (one, one_in)))
        })
}

fn claimed(name: &str, owner: (&EventType, &str), reader: (&EventType, &str)) -> String {
    let as_what = |(event_type, place): (&EventType, &str)| {
        let role = if event_type.name == name {
            "the name"
        } else if event_type.aliases.contains(&name) {
            "an alias"
        } else {
            "a source"
        };
        format!("{role} of `{}` in `{place}`", event_type.name)
    };
    format!(
        "`{name}` is {} and {}; events stored under it can be only one of them",
        as_what(owner),
        as_what(reader)
    )
}

/// Its name, and those it had.
fn own_names(event_type: &EventType) -> impl Iterator<Item = &'static str> + use<> {
    std::iter::once(event_type.name).chain(event_type.aliases.iter().copied())
}

/// All clashes of the catalogue, in a stable order.
pub(super) fn clashes(catalogue: &Catalogue) -> Vec<String> {
    let mut found = Vec::new();
    for (index, event) in catalogue.events.iter().enumerate() {
        for other in &catalogue.events[index + 1..] {
            found.extend(clash(
                (&event.event_type, event.rust_type),
                (&other.event_type, other.rust_type),
            ));
        }
    }
    for (one, other) in &catalogue.differing {
        found.push(format!(
            "`{}` is declared twice, with different content: in `{}` and in `{}`; declare it once, or give one of the two \
             another name",
            one.event_type.name, one.rust_type, other.rust_type
        ));
    }
    found.extend(ignored_by_its_own(catalogue));
    found.sort();
    found.dedup();
    found
}

/// Names that an aggregate passes over and has itself.
fn ignored_by_its_own(catalogue: &Catalogue) -> impl Iterator<Item = String> {
    catalogue.ignored().filter_map(|(category, name)| {
        let is_own = |event: &&EventSchema| {
            event.categories.contains(&category) && event.event_type.is_read_from(name)
        };
        let event = catalogue.events.iter().find(is_own)?;
        Some(format!(
            "`{name}` is ignored in `{category}` streams, but `{}` of that aggregate is read from it; remove one of the two",
            event.event_type.name
        ))
    })
}
