//! What is registered on a bus: written while it is built, only read afterwards, so that dispatch takes no lock.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;

/// Handlers and aggregates by the type of what they handle.
#[derive(Default)]
pub(super) struct Registry {
    entries: HashMap<TypeId, Entry>,
}

struct Entry {
    name: &'static str,
    handler: Box<dyn Any + Send + Sync>,
}

impl Registry {
    /// Registers a handler under the message type `M`; returns whether it is the first.
    pub(super) fn insert<M: 'static>(
        &mut self,
        name: &'static str,
        handler: impl Any + Send + Sync,
    ) -> bool {
        let entry = Entry { name, handler: Box::new(handler) };
        self.entries.insert(TypeId::of::<M>(), entry).is_none()
    }

    /// The handler registered under `M`, which is of type `H`.
    pub(super) fn get<M: 'static, H: Any>(&self) -> Option<&H> {
        self.entries.get(&TypeId::of::<M>())?.handler.downcast_ref()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<&str> = self.entries.values().map(|entry| entry.name).collect();
        names.sort_unstable();
        formatter.debug_list().entries(names).finish()
    }
}
