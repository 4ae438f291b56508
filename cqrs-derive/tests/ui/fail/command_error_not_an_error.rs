use cqrs::{Command, Query};

#[derive(Clone, Command)]
#[command(error = String)]
struct Transfer;

#[derive(Clone, Query)]
#[query(output = u64, error = String)]
struct Balance;

fn main() {}
