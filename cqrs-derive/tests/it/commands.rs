//! Commands and queries: names, routes, keys, and the way through a bus.

use std::convert::Infallible;
use std::marker::PhantomData;

use cqrs::{
    Aggregate, AggregateCommand, Apply, Bus, Command, CommandContext, CommandHandler, Committed,
    Decision, DispatchError, Event, Handle, MemoryStore, Query, StreamKey, emit, ensure,
};

#[derive(Debug, thiserror::Error, PartialEq)]
#[error("closed")]
struct IsClosed;

#[derive(Event)]
#[event(name = "door.opened")]
struct Opened;

#[derive(Event)]
#[event(name = "door.closed")]
struct Closed;

#[derive(Debug, Default, Aggregate)]
#[aggregate(events(Opened, Closed), error = IsClosed)]
struct Door {
    opened: u32,
    closed: bool,
}

impl Apply<Opened> for Door {
    fn apply(&mut self, _: Opened) {
        self.opened += 1;
    }
}

impl Apply<Closed> for Door {
    fn apply(&mut self, _: Closed) {
        self.closed = true;
    }
}

#[derive(Debug, Clone, Command)]
#[command(aggregate = Door, id = door)]
struct OpenDoor {
    door: String,
}

impl Handle<OpenDoor> for Door {
    fn handle(&self, _: OpenDoor) -> Decision<Self> {
        ensure(!self.closed, IsClosed)?;
        emit(Opened)
    }
}

#[derive(Debug, Clone, Command)]
#[command(aggregate = Door, id = 1, name = "door.close", likely_new)]
struct CloseDoor(bool, u64);

impl Handle<CloseDoor> for Door {
    fn handle(&self, command: CloseDoor) -> Decision<Self> {
        emit((Opened, command.0.then_some(Closed)))
    }
}

#[derive(Debug, Clone, Command)]
#[command(aggregate = Door, id = r#type)]
struct Generic<T> {
    r#type: T,
    _other: PhantomData<T>,
}

impl<T> Handle<Generic<T>> for Door {
    fn handle(&self, _: Generic<T>) -> Decision<Self> {
        emit(())
    }
}

#[derive(Debug, Clone, Command)]
#[command(aggregate = Door, id = door)]
#[allow(dead_code, reason = "only the key is of interest")]
enum Touch {
    Push {
        door: u64,
        force: u32,
    },
    #[command(likely_new)]
    Knock {
        door: u64,
    },
}

#[derive(Debug, Clone, Command)]
#[command(aggregate = Door, id = 1)]
#[allow(dead_code, reason = "only the key is of interest")]
enum Fit {
    Lock(String, u64),
    Handle(u8, u64),
}

impl Handle<Touch> for Door {
    fn handle(&self, _: Touch) -> Decision<Self> {
        emit(())
    }
}

impl Handle<Fit> for Door {
    fn handle(&self, _: Fit) -> Decision<Self> {
        emit(())
    }
}

fn key<C: AggregateCommand>(command: &C) -> String {
    command.stream_key().with_text(str::to_owned)
}

#[test]
fn the_key_is_the_text_of_the_field() {
    assert_eq!(key(&OpenDoor { door: "a/b".into() }), "a/b");
    assert_eq!(key(&CloseDoor(true, 42)), "42");
    let generic = Generic { r#type: 'x', _other: PhantomData };
    assert_eq!(key(&generic), "x");
    assert_eq!(key(&Touch::Push { door: 1, force: 9 }), "1");
    assert_eq!(key(&Touch::Knock { door: 2 }), "2");
    assert_eq!(key(&Fit::Lock("3".into(), 4)), "4");
    assert_eq!(key(&Fit::Handle(5, 6)), "6");
}

#[test]
fn what_is_likely_new_is_told_by_command_and_variant() {
    assert!(!OpenDoor { door: "a".into() }.is_likely_new());
    assert!(CloseDoor(true, 42).is_likely_new());
    assert!(!Touch::Push { door: 1, force: 9 }.is_likely_new());
    assert!(Touch::Knock { door: 2 }.is_likely_new());
    assert!(!Fit::Handle(5, 6).is_likely_new());
}

#[derive(Debug, Clone, Command)]
#[command(outcome = u32)]
enum Repaint {
    Red,
    #[allow(dead_code, reason = "a command may be an enum here")]
    Other(String),
}

#[derive(Debug, Clone, Command)]
#[command(error = IsClosed)]
struct Lock<T>(T);

#[derive(Debug, Clone, Query)]
#[query(output = Option<u32>, error = IsClosed, name = "door.count")]
struct CountOpened {
    door: String,
}

#[derive(Debug, Clone, Query)]
#[query(output = Vec<T>)]
struct All<T>(PhantomData<T>);

#[test]
fn names_and_types_are_those_of_the_attribute_or_the_defaults() {
    fn command<C: Command<Outcome = O, Error = E>, O, E>(name: &str) {
        assert_eq!(C::NAME, name);
    }
    fn query<Q: Query<Output = O, Error = E>, O, E>(name: &str) {
        assert_eq!(Q::NAME, name);
    }
    command::<OpenDoor, Committed, IsClosed>("OpenDoor");
    command::<CloseDoor, Committed, IsClosed>("door.close");
    command::<Generic<u8>, Committed, IsClosed>("Generic");
    command::<Repaint, u32, Infallible>("Repaint");
    command::<Lock<u8>, (), IsClosed>("Lock");
    query::<CountOpened, Option<u32>, IsClosed>("door.count");
    query::<All<u8>, Vec<u8>, Infallible>("All");
}

/// Renamed in Rust, and not in what is stored.
#[derive(Debug, Clone, Command)]
#[command(outcome = u32, name = "Repaint")]
enum Paint {
    #[command(name = "Red")]
    Crimson,
    #[command(name = "two-tone.v2")]
    #[allow(dead_code, reason = "a command may be an enum here")]
    TwoTone(u8, u8),
    r#Type,
}

/// Otherwise two variants sent with one idempotency key would pass for the same command.
#[test]
fn variants_have_names_of_their_own() {
    assert_eq!(Touch::Push { door: 1, force: 9 }.name(), "Touch::Push");
    assert_eq!(Touch::Knock { door: 1 }.name(), "Touch::Knock");
    assert_eq!(Repaint::Red.name(), "Repaint::Red");
    assert_eq!(Paint::Crimson.name(), "Repaint::Red");
    assert_eq!(Paint::TwoTone(1, 2).name(), "Repaint::two-tone.v2");
    assert_eq!(Paint::Type.name(), "Repaint::Type");
    assert_eq!(OpenDoor { door: "a".into() }.name(), "OpenDoor");
}

struct Painter;

impl CommandHandler<Repaint> for Painter {
    async fn handle(
        &self,
        command: Repaint,
        context: &CommandContext,
    ) -> Result<u32, DispatchError<Infallible>> {
        assert!(matches!(command, Repaint::Red));
        let door: Door = context.load("7").await.map_err(DispatchError::failed)?.state;
        Ok(door.opened)
    }
}

#[tokio::test]
async fn derived_messages_go_through_a_bus() {
    let bus = Bus::builder(MemoryStore::new())
        .aggregate::<Door>()
        .command_handler(Painter)
        .query_handler(async |query: CountOpened| Ok(query.door.parse().ok()))
        .build()
        .unwrap();
    let open = || OpenDoor { door: "7".into() };
    assert_eq!(bus.send(open()).await.unwrap().version.get(), 1);
    assert_eq!(bus.send(CloseDoor(true, 7)).await.unwrap().events, 2);
    let refused = bus.send(open()).await.unwrap_err();
    assert_eq!(refused.rejection(), Some(&IsClosed));
    assert_eq!(bus.send(Repaint::Red).await.unwrap(), 2);
    let query = CountOpened { door: "7".into() };
    assert_eq!(bus.ask(query).await.unwrap(), Some(7));
}
