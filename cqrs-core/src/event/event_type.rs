//! Event types: what is known of them without a value, and lists of them, checked while the program is compiled.

use std::fmt;

/// A kind of event: the name it is stored under, the version of its schema, and what was stored before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct EventType {
    /// The stored name, such as `account.opened`. It never changes once events are stored under it, unless the one
    /// before is kept among the [aliases](Self::aliases).
    pub name: &'static str,
    /// The version of the schema this program works with, from 1.
    pub schema_version: u32,
    /// The version it writes: the same, but for the time in which older programs run beside this one.
    pub write_version: u32,
    /// Names under which the same was stored before, with the same versions.
    pub aliases: &'static [&'static str],
    /// What brings stored events of other versions, or of other event types, to this version.
    pub steps: &'static [UpcastStep],
    /// Whether it is only read, and never written again.
    pub is_retired: bool,
}

/// A step of an upcaster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UpcastStep {
    /// Stored name and schema version before the step.
    pub from: (&'static str, u32),
    /// The same after it.
    pub to: (&'static str, u32),
    /// The function or type that carries it out.
    pub by: &'static str,
}

impl EventType {
    /// The event type with this stored name and schema version, which never had another.
    pub const fn new(name: &'static str, schema_version: u32) -> Self {
        Self {
            name,
            schema_version,
            write_version: schema_version,
            aliases: &[],
            steps: &[],
            is_retired: false,
        }
    }

    /// With names under which the same was stored before.
    #[must_use]
    pub const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// With the steps of its upcasters.
    #[must_use]
    pub const fn steps(self, steps: &'static [UpcastStep]) -> Self {
        Self { steps, ..self }
    }

    /// Written at an earlier version.
    #[must_use]
    pub const fn written_at(self, write_version: u32) -> Self {
        Self { write_version, ..self }
    }

    /// Only read, and never written again.
    #[must_use]
    pub const fn retired(self) -> Self {
        Self { is_retired: true, ..self }
    }

    /// The names under which it is or was stored, or what becomes it: its own first. A name may come more than once.
    pub fn stored_names(&self) -> impl Iterator<Item = &'static str> + use<> {
        let sources = self.steps.iter().map(|step| step.from.0);
        std::iter::once(self.name).chain(self.aliases.iter().copied()).chain(sources)
    }

    /// Whether events stored under this name become events of this type.
    pub fn is_read_from(&self, name: &str) -> bool {
        self.name == name || self.stored_names().any(|stored| stored == name)
    }

    /// Whether events stored under this name are of this type, and of no other: the name is its own, or was.
    pub(super) fn is_own(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} v{}", self.name, self.schema_version)
    }
}

impl fmt::Display for UpcastStep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((from, from_version), (to, to_version)) = (self.from, self.to);
        if from == to {
            write!(formatter, "v{from_version} → v{to_version}: {}", self.by)
        } else {
            write!(formatter, "{from} v{from_version} → {to} v{to_version}: {}", self.by)
        }
    }
}

/// The lists one after the other.
#[doc(hidden)]
pub const fn concatenate<const N: usize>(lists: &[&[EventType]]) -> [EventType; N] {
    let mut all = [EventType::new("", 1); N];
    let mut next = 0;
    let mut list = 0;
    while list < lists.len() {
        let mut index = 0;
        while index < lists[list].len() {
            assert!(
                next < N,
                "a type with type parameters lists too many event types: remove the parameters",
            );
            all[next] = lists[list][index];
            next += 1;
            index += 1;
        }
        list += 1;
    }
    all
}

/// Whether no name is one of both lists: what is stored under it would be two things. Several event types may be made
/// of events that are none of theirs (a stored event that was split), but not of one that still is an event type.
#[doc(hidden)]
pub const fn are_apart(a: &[EventType], b: &[EventType]) -> bool {
    let mut i = 0;
    while i < a.len() {
        let mut j = 0;
        while j < b.len() {
            if is_claimed(&a[i], &b[j]) || is_claimed(&b[j], &a[i]) {
                return false;
            }
            j += 1;
        }
        i += 1;
    }
    true
}

/// Whether events stored under this name become events of one of these types.
#[doc(hidden)]
pub const fn is_read(types: &[EventType], name: &str) -> bool {
    let mut index = 0;
    while index < types.len() {
        if reads(&types[index], name) {
            return true;
        }
        index += 1;
    }
    false
}

/// Whether one of the names of `owner` is one `other` is read from.
const fn is_claimed(owner: &EventType, other: &EventType) -> bool {
    let mut index = 0;
    loop {
        let name = if index == 0 { owner.name } else { owner.aliases[index - 1] };
        if reads(other, name) {
            return true;
        }
        if index == owner.aliases.len() {
            return false;
        }
        index += 1;
    }
}

const fn reads(event_type: &EventType, name: &str) -> bool {
    let mut index = 0;
    while index < event_type.aliases.len() {
        if is_same(event_type.aliases[index], name) {
            return true;
        }
        index += 1;
    }
    index = 0;
    while index < event_type.steps.len() {
        if is_same(event_type.steps[index].from.0, name) {
            return true;
        }
        index += 1;
    }
    is_same(event_type.name, name)
}

const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    // From the end, where names with the same prefix differ.
    let mut left = one.len();
    while left > 0 && one[left - 1] == other[left - 1] {
        left -= 1;
    }
    left == 0
}
