use cqrs::{Event, View};

#[derive(Event)]
struct Opened;

#[derive(Clone, View)]
#[view(key(account), events(Opened))]
struct Tuple(String, u64);

#[derive(Clone, View)]
#[view(key(account), events(Opened))]
struct Unit;

#[derive(Clone, View)]
#[view(key(account), events(Opened))]
enum Several {
    Account { account: String },
}

#[derive(Clone, Copy, View)]
#[view(key(account), events(Opened))]
union Either {
    account: u64,
    cents: f64,
}

fn main() {}
