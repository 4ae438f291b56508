//! Everything, one suite after the other: `cqrs-bench all`.

use clap::Parser as _;
use cqrs::BoxError;

use crate::console::Console;
use crate::report::{Output, print};
use crate::{Suite, What};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Little of everything, to see whether it works; a minute or two. The numbers mean little.
    #[arg(long)]
    quick: bool,
    /// Leaves other crates out. With `--quick` they are left out anyway, because building them takes minutes.
    #[arg(long)]
    no_peers: bool,
    /// Suites that are left out.
    #[arg(long, value_delimiter = ',')]
    without: Vec<String>,
}

/// The suites, and whether other crates are measured in them. What takes little comes first.
const SUITES: [(&str, bool); 8] = [
    ("bus", false),
    ("codec", false),
    ("write-side", true),
    ("read-side", true),
    ("memory", false),
    ("snapshots", false),
    ("compile-time", false),
    ("scale", false),
];

/// Measures everything. A suite that fails keeps no other from being measured, and its results alone are missing.
///
/// # Errors
/// When a suite has failed, or the results can't be written.
pub async fn run(arguments: &Arguments, output: &Output) -> Result<(), BoxError> {
    if let Some(name) =
        arguments.without.iter().find(|name| !SUITES.iter().any(|(suite, _)| suite == name))
    {
        return Err(format!("there is no suite `{name}` to leave out").into());
    }
    let console = Console::start();
    let (mut sections, mut failed) = (Vec::new(), Vec::new());
    for (name, has_peers) in SUITES {
        if arguments.without.iter().any(|without| without == name) {
            continue;
        }
        match suite(name, has_peers && !arguments.no_peers, arguments.quick)?
            .measure(&console)
            .await
        {
            Ok(measured) => {
                console.aside(|| print(&measured));
                sections.extend(measured);
                // Written again after each, so that what was measured in hours is not lost.
                output.write(&sections)?;
            }
            Err(error) => {
                console.aside(|| eprintln!("cqrs-bench: {name}: {error}"));
                failed.push(name);
            }
        }
    }
    console.end();
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

/// A suite as the command line would have it.
fn suite(name: &str, has_peers: bool, is_quick: bool) -> Result<Suite, BoxError> {
    let mut line = vec!["cqrs-bench", name];
    if is_quick {
        line.push("--quick");
    } else if has_peers {
        line.push("--peers");
    }
    match crate::Arguments::try_parse_from(line)?.what {
        What::Suite(suite) => Ok(suite),
        What::All(_) | What::Child(_) => Err(format!("`{name}` is no suite").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_can_be_had() {
        for (name, has_peers) in SUITES {
            for is_quick in [true, false] {
                assert!(suite(name, has_peers, is_quick).is_ok(), "{name}");
            }
        }
    }
}
