//! Upcasters: stored events of earlier versions of a schema, brought to the one this program knows.

mod chain;
mod draft;
mod step;

use serde::de::DeserializeOwned;

#[doc(hidden)]
pub use self::chain::{History, Link, reshaped, shaped, to_drafts};
pub(crate) use self::chain::{Upcasting, upcast};
pub use self::draft::Draft;
pub use self::step::Step;
#[doc(hidden)]
pub use self::step::{downcast, run};
use crate::event::{Brief, Decoded, RecordedEvent};
use crate::store::BoxError;

/// The shape of an earlier version, which knows what becomes of it in the next. Derive it, and write `From` or `TryFrom`.
///
/// ```text
/// #[derive(Deserialize, Upcast)]
/// #[upcast(into = AccountEvent)]
/// struct DepositedV1 { units: u64 }
///
/// impl From<DepositedV1> for AccountEvent {
///     fn from(old: DepositedV1) -> Self { Self::Deposited { cents: old.units * 100 } }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the shape of an earlier version of an event",
    label = "has no `Upcast`",
    note = "add `#[derive(serde::Deserialize, Upcast)]` and `#[upcast(into = …)]` to `{Self}`"
)]
pub trait Upcast: DeserializeOwned {
    /// The shape of the next version: another that is upcast, or the type of the event.
    type Next;

    /// What becomes of it: usually one, but a stored event may also become several, or none. `event` is what is stored,
    /// with its stream, version, time and metadata.
    ///
    /// # Errors
    /// When it can't be one of the next version.
    fn upcast(self, event: &RecordedEvent) -> Result<Decoded<Self::Next>, BoxError>;
}

/// An old shape whose next one is `N`. Says what to write where they don't fit together.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not upcast into `{N}`, which comes next",
    label = "does not become `{N}`",
    note = "write `#[derive(serde::Deserialize, Upcast)]` and `#[upcast(into = {N})]` on `{Self}`, and \
            `impl From<{Self}> for {N}`; or list the shape that comes after `{Self}`"
)]
pub trait Becomes<N>: Upcast<Next = N> {}

#[diagnostic::do_not_recommend]
impl<T: Upcast<Next = N>, N> Becomes<N> for T {}

/// Why a step can't bring an event to the next version.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpcastError {
    /// There is no such field.
    #[error("field `{field}` is missing; where it may be, ask with `has` or `get_optional`")]
    Missing {
        /// Where in the payload.
        field: String,
    },
    /// There is a field of that name already.
    #[error("there is a field `{field}` already; remove one of the two")]
    Present {
        /// Where in the payload.
        field: String,
    },
    /// The payload is no object, so it has no fields.
    #[error("it is no object and has no fields; use `read` and `write`")]
    NotAnObject,
    /// The value of a field does not have the shape the step expects, or has no JSON form.
    #[error("field `{field}`: {}", Brief(error))]
    Field {
        /// Where in the payload.
        field: String,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// The payload does not have the shape the step expects, or has no JSON form.
    #[error("{}", Brief(.0))]
    Json(serde_json::Error),
    /// A conversion refuses the value of a field.
    #[error("field `{field}`: {reason}")]
    Refused {
        /// Where in the payload.
        field: String,
        /// Why.
        reason: String,
    },
    /// A step of the application refuses the event.
    #[error("{0}")]
    Other(BoxError),
}

impl UpcastError {
    /// An event that a step can't bring to the next version, for a reason of its own.
    pub fn other(error: impl Into<BoxError>) -> Self {
        Self::Other(error.into())
    }

    /// The same, of what is inside a field.
    fn within(self, outer: &str) -> Self {
        let inside = |field: String| format!("{outer}.{field}");
        match self {
            Self::Missing { field } => Self::Missing { field: inside(field) },
            Self::Present { field } => Self::Present { field: inside(field) },
            Self::Field { field, error } => Self::Field { field: inside(field), error },
            Self::Refused { field, reason } => Self::Refused { field: inside(field), reason },
            Self::Json(error) => Self::Field { field: outer.to_owned(), error },
            error @ (Self::NotAnObject | Self::Other(_)) => {
                Self::Refused { field: outer.to_owned(), reason: error.to_string() }
            }
        }
    }
}
