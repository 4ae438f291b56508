//! Read models in memory, as the suite wants them.

use async_trait::async_trait;
use cqrs_core::{MemoryModel, MemoryView};
use cqrs_testkit::read_model::{Composite, Fixture, Sample};

pub(super) struct InMemory {
    samples: MemoryView<Sample>,
    composites: MemoryView<Composite>,
}

impl InMemory {
    pub(super) fn new() -> Self {
        Self {
            samples: MemoryModel::new(std::collections::BTreeMap::new()),
            composites: MemoryModel::new(std::collections::BTreeMap::new()),
        }
    }
}

#[async_trait]
impl Fixture for InMemory {
    type Model = MemoryView<Sample>;
    type Composite = MemoryView<Composite>;

    async fn open(&self) -> Self::Model {
        self.samples.clone()
    }

    async fn open_composite(&self) -> Self::Composite {
        self.composites.clone()
    }
}
