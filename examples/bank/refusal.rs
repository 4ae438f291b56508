//! The record of what the bank refused: a stream of its own for each refused instruction.

use std::convert::Infallible;

use cqrs::prelude::*;
use serde::{Deserialize, Serialize};

/// An instruction was refused.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "instruction.refused")]
pub struct Refused {
    pub instruction: String,
    pub reason: String,
}

/// Keeps that an instruction was refused.
#[derive(Debug, Clone, Command)]
#[command(aggregate = Refusal, id = instruction)]
pub struct Refuse {
    pub instruction: String,
    pub reason: String,
}

/// The refusal of one instruction.
#[derive(Debug, Default, Aggregate)]
#[aggregate(category = "refusal", events(Refused))]
pub struct Refusal {
    recorded: bool,
}

impl Apply<Refused> for Refusal {
    fn apply(&mut self, _: Refused) {
        self.recorded = true;
    }
}

impl Handle<Refuse> for Refusal {
    fn handle(&self, command: Refuse) -> Result<cqrs::Events<Self>, Infallible> {
        let Refuse { instruction, reason } = command;
        emit((!self.recorded).then_some(Refused { instruction, reason }))
    }
}
