//! The core of the `cqrs` framework: events, aggregates, the ports to a store, the repository and the bus.
//!
//! Applications use the facade `cqrs`, which re-exports everything here together with the derives and the stores.
//! Authors of stores build on this crate and test with `cqrs-testkit`.

mod aggregate;
mod bus;
mod clock;
mod command;
mod context;
mod error;
mod event;
pub mod limits;
mod metadata;
mod projection;
mod query;
mod read_model;
mod repository;
mod runner;
mod store;
mod stream;
mod subscription;
mod version;
mod view;

pub use self::aggregate::{
    Aggregate, Apply, Decision, Events, Handle, IntoEvents, Snapshots, emit, ensure,
};
pub use self::bus::{
    AskQuery, BuildError, Bus, BusBuilder, CommandContext, CommandHandler, Concern, Kind, Reply,
    Request, SendCommand, Updates,
};
pub use self::clock::{Clock, SystemClock};
pub use self::command::{AggregateCommand, Command, Committed, StreamKey};
pub use self::context::DispatchContext;
pub use self::error::{DispatchError, InvalidCommand, LoadError, QueryError, UnknownOutcome};
pub use self::event::{
    DecodeError, DecodeReason, EncodeError, Event, EventId, EventType, InvalidEvent, NewEvent,
    Payload, RecordedEvent,
};
pub use self::metadata::{Details, Metadata};
pub use self::projection::{Project, Projection, Received, Transaction};
pub use self::query::{Query, QueryHandler};
pub use self::read_model::{
    Commit, Lease, Maintain, Member, MemoryModel, MemoryTransaction, MemoryView, Opened, Parked,
    ParkedRequest, ProjectionId, ProjectionState, PutInService, ReadModel, Rows, Setup, Share,
    SlotState, slot_of,
};
pub use self::repository::{Loaded, Repository, Retry};
pub use self::runner::{
    Lag, NotYet, OnChange, ParkedError, Phase, Progress, ProjectionStatus, Projections, Projector,
    Running, SlotStatus, Status, Stopped, Target,
};
pub use self::store::{
    Append, AppendError, Appended, BoxError, Conflict, EventStore, Head, InvalidAppend, LogFilter,
    LogPage, MemoryStore, News, NewsBoard, OpenAppend, Snapshot, SnapshotStore, Store, StoreError,
    StoreErrorKind,
};
pub use self::stream::{InvalidStreamId, StreamId};
pub use self::subscription::{FollowError, Subscription, TypedSubscription};
pub use self::version::{ExpectedVersion, Position, Version};
pub use self::view::{Column, ColumnError, ColumnInfo, ColumnType, Fold, Table, Value, View};

/// What derived code calls. Not part of the API: it may change in any release.
#[doc(hidden)]
pub mod __private {
    pub use crate::bus::{Route, ToAggregate, ToHandler};
    pub use crate::event::{
        are_apart, concatenate, decode_struct, decode_unit, decode_variant, encode_struct,
        encode_unit, encode_variant, unknown_type,
    };
    pub use crate::view::{from_json_value, json_value};
}
