use std::collections::BTreeMap;

use cqrs::{MemoryModel, MemoryStore, Projector};

#[derive(Clone)]
struct Balance;

fn main() {
    let model = MemoryModel::new(BTreeMap::<u64, Balance>::new());
    Projector::new(MemoryStore::new()).start_view::<Balance>(model);
}
