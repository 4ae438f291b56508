//! Commands: what they address and what comes of them.

use std::fmt::Display;

use crate::aggregate::{Aggregate, Handle};
use crate::schema::Describe;
use crate::stream::StreamId;
use crate::version::{Position, Version};

/// A wish to change something. Derive it, either for an aggregate or for a [`CommandHandler`](crate::CommandHandler).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a command",
    label = "not a command",
    note = "add `#[derive(Clone, Command)]` and `#[command(aggregate = …, id = …)]` to `{Self}`"
)]
pub trait Command: Clone + Send + Sync + 'static {
    /// The name of the type in errors.
    const NAME: &'static str;

    /// What comes of it: [`Committed`] for the commands of an aggregate.
    type Outcome: Send + 'static;

    /// Why it is refused.
    type Error: std::error::Error + Send + Sync + 'static;

    /// How the bus finds what handles it.
    #[doc(hidden)]
    type Route: crate::bus::Route<Self>;

    /// Its name in traces and metrics, and to tell idempotent commands apart: for an enum, with that of the variant, as
    /// in `AccountCommand::Open`.
    fn name(&self) -> &'static str {
        Self::NAME
    }

    /// Tells the shape of the command, or of each variant of an enum, in order.
    #[doc(hidden)]
    fn describe<D: Describe>(_: &mut D) {}
}

/// A command that one aggregate decides on.
pub trait AggregateCommand: Command {
    /// The aggregate.
    type Aggregate: Handle<Self>;

    /// The key of the stream of the aggregate it addresses.
    fn stream_key(&self) -> impl StreamKey + '_;

    /// Whether the aggregate most likely has no events yet, as that of a command that opens an account. Then it is decided
    /// on as if it had none, without reading its stream. Where that is wrong, the append finds out, and the command is
    /// decided on again: it comes to the same, and takes a little longer.
    fn is_likely_new(&self) -> bool {
        false
    }
}

/// What can be the key of a stream: everything that can be shown as text, shown the same way every time.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the key of a stream",
    label = "has no text form",
    note = "implement `std::fmt::Display` for it; the text names the stream and must never change"
)]
pub trait StreamKey {
    /// Runs `f` with the text of the key.
    #[doc(hidden)]
    fn with_text<R>(&self, f: impl FnOnce(&str) -> R) -> R;
}

#[diagnostic::do_not_recommend]
impl<T: Display + ?Sized> StreamKey for T {
    fn with_text<R>(&self, f: impl FnOnce(&str) -> R) -> R {
        f(&self.to_string())
    }
}

/// The outcome of a command that an aggregate decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Committed {
    /// The stream of the aggregate.
    pub stream: StreamId,
    /// The version of the stream after the command.
    pub version: Version,
    /// A view that has come this far shows what the command did. It is the position of its last event, or, where commands
    /// were stored together, of the last event of all of them.
    pub position: Position,
    /// How many events the command led to.
    pub events: usize,
    /// How many times it was decided on: more than 1 when other writers were faster.
    pub attempts: u32,
    /// Whether the events were stored earlier, under the same idempotency key.
    pub replayed: bool,
}

/// The stream of the aggregate that `command` addresses.
pub(crate) fn stream_of<C: AggregateCommand>(
    command: &C,
) -> Result<StreamId, crate::stream::InvalidStreamId> {
    command.stream_key().with_text(|key| StreamId::new(C::Aggregate::CATEGORY, key))
}
