use cqrs::Event;

#[derive(Event)]
union Number {
    signed: i32,
    unsigned: u32,
}

fn main() {}
