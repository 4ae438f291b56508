//! Runs projections and views: leases, batches, parked streams, versions that are built beside the one in service.

mod adopting;
mod batch;
mod board;
mod consumer;
#[cfg(feature = "metrics")]
mod metrics;
mod parked;
mod progress;
mod projections;
mod projector;
mod reading;
mod running;
mod share;
mod status;
mod worker;

pub use self::progress::{NotYet, Progress, Target};
pub use self::projections::{Lag, ProjectionStatus, Projections, SlotStatus};
pub use self::projector::{OnChange, Projector};
pub use self::running::{ParkedError, Running};
pub use self::status::{Phase, Status, Stopped};
