//! How far projections are, as it is stored.

use std::time::Duration;

use uuid::Uuid;

use crate::version::Position;

/// A version of a projection, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectionState {
    /// The name of the projection.
    pub name: String,
    /// The version.
    pub version: u32,
    /// The names of the events it is made from, sorted and separated by spaces.
    pub events: String,
    /// Whether queries see its rows.
    pub in_service: bool,
    /// Whether it is or was: one that is beside is being built if it has not, and kept if it has.
    pub has_served: bool,
    /// Its slots, from 0.
    pub slots: Vec<SlotState>,
    /// Into how many slots it is being divided anew, if it is.
    pub rescaling: Option<u32>,
    /// Events up to here were stored before the version was made.
    pub replays_to: Position,
    /// How many streams are parked.
    pub parked: u64,
    /// The workers that share its slots or stand by, with what people know them by.
    pub members: Vec<(Uuid, String)>,
}

/// The checkpoint of a slot, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotState {
    /// The slot.
    pub slot: u32,
    /// How far it has come.
    pub position: Position,
    /// Who moves it, if anyone does at the moment.
    pub owner: Option<Uuid>,
    /// How many events were taken since it was made.
    pub events: u64,
    /// What keeps it from going on, as its owner has told; where nobody moves it, as the last owner has.
    pub error: Option<String>,
    /// How long ago its owner has told last that it is there.
    pub heard: Duration,
}
