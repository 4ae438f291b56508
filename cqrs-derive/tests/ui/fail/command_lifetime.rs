use cqrs::{Command, Query};

#[derive(Clone, Command)]
#[command(outcome = ())]
struct Rename<'a> {
    name: &'a str,
}

#[derive(Clone, Query)]
#[query(output = u64)]
struct Find<'a>(&'a str);

fn main() {}
