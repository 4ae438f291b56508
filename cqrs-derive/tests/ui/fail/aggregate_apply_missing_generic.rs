use std::marker::PhantomData;

use cqrs::{Aggregate, Bus, Event, MemoryStore};

#[derive(Event)]
struct Opened;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened))]
struct Purse<C>(PhantomData<C>);

fn main() {
    let _ = Bus::builder(MemoryStore::new()).aggregate::<Purse<u8>>();
}
