//! The lock as text: lines, in blocks, so that a difference reads well.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What is written at the head of the file.
const HEAD: &str = "\
# The stored form of every event type, and of all its earlier versions. Keep this file in version control.
#
# It is written by tests, never by hand: `EVENTS_LOCK=write cargo test` adds what is new, `EVENTS_LOCK=accept cargo test`
# takes everything as it is now, for events that were never stored.
#
#   event NAME vVERSION      the version the program knows; `written`: the one it writes, where that is another;
#                            `alias`: a name it had; `step`: what an upcaster brings further
#   ignored NAME in CATEGORY what an aggregate passes over
#   shape NAME vVERSION      the fields of a version: `name: form as type`. `name?` may be absent; `name~`: nobody knows.
#                            Structs and enums follow. `like` stands before a text that passes, where not every text does.
";

/// Which version of which stored name.
pub(super) type Kind = (String, u32);

/// The lock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lock {
    /// The event types the program knows, by name.
    pub(super) events: BTreeMap<String, Event>,
    /// Names that are passed over, with the category where they are.
    pub(super) ignored: BTreeSet<(String, String)>,
    /// The lines of each shape.
    pub(super) shapes: BTreeMap<Kind, Vec<String>>,
}

/// An event type the program knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) version: u32,
    pub(super) written: u32,
    pub(super) is_retired: bool,
    pub(super) aliases: Vec<String>,
    pub(super) steps: Vec<(Kind, Kind)>,
}

impl Event {
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.is_retired {
            lines.push("retired".to_owned());
        } else if self.written != self.version {
            lines.push(format!("written v{}", self.written));
        }
        lines.extend(self.aliases.iter().map(|alias| format!("alias {}", quoted(alias))));
        let steps = self.steps.iter();
        lines.extend(steps.map(|(from, to)| format!("step {} -> {}", shown(from), shown(to))));
        lines
    }
}

impl Lock {
    pub(super) fn to_text(&self) -> String {
        let mut text = HEAD.to_owned();
        let mut block = |head: String, lines: &[String]| {
            // Writing to a `String` can't fail.
            let _ = writeln!(text, "\n{head}");
            for line in lines {
                let _ = writeln!(text, "  {line}");
            }
        };
        let names = self.ignored.iter().map(|(name, _)| name);
        let mut names: Vec<&String> = names
            .chain(self.events.keys())
            .chain(self.shapes.keys().map(|(name, _)| name))
            .collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            for (ignored, category) in &self.ignored {
                if ignored == name {
                    block(format!("ignored {} in {}", quoted(name), quoted(category)), &[]);
                }
            }
            if let Some(event) = self.events.get(name) {
                block(format!("event {} v{}", quoted(name), event.version), &event.lines());
            }
            for (kind, lines) in self.shapes_of(name) {
                block(format!("shape {}", shown(kind)), lines);
            }
        }
        text
    }

    /// All recorded versions of a name.
    pub(super) fn shapes_of(&self, name: &str) -> impl Iterator<Item = (&Kind, &Vec<String>)> {
        self.shapes.range((name.to_owned(), 0)..=(name.to_owned(), u32::MAX))
    }

    /// Reads the text.
    ///
    /// # Errors
    /// The number of the line that can't be read, and the line.
    pub(super) fn of_text(text: &str) -> Result<Self, (usize, String)> {
        let mut lock = Self::default();
        let mut block = Block::None;
        for (number, line) in (1..).zip(text.lines()) {
            let is_understood = match line.strip_prefix("  ") {
                _ if line.trim().is_empty() || line.starts_with('#') => true,
                Some(inner) => lock.add_line(&block, inner),
                None => match lock.begin(line) {
                    Some(begun) => {
                        block = begun;
                        true
                    }
                    None => false,
                },
            };
            if !is_understood {
                return Err((number, line.to_owned()));
            }
        }
        Ok(lock)
    }

    fn begin(&mut self, line: &str) -> Option<Block> {
        let (what, rest) = line.split_once(' ')?;
        match what {
            "ignored" => {
                let (name, rest) = name(rest)?;
                let (category, rest) = self::name(rest.strip_prefix(" in ")?)?;
                let is_new = self.ignored.insert((name, category));
                (is_new && rest.is_empty()).then_some(Block::None)
            }
            "event" => {
                let (name, version) = kind(rest)?;
                let event = Event { version, written: version, ..Event::default() };
                let is_new = self.events.insert(name.clone(), event).is_none();
                is_new.then_some(Block::Event(name))
            }
            "shape" => {
                let kind = kind(rest)?;
                let is_new = self.shapes.insert(kind.clone(), Vec::new()).is_none();
                is_new.then_some(Block::Shape(kind))
            }
            _ => None,
        }
    }

    fn add_line(&mut self, block: &Block, line: &str) -> bool {
        match block {
            Block::None => false,
            Block::Shape(kind) => match self.shapes.get_mut(kind) {
                Some(lines) => {
                    lines.push(line.to_owned());
                    true
                }
                None => false,
            },
            Block::Event(name) => match self.events.get_mut(name) {
                Some(event) => event.add_line(line).is_some(),
                None => false,
            },
        }
    }
}

impl Event {
    fn add_line(&mut self, line: &str) -> Option<()> {
        let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
        match what {
            "retired" if rest.is_empty() => self.is_retired = true,
            "written" => self.written = rest.strip_prefix('v')?.parse().ok()?,
            "alias" => {
                let (alias, rest) = name(rest)?;
                rest.is_empty().then(|| self.aliases.push(alias))?;
            }
            "step" => {
                let (from, rest) = leading_kind(rest)?;
                let to = kind(rest.strip_prefix(" -> ")?)?;
                self.steps.push((from, to));
            }
            _ => return None,
        }
        Some(())
    }
}

enum Block {
    None,
    Event(String),
    Shape(Kind),
}

/// A stored name and a version, as they are written in the file.
pub(super) fn shown((name, version): &Kind) -> String {
    format!("{} v{version}", quoted(name))
}

/// A name as it is written in the file: as it is, unless it would not be clear where it ends.
fn quoted(name: &str) -> String {
    let is_plain = |character: char| !character.is_whitespace() && !character.is_control();
    if !name.is_empty() && !name.contains('"') && name.chars().all(is_plain) {
        return name.to_owned();
    }
    serde_json::Value::from(name).to_string()
}

/// The name a text begins with, and the rest.
fn name(text: &str) -> Option<(String, &str)> {
    if text.starts_with('"') {
        let mut names = serde_json::Deserializer::from_str(text).into_iter::<String>();
        let name = names.next()?.ok()?;
        return Some((name, &text[names.byte_offset()..]));
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (end > 0).then(|| (text[..end].to_owned(), &text[end..]))
}

fn leading_kind(text: &str) -> Option<(Kind, &str)> {
    let (name, rest) = name(text)?;
    let rest = rest.strip_prefix(" v")?;
    let end = rest.find(' ').unwrap_or(rest.len());
    Some(((name, rest[..end].parse().ok()?), &rest[end..]))
}

fn kind(text: &str) -> Option<Kind> {
    leading_kind(text).filter(|(_, rest)| rest.is_empty()).map(|(kind, _)| kind)
}
