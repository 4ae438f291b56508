//! The port to the database of read models, as those see it who look after projections.

use std::fmt;

use async_trait::async_trait;

use super::{Parked, ParkedRequest, ProjectionState};
use crate::store::StoreError;
use crate::stream::StreamId;
use crate::version::Position;

/// The database of read models, as those see it who look after projections: from any process, whether or not it runs
/// them. [`Projections`](crate::Projections) is the comfortable way to all of this.
///
/// Each method is done when it returns, as durably as the database commits. When its future is dropped, it is done or
/// not.
#[async_trait]
pub trait Maintain: fmt::Debug + Send + Sync + 'static {
    /// All versions of all projections, or of the one with this name; by name and version.
    ///
    /// # Errors
    /// When the database fails.
    async fn projections(&self, name: Option<&str>) -> Result<Vec<ProjectionState>, StoreError>;

    /// The parked streams of a version, by the position of the event that failed.
    ///
    /// # Errors
    /// When the database fails.
    async fn parked(&self, name: &str, version: u32) -> Result<Vec<Parked>, StoreError>;

    /// Asks the owner of its slot to do this about a parked stream, which it does when it settles its share the next
    /// time; false if the stream is not parked.
    ///
    /// # Errors
    /// When the database fails.
    async fn request(
        &self,
        name: &str,
        version: u32,
        stream: &StreamId,
        request: ParkedRequest,
    ) -> Result<bool, StoreError>;

    /// Has the streams of a version divided into so many slots: puts up a barrier at the furthest checkpoint, which all
    /// others come up to before the slots are divided anew (by [`share`](super::ReadModel::share)), and voids all leases,
    /// so that their owners notice. Another number while that is under way takes the place of the first. False if there
    /// is no such version.
    ///
    /// # Errors
    /// When the database fails. When `slots` is 0 or more than 1024, with kind
    /// [`InvalidInput`](crate::StoreErrorKind::InvalidInput).
    async fn rescale(&self, name: &str, version: u32, slots: u32) -> Result<bool, StoreError>;

    /// Empties the tables the version was made with and has it begin at the beginning of the log, with nothing parked;
    /// voids all leases. Events up to `replays_to` are then replayed. False if there is no such version.
    ///
    /// # Errors
    /// When the database fails. When the version was made without tables, with kind
    /// [`InvalidInput`](crate::StoreErrorKind::InvalidInput): nobody knows what to empty.
    async fn reset(
        &self,
        name: &str,
        version: u32,
        replays_to: Position,
    ) -> Result<bool, StoreError>;

    /// Puts a version that is beside into service, and the one in service beside: one transaction, after which all leases
    /// of both are void, so that nobody commits rows to the wrong place.
    ///
    /// With `caught_up`, only if it has seen all that the one in service has.
    ///
    /// # Errors
    /// When the database fails.
    async fn put_in_service(
        &self,
        name: &str,
        version: u32,
        caught_up: bool,
    ) -> Result<PutInService, StoreError>;

    /// Removes a version that is beside, with its rows and its checkpoints. False if there is none, or it is in service.
    ///
    /// # Errors
    /// When the database fails.
    async fn remove(&self, name: &str, version: u32) -> Result<bool, StoreError>;
}

/// What came of putting a version into service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutInService {
    /// It is in service now.
    Done,
    /// It has seen the log up to the first position only; the one in service up to the second.
    Behind(Position, Position),
    /// There is no such version beside the one in service.
    Missing,
}
