//! The time an event is recorded at, where the database has no clock of its own.

use std::fmt;
use std::time::SystemTime;

/// Tells the time. Stores that run inside the application take `recorded_at` from it.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> SystemTime;
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}
