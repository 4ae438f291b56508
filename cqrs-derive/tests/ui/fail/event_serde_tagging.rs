use cqrs::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[serde(tag = "type", content = "data")]
enum Adjacent {
    Opened { owner: String },
}

#[derive(Serialize, Deserialize, Event)]
#[serde(rename_all = "camelCase", untagged)]
enum Untagged {
    Opened { owner: String },
}

#[derive(Clone, Serialize, Deserialize, Event)]
#[serde(from = "String", into = "String")]
enum Converted {
    Opened,
}

impl From<String> for Converted {
    fn from(_: String) -> Self {
        Self::Opened
    }
}

impl From<Converted> for String {
    fn from(_: Converted) -> Self {
        String::new()
    }
}

fn main() {}
