//! How often and after which delay a command is decided on again after a conflict.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// How often a command is decided on again when other writers were faster, and how long it waits before: each delay
/// is about twice the one before, with jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    attempts: u32,
    first_delay: Duration,
    longest_delay: Duration,
}

impl Retry {
    /// A command is decided on up to `attempts` times in all; 1 means no retry.
    #[must_use]
    pub const fn attempts(attempts: u32) -> Self {
        Self {
            attempts,
            first_delay: Duration::from_millis(1),
            longest_delay: Duration::from_millis(100),
        }
    }

    /// No retry: a conflict goes to the caller.
    #[must_use]
    pub const fn never() -> Self {
        Self::attempts(1)
    }

    /// The same with other delays.
    #[must_use]
    pub const fn delays(mut self, first: Duration, longest: Duration) -> Self {
        self.first_delay = first;
        self.longest_delay = longest;
        self
    }

    /// The delays before the second attempt, the third, and so on.
    pub(super) fn backoff(&self) -> ExponentialBackoff {
        ExponentialBuilder::new()
            .with_min_delay(self.first_delay)
            .with_max_delay(self.longest_delay)
            .with_max_times(self.attempts.saturating_sub(1) as usize)
            .with_jitter()
            .build()
    }
}

impl Default for Retry {
    /// Twenty attempts, the first delays around a millisecond, the longest around a tenth of a second.
    fn default() -> Self {
        Self::attempts(20)
    }
}
