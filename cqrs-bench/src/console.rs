//! Tells people what is going on.

use std::time::Duration;

use indicatif::ProgressBar;

/// A line on the terminal that changes; nothing where there is no terminal.
pub struct Console(ProgressBar);

impl Console {
    pub fn start() -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    pub fn says(&self, text: impl Into<String>) {
        self.0.set_message(text.into());
    }

    /// Takes the line away for as long as it prints.
    pub fn aside(&self, print: impl FnOnce()) {
        self.0.suspend(print);
    }

    pub fn end(self) {
        self.0.finish_and_clear();
    }
}
