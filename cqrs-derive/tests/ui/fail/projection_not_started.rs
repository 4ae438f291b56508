use cqrs::{MemoryModel, MemoryStore, Projector};

struct Balances;

fn main() {
    Projector::new(MemoryStore::new()).start(Balances, MemoryModel::new(0));
}
