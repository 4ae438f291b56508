//! Commands to one aggregate at the same time, aggregates that are kept in memory, and those that are taken to be new.

mod cached;
mod lanes;
mod likely_new;
mod watched;

use cqrs::Store;
use cqrs::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "stock.taken")]
struct Taken {
    pieces: u32,
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("only {0} are left")]
struct NotEnough(u32);

/// What is taken from a stock of a hundred pieces.
macro_rules! stock {
    ($stock:ident, $take:ident $([$hint:meta])? $(, $option:meta)*) => {
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
        #[aggregate(category = "stock", events(Taken), error = NotEnough $(, $option)*)]
        struct $stock {
            left: u32,
        }

        impl Default for $stock {
            fn default() -> Self {
                Self { left: 100 }
            }
        }

        impl Apply<Taken> for $stock {
            fn apply(&mut self, Taken { pieces }: Taken) {
                assert_ne!(pieces, 13, "an apply with a mistake");
                self.left -= pieces;
            }
        }

        #[derive(Debug, Clone, Command)]
        #[command(aggregate = $stock, id = stock $(, $hint)?)]
        struct $take {
            stock: String,
            pieces: u32,
        }

        impl Handle<$take> for $stock {
            fn handle(&self, $take { pieces, .. }: $take) -> Decision<Self> {
                assert_ne!(pieces, 99, "a handler with a mistake");
                ensure(self.left >= pieces, NotEnough(self.left))?;
                emit((pieces > 0).then_some(Taken { pieces }))
            }
        }

        impl From<u32> for $take {
            fn from(pieces: u32) -> Self {
                Self { stock: "s".into(), pieces }
            }
        }
    };
}

stock!(Stock, Take);
stock!(CachedStock, TakeCached, cache = 10);
stock!(KeptStock, TakeKept, cache = 10, snapshot(every = 3));
stock!(NewStock, TakeNew[likely_new]);
stock!(NewKeptStock, TakeNewKept[likely_new], cache = 10, snapshot(every = 3));

fn bus(store: impl Store) -> Bus {
    let bus = Bus::builder(store).aggregate::<Stock>();
    bus.build().unwrap()
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
