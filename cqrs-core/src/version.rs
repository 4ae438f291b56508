//! Where an event stands: its version in its stream, its position in the log of all streams.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Place of an event in its stream: 1, 2, 3 … without gaps. [`Version::NONE`] (0) stands before the first event.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Version(u64);

impl Version {
    /// The version of a stream without events.
    pub const NONE: Self = Self(0);
    /// The version of the first event of a stream.
    pub const FIRST: Self = Self(1);

    /// The version with this number.
    #[inline]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number of this version, which is also the number of events up to and including it.
    #[inline]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The version `events` later.
    #[inline]
    #[must_use]
    pub const fn plus(self, events: u64) -> Self {
        Self(self.0.saturating_add(events))
    }

    /// The version before this one; [`Version::NONE`] stays what it is.
    #[inline]
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Place of an event in the log of all streams: strictly increasing in the order readers see, gaps allowed.
/// [`Position::START`] (0) stands before the first event.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Position(u64);

impl Position {
    /// Before the first event of the log.
    pub const START: Self = Self(0);

    /// The position with this number.
    #[inline]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number of this position.
    #[inline]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Where a stream must stand for an append to succeed (optimistic concurrency, G2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExpectedVersion {
    /// Wherever it stands: append after the last event.
    Any,
    /// The stream has no events.
    NoStream,
    /// The stream has at least one event: append after the last.
    Exists,
    /// The last event has exactly this version. `Exact(Version::NONE)` means the same as `NoStream`.
    Exact(Version),
}

impl ExpectedVersion {
    /// The exact version demanded, where one is: [`Version::NONE`] for `NoStream`.
    #[inline]
    pub const fn exact(self) -> Option<Version> {
        match self {
            Self::Any | Self::Exists => None,
            Self::NoStream => Some(Version::NONE),
            Self::Exact(version) => Some(version),
        }
    }

    /// Whether a stream whose last event has version `actual` meets the expectation.
    #[inline]
    pub fn is_met_by(self, actual: Version) -> bool {
        match self {
            Self::Any => true,
            Self::Exists => actual > Version::NONE,
            Self::NoStream => actual == Version::NONE,
            Self::Exact(version) => actual == version,
        }
    }
}

impl From<Version> for ExpectedVersion {
    fn from(version: Version) -> Self {
        Self::Exact(version)
    }
}

impl fmt::Display for ExpectedVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str("any version"),
            Self::NoStream => formatter.write_str("no events"),
            Self::Exists => formatter.write_str("at least one event"),
            Self::Exact(version) => write!(formatter, "version {version}"),
        }
    }
}
