use cqrs::Event;
use serde::{Deserialize, Serialize};

#[derive(Event)]
#[event(name = "")]
struct Empty;

#[derive(Event)]
#[event(name = "account opened")]
struct Space;

#[derive(Event)]
#[event(name = "account\0opened")]
struct Nul;

#[derive(Event)]
#[event(name = "n123456789n123456789n123456789n123456789n123456789n123456789n123456789n123456789n123456789n123456789n123456789n123456789n12345678")]
struct Long;

#[derive(Event)]
struct Eröffnet;

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    #[event(name = "")]
    Opened,
    #[event(name = "account/closed")]
    Closed,
    Gelöscht,
}

fn main() {}
