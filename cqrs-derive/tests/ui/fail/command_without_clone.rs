use cqrs::Command;

#[derive(Command)]
#[command(outcome = ())]
struct Transfer;

fn main() {}
