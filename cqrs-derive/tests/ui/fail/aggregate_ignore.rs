use cqrs::{Aggregate, Apply, Event};

#[derive(Event)]
struct Opened;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened), ignore())]
struct Empty;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened), ignore("closed", "frozen", "closed"))]
struct Twice;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened), ignore("account closed", ""))]
struct Impossible;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened), ignore(Closed))]
struct Unquoted;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened), ignore = "closed", ignored("closed"))]
struct WithoutList;

impl Apply<Opened> for Empty {
    fn apply(&mut self, _: Opened) {}
}
impl Apply<Opened> for Twice {
    fn apply(&mut self, _: Opened) {}
}
impl Apply<Opened> for Impossible {
    fn apply(&mut self, _: Opened) {}
}
impl Apply<Opened> for Unquoted {
    fn apply(&mut self, _: Opened) {}
}
impl Apply<Opened> for WithoutList {
    fn apply(&mut self, _: Opened) {}
}

fn main() {}
