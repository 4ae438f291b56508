//! The text of the crates.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

/// How many types there are.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Sizes {
    pub aggregates: usize,
    /// In one enum for each aggregate.
    pub events: usize,
    pub commands: usize,
}

/// Which crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ours,
    Serde,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Serde => "serde-alone",
        }
    }

    pub fn manifest(self, framework: &Path) -> String {
        let mut text = format!(
            "[package]\nname = \"{}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n\
             serde = {{ version = \"1\", features = [\"derive\"] }}\n",
            self.name()
        );
        if self == Self::Ours {
            let framework = framework.display();
            let _ = writeln!(
                text,
                "cqrs = {{ path = \"{framework}\", default-features = false, features = [\"derive\"] }}"
            );
        }
        text
    }
}

/// The files of a crate: a module for each aggregate, with its events and commands.
pub fn files(kind: Kind, sizes: Sizes) -> Vec<(String, String)> {
    let modules = 0..sizes.aggregates;
    let root = modules
        .clone()
        .fold(String::new(), |root, number| format!("{root}pub mod aggregate_{number};\n"));
    let share = |all: usize, number: usize| {
        all / sizes.aggregates + usize::from(number < all % sizes.aggregates)
    };
    let module = |number| {
        let (events, commands) = (share(sizes.events, number), share(sizes.commands, number));
        (format!("aggregate_{number}.rs"), module(kind, number, events, commands))
    };
    [("lib.rs".to_owned(), root)].into_iter().chain(modules.map(module)).collect()
}

fn module(kind: Kind, number: usize, events: usize, commands: usize) -> String {
    let mut text = String::new();
    if kind == Kind::Ours {
        text.push_str("use cqrs::prelude::*;\n");
    }
    text.push_str("use serde::{Deserialize, Serialize};\n");
    events_of(&mut text, kind, number, events);
    aggregate(&mut text, kind, number, events);
    for command in 0..commands {
        command_of(&mut text, kind, number, command, command % events.max(1));
    }
    text
}

fn events_of(text: &mut String, kind: Kind, number: usize, events: usize) {
    let event = [", Event", ""][usize::from(kind == Kind::Serde)];
    let _ = write!(text, "\n#[derive(Debug, Clone, PartialEq, Serialize, Deserialize{event})]\n");
    if kind == Kind::Ours {
        let _ = writeln!(text, "#[event(prefix = \"aggregate-{number}\")]");
    }
    let _ = writeln!(text, "pub enum Event{number} {{");
    for event in 0..events {
        let _ = writeln!(
            text,
            "    Happened{event} {{ name: String, amount: u64, note: Option<String>, tags: Vec<String> }},"
        );
    }
    text.push_str("}\n");
}

fn aggregate(text: &mut String, kind: Kind, number: usize, events: usize) {
    if kind == Kind::Serde {
        text.push_str("\n#[derive(Debug, Default, Clone)]\n");
    } else {
        let _ = write!(
            text,
            "\n#[derive(Debug, Default, Clone, Aggregate)]\n\
             #[aggregate(category = \"aggregate-{number}\", events(Event{number}))]\n"
        );
    }
    let _ = write!(
        text,
        "pub struct Aggregate{number} {{\n    pub name: String,\n    pub amount: u64,\n    pub note: Option<String>,\n    \
         pub tags: Vec<String>,\n}}\n"
    );
    if kind == Kind::Serde {
        return;
    }
    let _ = write!(
        text,
        "\nimpl Apply<Event{number}> for Aggregate{number} {{\n    fn apply(&mut self, event: Event{number}) {{\n        \
         match event {{\n"
    );
    for event in 0..events {
        let _ = writeln!(
            text,
            "            Event{number}::Happened{event} {{ name, amount, note, tags }} => {{ self.name = name; \
             self.amount += amount; self.note = note; self.tags = tags; }}"
        );
    }
    text.push_str("        }\n    }\n}\n");
}

fn command_of(text: &mut String, kind: Kind, number: usize, command: usize, event: usize) {
    if kind == Kind::Serde {
        text.push_str("\n#[derive(Debug, Clone, Serialize, Deserialize)]\n");
    } else {
        let _ = write!(
            text,
            "\n#[derive(Debug, Clone, Serialize, Deserialize, Command)]\n\
             #[command(aggregate = Aggregate{number}, id = id)]\n"
        );
    }
    let _ = write!(
        text,
        "pub struct Command{number}x{command} {{\n    pub id: String,\n    pub name: String,\n    pub amount: u64,\n}}\n"
    );
    if kind == Kind::Ours {
        let _ = write!(
            text,
            "\nimpl Handle<Command{number}x{command}> for Aggregate{number} {{\n    \
             fn handle(&self, command: Command{number}x{command}) -> Decision<Self> {{\n        \
             let Command{number}x{command} {{ name, amount, .. }} = command;\n        \
             emit(Event{number}::Happened{event} {{ name, amount, note: None, tags: Vec::new() }})\n    }}\n}}\n"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes { aggregates: 3, events: 10, commands: 7 };

    fn all(kind: Kind) -> String {
        files(kind, SIZES).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn both_crates_have_all_types() {
        for kind in [Kind::Ours, Kind::Serde] {
            let text = all(kind);
            assert_eq!(text.matches("pub struct Aggregate").count(), 3);
            assert_eq!(text.matches("tags: Vec<String> },").count(), 10);
            assert_eq!(text.matches("pub struct Command").count(), 7);
        }
    }

    #[test]
    fn only_ours_uses_the_framework() {
        assert_eq!(all(Kind::Ours).matches("Command)]").count(), 7);
        assert_eq!(all(Kind::Ours).matches("impl Handle<").count(), 7);
        assert!(!all(Kind::Serde).contains("cqrs"));
        assert!(!Kind::Serde.manifest(Path::new("/framework")).contains("cqrs"));
        assert!(Kind::Ours.manifest(Path::new("/framework")).contains("path = \"/framework\""));
    }
}
