use cqrs::Command;

#[derive(Clone, Command)]
#[command(outcome = u64)]
enum Taken {
    #[command(name = "Close")]
    Open,
    Close,
}

#[derive(Clone, Command)]
#[command(outcome = u64)]
enum TakenTwice {
    #[command(name = "begin")]
    Open,
    #[command(name = "begin")]
    Close,
}

#[derive(Clone, Command)]
#[command(outcome = u64)]
enum Wrong {
    #[command(name = "")]
    Empty,
    #[command(name = "AccountCommand::Open")]
    Colons,
    #[command(name = Open)]
    NotQuoted,
    #[command(name = "a", name = "b")]
    Twice,
}

#[derive(Clone, Command)]
#[command(outcome = u64)]
enum Misplaced {
    #[command(outcome = u64, error = std::fmt::Error, crate = cqrs)]
    OfTheEnum,
    #[command(aggregate = Account, id = account)]
    OfAggregates,
    #[command(nmae = "x")]
    Misspelled,
    Field {
        #[command(name = "field")]
        account: u64,
    },
}

fn main() {}
