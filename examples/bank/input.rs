//! The instructions given to the bank: one JSON object a line.
//!
//! ```json
//! {"id": "i-1", "type": "open", "account": "A-1", "owner": "Ada"}
//! {"id": "i-2", "type": "deposit", "account": "A-1", "cents": 12500}
//! {"id": "i-3", "type": "withdraw", "account": "A-1", "cents": 2000}
//! {"id": "i-4", "type": "transfer", "from": "A-1", "to": "A-2", "cents": 500}
//! {"id": "i-5", "type": "close", "account": "A-1"}
//! ```

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::num::NonZeroU64;
use std::path::Path;

use cqrs::StreamId;
use serde::Deserialize;

/// One line of input. Its id makes it idempotent: an instruction is carried out once, however often it is given.
#[derive(Debug, Deserialize)]
pub struct Instruction {
    pub id: String,
    #[serde(flatten)]
    pub order: Order,
}

/// What the bank is to do.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Order {
    Open { account: String, owner: String },
    Deposit { account: String, cents: NonZeroU64 },
    Withdraw { account: String, cents: NonZeroU64 },
    Transfer { from: String, to: String, cents: NonZeroU64 },
    Close { account: String },
}

/// The lines of a file or of standard input, with their numbers.
pub struct Lines {
    reader: Box<dyn BufRead>,
    number: usize,
}

impl Lines {
    /// The lines of standard input.
    pub fn of_stdin() -> Self {
        Self { reader: Box::new(io::stdin().lock()), number: 0 }
    }

    /// The lines of a file, and how many there are.
    pub fn of_file(path: &Path) -> io::Result<(Self, u64)> {
        let count = BufReader::new(File::open(path)?).split(b'\n').count() as u64;
        Ok((Self { reader: Box::new(BufReader::new(File::open(path)?)), number: 0 }, count))
    }

    /// The next line that is not blank: its number and the instruction, or what is wrong with it.
    pub fn next(&mut self) -> io::Result<Option<(usize, Result<Instruction, String>)>> {
        let mut line = Vec::new();
        loop {
            line.clear();
            if self.reader.read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if !line.trim_ascii().is_empty() {
                return Ok(Some((self.number, parse(&line))));
            }
        }
    }

    /// The number of the last line read.
    pub fn number(&self) -> u64 {
        self.number as u64
    }
}

fn parse(line: &[u8]) -> Result<Instruction, String> {
    let instruction: Instruction =
        serde_json::from_slice(line.trim_ascii()).map_err(|error| without_place(&error))?;
    // Every name becomes that of a stream: what can't be one is found before anything is done.
    let id = [("refusal", instruction.id.as_str())].into_iter();
    let accounts = instruction.order.accounts().into_iter().map(|account| ("account", account));
    for (category, name) in id.chain(accounts) {
        StreamId::new(category, name).map_err(|error| format!("{category} {name:?}: {error}"))?;
    }
    Ok(instruction)
}

impl Order {
    fn accounts(&self) -> Vec<&str> {
        match self {
            Self::Open { account, .. }
            | Self::Deposit { account, .. }
            | Self::Withdraw { account, .. }
            | Self::Close { account } => vec![account],
            Self::Transfer { from, to, .. } => vec![from, to],
        }
    }
}

/// The message without the line, which is always the first of its one line.
fn without_place(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rsplit_once(" at line ") {
        Some((message, _)) => format!("{message} at column {}", error.column()),
        None => message,
    }
}
