use cqrs::Command;

struct Account;

#[derive(Clone, Command)]
#[command(aggregate = Account, id = account)]
struct Open {
    account: String,
}

#[derive(Clone, Command)]
#[command(aggregate = Acount, id = account)]
struct Close {
    account: String,
}

fn main() {}
