//! What the log of the bank tells a teller who takes over: which instructions are done.

use std::collections::HashSet;
use std::error::Error;

use cqrs::{Event, EventStore, LogFilter, Position, RecordedEvent};

use crate::account::AccountEvent;
use crate::refusal::Refused;
use crate::views::INSTRUCTION;

/// Events read at once.
const PAGE: usize = 1_000;

/// The instructions that were carried out or refused.
#[derive(Debug, Default)]
pub struct Ledger {
    done: HashSet<String>,
}

impl Ledger {
    /// Reads the log to its end.
    pub async fn read(store: &dyn EventStore) -> Result<Self, Box<dyn Error>> {
        let mut ledger = Self::default();
        let mut position = Position::START;
        loop {
            let page = store.read_log(&LogFilter::all(), position, PAGE).await?;
            if page.events.is_empty() {
                return Ok(ledger);
            }
            for event in &page.events {
                ledger.apply(event)?;
            }
            position = page.through;
        }
    }

    /// Whether the instruction with this id was carried out or refused.
    pub fn is_done(&self, instruction: &str) -> bool {
        self.done.contains(instruction)
    }

    /// The instruction with this id was carried out or refused just now.
    pub fn mark_done(&mut self, instruction: String) {
        self.done.insert(instruction);
    }

    fn apply(&mut self, event: &RecordedEvent) -> Result<(), Box<dyn Error>> {
        if Refused::knows(&event.event_type) {
            for Refused { instruction, .. } in Refused::decode(event)? {
                self.mark_done(instruction);
            }
            return Ok(());
        }
        // What follows these is still to be done.
        let is_last = !AccountEvent::decode(event)?.into_iter().any(|event| {
            matches!(
                event,
                AccountEvent::TransferSent { .. } | AccountEvent::TransferReturned { .. }
            )
        });
        if let Some(instruction) = event.metadata.details.extra.get(INSTRUCTION)
            && is_last
        {
            self.mark_done(instruction.clone());
        }
        Ok(())
    }
}
