//! Parked streams.

use std::time::SystemTime;

use crate::stream::StreamId;
use crate::version::{Position, Version};

/// A stream whose events wait, because one of them failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// The stream.
    pub stream: StreamId,
    /// The version of the event that failed; it and all later ones wait.
    pub version: Version,
    /// The position of that event.
    pub position: Position,
    /// The type of that event.
    pub event_type: String,
    /// How many times it was tried.
    pub attempts: u32,
    /// How it failed the last time.
    pub error: String,
    /// Since when the stream waits.
    pub since: SystemTime,
    /// What somebody asks to be done about it, until the owner of its slot has done it.
    pub request: Option<ParkedRequest>,
}

/// What can be done about a parked stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParkedRequest {
    /// To take its events in order, from the one that failed.
    Replay,
    /// To give up the event that failed, for good, and take those behind it.
    Discard,
}
