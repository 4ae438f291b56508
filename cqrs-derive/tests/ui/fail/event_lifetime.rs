use cqrs::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Renamed<'a> {
    name: &'a str,
}

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent<'a, T: 'a>
where
    T: Clone,
{
    Opened(&'a str, T),
}

fn is_event<E: Event>() {}

fn main() {
    // The derive has said what is wrong; these uses are not errors again.
    is_event::<Renamed>();
    is_event::<AccountEvent<String>>();
}
