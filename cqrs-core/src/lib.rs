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
pub mod schema;
mod store;
mod stream;
mod subscription;
mod upcast;
mod version;
mod view;

pub use self::aggregate::{
    Aggregate, Apply, Cached, Decision, Events, Handle, IntoEvents, Snapshots, emit, ensure,
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
    DecodeError, DecodeReason, Decoded, EncodeError, Event, EventId, EventType, EventTypeName,
    InvalidEvent, NewEvent, Payload, RecordedEvent, UpcastStep,
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
pub use self::schema::{Catalogue, Clashes, DryRun, RewriteError};
pub use self::store::{
    Append, AppendError, Appended, BoxError, Conflict, EventRow, EventRows, EventStore, Gather,
    GatherLimits, Group, Head, InvalidAppend, LogFilter, LogPage, MemoryStore, News, NewsBoard,
    OpenAppend, Pending, Snapshot, SnapshotStore, Store, StoreError, StoreErrorKind, Turn,
    is_end_of_stream,
};
pub use self::stream::{InvalidStreamId, StreamId};
pub use self::subscription::{FollowError, Subscription, TypedSubscription, Unknown};
pub use self::upcast::{Draft, Step, Upcast, UpcastError};
pub use self::version::{ExpectedVersion, Position, Version};
pub use self::view::{Column, ColumnError, ColumnInfo, ColumnType, Fold, Table, Value, View};

/// What derived code calls. Not part of the API: it may change in any release.
#[doc(hidden)]
pub mod __private {
    pub use crate::bus::{Route, ToAggregate, ToHandler};
    pub use crate::event::{
        Member as UnionMember, are_apart, concatenate, decode_struct, decode_union, decode_unit,
        decode_variant, encode_retired, encode_struct, encode_unit, encode_variant, is_read,
    };
    pub use crate::schema::{Describe, Field, Probe, ProbeOpaque, ProbeShape};
    pub use crate::upcast::{History, Link, downcast, reshaped, run, shaped, to_drafts};
    pub use crate::view::{from_json_value, json_value};
}
