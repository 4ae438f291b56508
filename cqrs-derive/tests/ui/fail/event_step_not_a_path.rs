use cqrs::{Draft, Event, UpcastError};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    #[event(version = 2, upcast(1 => |draft: &mut Draft| draft.rename("a", "b")))]
    Closure,
    #[event(version = 2, upcast(1 => step()))]
    Call,
    #[event(version = 3, upcast(1 => "step", 2 => 7))]
    Literal,
    #[event(version = 3, upcast(1 => OldV1, 2 => shapes::OldV2))]
    WithoutType,
    #[event(version = 4, upcast(1 => type, 2 => type &str, 3 => type 5))]
    TypeOfNothing,
    #[event(version = 2, upcast(step))]
    WithoutVersion,
    #[event(version = 4, upcast(1, 2 = step, 3 -> step))]
    WithoutArrow,
    #[event(version = 3, upcast(1 => , 2 => step step))]
    Nothing,
    #[event(version = 2, upcast("1" => step))]
    Quoted,
    #[event(version = 2, upcast(1 => step), write_version = 1, downcast(2 => OldV1))]
    Back,
}

fn step(_: &mut Draft) -> Result<(), UpcastError> {
    Ok(())
}

fn main() {}
