use cqrs::Upcast;

#[derive(Upcast)]
#[upcast(into = u8)]
union Old {
    number: u8,
}

fn main() {}
