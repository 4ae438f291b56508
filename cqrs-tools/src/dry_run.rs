//! Shows how far a dry run is.

use cqrs_core::{Catalogue, EventStore};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{ToolError, write};

pub(crate) async fn run(
    catalogue: &Catalogue,
    store: &dyn EventStore,
    examples: usize,
) -> Result<(), ToolError> {
    let template = "{wide_bar} {pos}/{len} {per_sec} {eta} left {msg}";
    // Nothing is shown where standard error is no terminal.
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    let report = catalogue
        .dry_run(store, examples, |so_far| {
            bar.set_length(so_far.end.get());
            bar.set_position(so_far.position.get());
            if so_far.failures() > 0 {
                bar.set_message(format!("({} can't be read)", so_far.failures()));
            }
        })
        .await?;
    bar.finish_and_clear();
    write(None, &format!("{report}\n"))?;
    match report.failures() {
        0 => Ok(()),
        failures => Err(ToolError::Unreadable(failures)),
    }
}
