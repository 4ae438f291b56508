use cqrs::Event;

#[derive(Event)]
struct Opened {
    owner: String,
}

#[derive(Event)]
enum AccountEvent {
    Opened { owner: String },
}

fn main() {}
