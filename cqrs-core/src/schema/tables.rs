//! The catalogue for people: as a plain table, and in Markdown.

use std::fmt::{self, Write as _};

use super::catalogue::{Catalogue, ContentSchema, EventSchema};

/// A table of the event types: a line each, or several where a column has more to say.
impl fmt::Display for Catalogue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEAD: [&str; 6] =
            ["EVENT", "VERSION", "WRITTEN", "ALSO READ FROM", "STEPS", "AGGREGATE"];
        let mut rows = vec![HEAD.map(|title| vec![title.to_owned()])];
        rows.extend(self.events.iter().map(row));
        let mut widths = [0; HEAD.len()];
        for (width, column) in widths.iter_mut().zip(0..) {
            let cells = rows.iter().flat_map(|row: &[Vec<String>; 6]| &row[column]);
            *width = cells.map(|line| line.chars().count()).max().unwrap_or(0);
        }
        let mut text = String::new();
        for row in &rows {
            let height = row.iter().map(Vec::len).max().unwrap_or(0);
            for line in 0..height {
                let start = text.len();
                for (cell, width) in row.iter().zip(widths) {
                    let content = cell.get(line).map_or("", String::as_str);
                    write!(text, "{content:width$}  ")?;
                }
                let end = text[start..].trim_end().len();
                text.truncate(start + end);
                text.push('\n');
            }
        }
        for (category, name) in self.ignored() {
            writeln!(text, "\n{name} is passed over in the streams of {category}")?;
        }
        formatter.write_str(text.trim_end())
    }
}

fn row(event: &EventSchema) -> [Vec<String>; 6] {
    let event_type = &event.event_type;
    let written = if event_type.is_retired {
        "no, retired".to_owned()
    } else {
        format!("v{}", event_type.write_version)
    };
    let mut others: Vec<String> = event_type.stored_names().skip(1).map(str::to_owned).collect();
    others.retain(|name| name != event_type.name);
    others.dedup();
    [
        vec![event_type.name.to_owned()],
        vec![format!("v{}", event_type.schema_version)],
        vec![written],
        others,
        event_type.steps.iter().map(ToString::to_string).collect(),
        event.categories.iter().map(|category| (*category).to_owned()).collect(),
    ]
}

impl Catalogue {
    /// The catalogue in Markdown: each event type and each command with its documentation and its fields.
    pub fn markdown(&self) -> String {
        let mut text = String::from("# Events\n");
        for event in &self.events {
            // Writing to a `String` can't fail.
            let _ = write_event(&mut text, event);
        }
        if !self.commands.is_empty() {
            text.push_str("\n# Commands\n");
        }
        for command in &self.commands {
            let _ = write!(text, "\n## `{}`\n", command.name);
            let _ = match command.category {
                Some(category) => writeln!(text, "\nDecided on by the aggregate `{category}`."),
                None => writeln!(text, "\nCarried out by a handler."),
            };
            for content in &command.contents {
                if command.contents.len() > 1 {
                    let _ = writeln!(text, "\n### `{}::{}`", command.name, content.name);
                }
                let _ = write_content(&mut text, content);
            }
        }
        text
    }
}

fn write_event(text: &mut String, event: &EventSchema) -> fmt::Result {
    let event_type = &event.event_type;
    writeln!(text, "\n## `{}` v{}", event_type.name, event_type.schema_version)?;
    let mut facts = Vec::new();
    if !event.categories.is_empty() {
        facts.push(format!("Aggregate: `{}`.", event.categories.join("`, `")));
    }
    if event_type.is_retired {
        facts.push("Retired: it is read, and no longer written.".to_owned());
    } else if event_type.write_version != event_type.schema_version {
        facts.push(format!("Written as v{} for now.", event_type.write_version));
    }
    if !event_type.aliases.is_empty() {
        facts.push(format!("Also read from: `{}`.", event_type.aliases.join("`, `")));
    }
    if !facts.is_empty() {
        writeln!(text, "\n{}", facts.join(" "))?;
    }
    write_content(text, &event.content)?;
    if !event_type.steps.is_empty() {
        text.push_str("\nUpcasters:\n\n");
    }
    for step in event_type.steps {
        writeln!(text, "- {step}")?;
    }
    Ok(())
}

fn write_content(text: &mut String, content: &ContentSchema) -> fmt::Result {
    if !content.docs.is_empty() {
        writeln!(text, "\n{}", content.docs)?;
    }
    if !content.is_described {
        writeln!(text, "\nIts fields are not known here.")?;
    } else if content.fields.is_empty() {
        writeln!(text, "\nIt has no fields.")?;
    } else {
        text.push_str("\n| Field | Type | Stored as | |\n|--|--|--|--|\n");
    }
    for field in &content.fields {
        let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        let attributes = match field.attributes {
            "" => String::new(),
            attributes => format!(" `{attributes}`"),
        };
        writeln!(
            text,
            "| `{}` | `{}` | `{}`{} | {} |",
            field.name,
            cell(field.type_text),
            cell(&content.form_of(field)),
            cell(&attributes),
            cell(field.docs),
        )?;
    }
    let types = content.type_outlines();
    if !types.is_empty() {
        writeln!(text, "\n```text\n{}\n```", types.join("\n"))?;
    }
    Ok(())
}
