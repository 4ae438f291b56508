//! Who has stored something lets others go first, where several processes append to the same stream.
//!
//! Whoever has just appended knows how the stream stands, and can append again after one round trip; whoever was too slow
//! has to read first, which takes two. So the first one would win again and again, until the others run out of attempts.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::Instant;

/// For so many batches after a conflict, others are expected to want the same stream.
const BATCHES: u32 = 16;

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(100);

/// What a process knows of others that append to a stream.
#[derive(Debug, Default)]
pub(super) struct Manners {
    /// Batches until there is no more reason to expect others.
    left: u32,
    /// Until then, others go first.
    until: Option<Instant>,
}

impl Manners {
    /// When the next batch may begin, if others are expected.
    pub(super) fn rest(&self) -> Option<Instant> {
        self.until
    }

    /// A batch is done, whose append took so long.
    pub(super) fn served(&mut self, met_rivals: bool, took: Duration) {
        self.left = if met_rivals { BATCHES } else { self.left.saturating_sub(1) };
        self.until = (self.left > 0).then(|| {
            // Time enough for one of them to read and append, and at most twice that.
            let least = (took * 2).clamp(SHORTEST, LONGEST);
            let rest = ExponentialBuilder::new().with_min_delay(least).with_jitter().build().next();
            Instant::now() + rest.unwrap_or(least)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_go_first_after_a_conflict_and_for_a_while() {
        let mut manners = Manners::default();
        manners.served(false, Duration::ZERO);
        assert_eq!(manners.rest(), None);
        manners.served(true, Duration::ZERO);
        assert!(manners.rest().is_some());
        for _ in 1..BATCHES {
            manners.served(false, Duration::ZERO);
            assert!(manners.rest().is_some());
        }
        manners.served(false, Duration::ZERO);
        assert_eq!(manners.rest(), None);
    }
}
