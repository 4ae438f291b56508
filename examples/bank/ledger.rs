//! What the log of the bank tells: accounts, refusals, and which instructions are done.

use std::collections::{BTreeMap, HashSet};
use std::error::Error;

use cqrs::{Event, EventStore, LogFilter, Position, RecordedEvent};

use crate::account::AccountEvent;
use crate::refusal::Refused;

/// Name of the entry in an event's metadata that tells which instruction led to it.
pub const INSTRUCTION: &str = "instruction";

/// Events read at once.
const PAGE: usize = 1_000;

/// Everything the summary shows, folded from the log.
#[derive(Debug, Default)]
pub struct Ledger {
    pub accounts: BTreeMap<String, Row>,
    pub refused: Vec<Refused>,
    pub events: usize,
    done: HashSet<String>,
    position: Position,
}

/// An account in the ledger.
#[derive(Debug, Default)]
pub struct Row {
    pub owner: String,
    pub cents: u64,
    pub closed: bool,
}

impl Ledger {
    /// Reads on from where the ledger stands to the end of the log.
    pub async fn catch_up(&mut self, store: &dyn EventStore) -> Result<(), Box<dyn Error>> {
        loop {
            let page = store.read_log(&LogFilter::all(), self.position, PAGE).await?;
            for event in &page.events {
                self.apply(event)?;
            }
            self.position = page.through;
            if page.events.len() < PAGE {
                return Ok(());
            }
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
        self.events += 1;
        if Refused::knows(&event.event_type) {
            let refused = Refused::decode(event)?;
            self.done.insert(refused.instruction.clone());
            self.refused.push(refused);
            return Ok(());
        }
        let row = self.accounts.entry(event.stream.key().to_owned()).or_default();
        let mut last_of_instruction = true;
        match AccountEvent::decode(event)? {
            AccountEvent::Opened { owner } => row.owner = owner,
            AccountEvent::Deposited { cents } | AccountEvent::TransferReceived { cents, .. } => {
                row.cents += cents;
            }
            AccountEvent::Withdrawn { cents } => row.cents -= cents,
            AccountEvent::Closed => row.closed = true,
            AccountEvent::TransferSent { cents, .. } => {
                row.cents -= cents;
                last_of_instruction = false;
            }
            AccountEvent::TransferReturned { cents, .. } => {
                row.cents += cents;
                last_of_instruction = false;
            }
        }
        if let Some(instruction) = event.metadata.details.extra.get(INSTRUCTION)
            && last_of_instruction
        {
            self.done.insert(instruction.clone());
        }
        Ok(())
    }
}
