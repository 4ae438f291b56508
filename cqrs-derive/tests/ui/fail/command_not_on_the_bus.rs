use cqrs::{Bus, MemoryStore};

struct Open;

#[derive(Clone, cqrs::Query)]
#[query(output = u64)]
struct Balance;

async fn send(bus: Bus) {
    let _ = bus.send(Open).await;
    let _ = bus.send(Balance).await;
    let _ = bus.ask(Open).await;
}

fn main() {
    let _ = Bus::builder(MemoryStore::new())
        .aggregate::<Open>()
        .query_handler(async |_: Balance| Ok("many"));
}
