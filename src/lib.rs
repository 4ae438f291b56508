#![doc = include_str!("../README.md")]
#![allow(clippy::test_attr_in_doctest, reason = "the README shows a program with its test")]

pub use cqrs_core::*;
#[cfg(feature = "derive")]
pub use cqrs_derive::{Aggregate, Command, Event, Projection, Query, Upcast, View};
#[cfg(feature = "postgres")]
pub use cqrs_postgres::{self as postgres, PostgresModel, PostgresStore};
#[cfg(feature = "sqlite")]
pub use cqrs_sqlite::{self as sqlite, SqliteModel, SqliteStore};

#[doc(hidden)]
pub use cqrs_core::__private;

/// What most files of an application need: `use cqrs::prelude::*`.
pub mod prelude {
    pub use cqrs_core::{
        Aggregate, Apply, Bus, Command, CommandContext, CommandHandler, Committed, Decision,
        DispatchError, Draft, Event, Fold, Handle, Project, Projection, Projector, Query,
        QueryError, QueryHandler, Received, Upcast, UpcastError, View, emit, ensure,
    };
    #[cfg(feature = "derive")]
    pub use cqrs_derive::{Aggregate, Command, Event, Projection, Query, Upcast, View};
}
