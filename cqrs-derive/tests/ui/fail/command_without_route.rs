use cqrs::Command;

#[derive(Clone, Command)]
struct NoAttribute;

#[derive(Clone, Command)]
#[command(name = "withdraw")]
struct OnlyName;

#[derive(Clone, Command)]
#[command()]
struct Empty;

fn main() {}
