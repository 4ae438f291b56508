//! How long a crate with many types compiles: `cqrs-bench compile-time`.
//!
//! The crate, and one with the same types that derives nothing but what `serde` has, are generated into a temporary
//! directory. What they depend on is compiled before; what is measured is the crate alone, from its first line to its last.

mod generate;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use cqrs::BoxError;
use serde::Serialize;

use self::generate::{Kind, Sizes};
use crate::console::Console;
use crate::report::plot::{Chart, Content};
use crate::report::{Section, median, number};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many rounds, in which both take turns; 3, or 1 with `--quick`.
    #[arg(long)]
    rounds: Option<usize>,
    /// Few types, and only `cargo check`, to see whether it works. The numbers mean little.
    #[arg(long)]
    pub quick: bool,
}

/// How long a command of cargo takes.
#[derive(Debug, Serialize)]
struct Line {
    command: &'static str,
    sizes: Sizes,
    /// Seconds, the medians of all rounds.
    ours: f64,
    serde_alone: f64,
    ratio: f64,
    /// What ours takes beyond the other, for each event and command.
    milliseconds_per_type: f64,
}

/// Where the crates are, and where they are built.
struct Crates {
    directory: tempfile::TempDir,
    target: PathBuf,
}

/// Measures it.
///
/// # Errors
/// When a crate can't be built.
pub fn measure(arguments: &Arguments, console: &Console) -> Result<Vec<Section>, BoxError> {
    let sizes = if arguments.quick {
        Sizes { aggregates: 4, events: 30, commands: 20 }
    } else {
        Sizes { aggregates: 40, events: 300, commands: 200 }
    };
    let rounds = arguments.rounds.unwrap_or(if arguments.quick { 1 } else { 3 }).max(1);
    let commands: &[&'static str] = if arguments.quick { &["check"] } else { &["check", "build"] };
    let crates = Crates::generate(sizes)?;
    let columns = [
        "Command",
        "#Aggregates",
        "#Events",
        "#Commands",
        "#Ours, s",
        "#serde alone, s",
        "#Ratio",
        "#Added, ms an event or command",
    ];
    let mut section = Section::new("Compiling a crate with many types", &columns);
    for command in commands {
        console.says(format!("cargo {command}: what the crates depend on"));
        for kind in [Kind::Ours, Kind::Serde] {
            crates.compile(command, kind)?;
        }
        let (mut ours, mut others) = (Vec::new(), Vec::new());
        for round in 1..=rounds {
            console.says(format!("cargo {command}: round {round} of {rounds}"));
            ours.push(crates.compile(command, Kind::Ours)?);
            others.push(crates.compile(command, Kind::Serde)?);
        }
        let line = line(command, sizes, ours, others);
        section.add("compile time", &line, cells(&line))?;
        section.chart(Chart {
            title: format!("cargo {command}, {} events, {} commands", sizes.events, sizes.commands),
            unit: "seconds".to_owned(),
            content: Content::Bars(vec![
                ("ours".to_owned(), line.ours),
                ("serde alone".to_owned(), line.serde_alone),
            ]),
        });
    }
    section.note(
        "The whole crate without what it depends on, not incremental, unoptimized. With serde alone: the same types \
         without what makes them events, commands and aggregates.",
    );
    Ok(vec![section])
}

fn line(command: &'static str, sizes: Sizes, ours: Vec<f64>, others: Vec<f64>) -> Line {
    let (ours, serde_alone) = (median(ours), median(others));
    #[expect(clippy::cast_precision_loss, reason = "there are not so many")]
    let types = (sizes.events + sizes.commands) as f64;
    Line {
        command,
        sizes,
        ours,
        serde_alone,
        ratio: ours / serde_alone,
        milliseconds_per_type: (ours - serde_alone) * 1e3 / types,
    }
}

fn cells(line: &Line) -> [String; 8] {
    let Sizes { aggregates, events, commands } = line.sizes;
    [
        format!("`cargo {}`", line.command),
        aggregates.to_string(),
        events.to_string(),
        commands.to_string(),
        number(line.ours, 2),
        number(line.serde_alone, 2),
        number(line.ratio, 2),
        number(line.milliseconds_per_type, 1),
    ]
}

impl Crates {
    fn generate(sizes: Sizes) -> Result<Self, BoxError> {
        let framework = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        let framework = framework.ok_or("this crate is in no directory")?;
        let own = std::env::current_exe()?;
        let target = own.ancestors().nth(2).ok_or("this program is in no directory of cargo")?;
        let crates = Self { directory: tempfile::tempdir()?, target: target.join("compile-time") };
        let manifest = "[workspace]\nresolver = \"3\"\nmembers = [\"ours\", \"serde-alone\"]\n";
        fs::write(crates.directory.path().join("Cargo.toml"), manifest)?;
        // The same versions as here, which are on this machine already.
        fs::copy(framework.join("Cargo.lock"), crates.directory.path().join("Cargo.lock"))?;
        for kind in [Kind::Ours, Kind::Serde] {
            let root = crates.directory.path().join(kind.name());
            fs::create_dir_all(root.join("src"))?;
            fs::write(root.join("Cargo.toml"), kind.manifest(framework))?;
            for (name, text) in generate::files(kind, sizes) {
                fs::write(root.join("src").join(name), text)?;
            }
        }
        Ok(crates)
    }

    /// Compiles a crate anew. How many seconds it took.
    fn compile(&self, command: &str, kind: Kind) -> Result<f64, BoxError> {
        // Cargo compiles what has changed since, by the time of the file.
        let root = self.directory.path().join(kind.name()).join("src/lib.rs");
        fs::write(&root, fs::read(&root)?)?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let begun = Instant::now();
        let done = Command::new(cargo)
            .args([command, "--quiet", "--package", kind.name(), "--target-dir"])
            .arg(&self.target)
            .current_dir(self.directory.path())
            .env("CARGO_INCREMENTAL", "0")
            .output()?;
        let seconds = begun.elapsed().as_secs_f64();
        if done.status.success() {
            return Ok(seconds);
        }
        let said = String::from_utf8_lossy(&done.stderr);
        Err(format!("`cargo {command}` has failed:\n{said}").into())
    }
}
