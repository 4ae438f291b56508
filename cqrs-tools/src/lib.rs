//! Commands about stored events, for the command line of an application.
//!
//! The application knows its event types, so the commands are a part of it: give it a subcommand that carries them out.
//!
//! ```no_run
//! use clap::Parser;
//! use cqrs_core::{Catalogue, MemoryStore};
//! use cqrs_tools::Tools;
//!
//! #[derive(Parser)]
//! enum Arguments {
//!     /// What is known of stored events, and whether all of them can be read.
//!     #[command(subcommand)]
//!     Events(Tools),
//! }
//!
//! # fn catalogue() -> Catalogue { Catalogue::new() }
//! # async fn main_() -> Result<(), cqrs_tools::ToolError> {
//! let store = MemoryStore::new();
//! let Arguments::Events(tools) = Arguments::parse();
//! tools.run(&catalogue(), &store).await?;
//! # Ok(())
//! # }
//! ```

mod dry_run;

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use cqrs_core::{Catalogue, EventStore, StoreError};

/// A command about stored events.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
#[non_exhaustive]
pub enum Tools {
    /// Lists the event types the program knows, with their versions, their upcasters and the names they had.
    List,
    /// Reads every event of the store as the program would, and reports those it can't read.
    DryRun {
        /// How many examples of each kind of failure are shown.
        #[arg(long, default_value_t = 3)]
        examples: usize,
    },
    /// Writes the catalogue of events and commands.
    Catalogue {
        /// In which form.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// To this file instead of standard output.
        #[arg(long, short)]
        output: Option<PathBuf>,
    },
}

/// The form of a catalogue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
#[non_exhaustive]
pub enum Format {
    /// For people.
    #[default]
    Markdown,
    /// For programs: a JSON Schema.
    JsonSchema,
}

impl Tools {
    /// Carries it out. What it finds goes to standard output, progress to standard error if that is a terminal.
    ///
    /// # Errors
    /// When the store can't be read or the output can't be written; when a dry run finds events that can't be read,
    /// after it has reported them.
    pub async fn run(
        &self,
        catalogue: &Catalogue,
        store: &dyn EventStore,
    ) -> Result<(), ToolError> {
        match self {
            Self::List => write(None, &format!("{catalogue}\n")),
            Self::DryRun { examples } => dry_run::run(catalogue, store, *examples).await,
            Self::Catalogue { format, output } => {
                let text = match format {
                    Format::Markdown => catalogue.markdown(),
                    Format::JsonSchema => format!("{:#}\n", catalogue.json_schema()),
                };
                write(output.as_ref(), &text)
            }
        }
    }
}

fn write(output: Option<&PathBuf>, text: &str) -> Result<(), ToolError> {
    match output {
        Some(path) => fs::write(path, text)
            .map_err(|error| ToolError::Output(format!("can't write {}", path.display()), error)),
        None => io::stdout()
            .write_all(text.as_bytes())
            .map_err(|error| ToolError::Output("can't write to standard output".into(), error)),
    }
}

/// Why a command has not done what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output can't be written.
    #[error("{0}: {1}")]
    Output(String, #[source] io::Error),
    /// A dry run has found events that the program can't read.
    #[error("{0} of the stored events can't be read by this program")]
    Unreadable(u64),
}
