use cqrs::Aggregate;

#[derive(Default, Aggregate)]
struct NoAttribute;

#[derive(Default, Aggregate)]
#[aggregate(category = "account")]
struct NoList;

#[derive(Default, Aggregate)]
#[aggregate(events())]
struct EmptyList;

#[derive(Default, Aggregate)]
#[aggregate(events)]
struct NoParentheses;

#[derive(Default, Aggregate)]
#[aggregate(events = AccountEvent)]
struct Assigned;

#[derive(Default, Aggregate)]
#[aggregate(event(AccountEvent), name = "account")]
struct Singular;

fn main() {}
