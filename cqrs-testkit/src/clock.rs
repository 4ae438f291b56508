//! A clock for tests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use cqrs_core::Clock;

/// A clock that stands still until it is moved. Clones show the same time.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use cqrs_core::{Clock, MemoryStore};
/// use cqrs_testkit::ManualClock;
///
/// let clock = ManualClock::new(SystemTime::UNIX_EPOCH);
/// let store = MemoryStore::with_clock(clock.clone());
/// clock.advance(Duration::from_secs(90));
/// assert_eq!(clock.now(), SystemTime::UNIX_EPOCH + Duration::from_secs(90));
/// # drop(store);
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<SystemTime>>);

impl ManualClock {
    /// A clock that stands at this time.
    pub fn new(now: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    /// Moves the clock to this time, forwards or back.
    pub fn set(&self, now: SystemTime) {
        *self.time() = now;
    }

    /// Moves the clock on by this long.
    ///
    /// # Panics
    /// When the time after is later than the operating system can tell.
    pub fn advance(&self, by: Duration) {
        *self.time() += by;
    }

    fn time(&self) -> MutexGuard<'_, SystemTime> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        *self.time()
    }
}
