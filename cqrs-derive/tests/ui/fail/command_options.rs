use cqrs::Command;

#[derive(Clone, Command)]
#[command(agregate = Account, output = u64)]
struct Unknown;

#[derive(Clone, Command)]
#[command(outcome = "u64", error = 5)]
struct NotTypes;

#[derive(Clone, Command)]
#[command(outcome = u64, name = "with draw")]
struct BadName;

#[derive(Clone, Command)]
#[command(outcome = u64, outcome = u32)]
struct Twice;

#[derive(Clone, Command)]
#[command(outcome = u64)]
enum Inside {
    Variant(#[command(id)] u8),
}

#[derive(Clone, Copy, Command)]
union Union {
    a: u8,
}

fn main() {}
