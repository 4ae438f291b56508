//! What was measured: tables for people, lines of JSON for programs, and a plot.

pub mod plot;
pub mod statistics;
mod table;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use cqrs::BoxError;
use serde::Serialize;
use serde_json::{Value, json};

pub use self::plot::Chart;
pub use self::statistics::{Quantiles, median, ratio};
pub use self::table::{Table, number, rounded};

/// Where results go, besides the tables on standard output.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Output {
    /// Also writes the results to this file, a line of JSON each.
    #[arg(long, global = true)]
    json: Option<PathBuf>,
    /// Also draws the results into this file, an SVG.
    #[arg(long, global = true)]
    plot: Option<PathBuf>,
}

/// What belongs into one table.
#[derive(Debug, Default)]
pub struct Section {
    title: String,
    table: Table,
    notes: Vec<String>,
    lines: Vec<Value>,
    charts: Vec<Chart>,
}

impl Section {
    /// A section with a table of these columns. A `#` before a name means that they are numbers.
    pub fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        Self { title: title.into(), table: Table::new(columns), ..Self::default() }
    }

    /// Adds a row to the table, and the line of JSON that it stands for.
    ///
    /// # Errors
    /// When the result has no JSON form.
    pub fn add(
        &mut self,
        kind: &str,
        result: &impl Serialize,
        cells: impl IntoIterator<Item = String>,
    ) -> Result<(), BoxError> {
        self.lines.push(json!({ "kind": kind, "result": serde_json::to_value(result)? }));
        self.table.row(cells);
        Ok(())
    }

    /// Says something below the table.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub fn chart(&mut self, chart: Chart) {
        self.charts.push(chart);
    }

    fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n{}", self.title, self.table);
        for note in &self.notes {
            let _ = write!(text, "\n{note}\n");
        }
        text
    }
}

/// Prints the tables.
pub fn print(sections: &[Section]) {
    for section in sections {
        println!("{}", section.markdown());
    }
}

impl Output {
    /// Writes the files that were asked for.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn write(&self, sections: &[Section]) -> Result<(), BoxError> {
        if let Some(path) = &self.json {
            let lines = sections.iter().flat_map(|section| &section.lines);
            fs::write(path, lines.fold(String::new(), |all, line| format!("{all}{line}\n")))?;
        }
        if let Some(path) = &self.plot {
            let charts: Vec<&Chart> = sections.iter().flat_map(|section| &section.charts).collect();
            fs::write(path, plot::svg(&charts)?)?;
        }
        Ok(())
    }
}
