//! Tests of views and projections.
//!
//! # Views: given events, these rows
//!
//! Folds are functions, and are tested as such:
//!
//! ```
//! # mod domain { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/projections/example.rs")); }
//! # use domain::{Balance, AccountEvent::*};
//! use cqrs_testkit::projections::given_events;
//!
//! given_events([
//!     ("account", "1", Opened { owner: "Ada".into() }),
//!     ("account", "2", Opened { owner: "Bob".into() }),
//!     ("account", "1", Deposited { cents: 300 }),
//!     ("account", "2", Closed),
//! ])
//! .expect_rows([Balance { account: "1".into(), owner: "Ada".into(), cents: 300 }]);
//! ```
//!
//! # Projections, and views in any database
//!
//! [`GivenEvents::project`] runs the handlers of a projection over the events, and [`GivenEvents::keep`] the folds of a
//! view; both give the read model back, to be asked for its rows:
//!
//! ```
//! # mod domain { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/projections/example.rs")); }
//! # use domain::{Balance, Total, AccountEvent::*};
//! use cqrs_core::{MemoryModel, MemoryView};
//! use cqrs_testkit::projections::given_events;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let deposits = given_events([
//!     ("account", "1", Deposited { cents: 300 }),
//!     ("account", "2", Deposited { cents: 50 }),
//! ]);
//! let totals = deposits.project(Total, MemoryModel::new(0)).await;
//! assert_eq!(totals.read(|cents| *cents), 350);
//!
//! let balances: MemoryView<Balance> = deposits.keep(MemoryModel::new(Default::default())).await;
//! assert_eq!(balances.read(|rows| rows.len()), 2);
//! # }
//! ```
//!
//! # Whatever happens
//!
//! [`Checks`] run a projection or a view many times over the same events, each time with something else that happens:
//! commits that fail or whose outcome is lost, a crash at every await, a rebuild, slots that come forward in another
//! order. The rows have to be the same each time:
//!
//! ```
//! # mod domain { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/projections/example.rs")); }
//! # use domain::{Balance, Total, AccountEvent::*};
//! use cqrs_core::{MemoryModel, MemoryView};
//! use cqrs_testkit::projections::given_events;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let deposits = given_events((1..=12).map(|number| {
//!     ("account", number % 3, Deposited { cents: number })
//! }));
//! let empty = async || MemoryModel::new(0);
//! deposits.clone().check_projection(|_| Total, empty, async |total| total.read(|cents| *cents)).all().await;
//!
//! let empty = async || MemoryView::<Balance>::new(Default::default());
//! deposits.check_view::<Balance, _, _>(empty, async |rows| rows.read(Clone::clone)).all().await;
//! # }
//! ```
//!
//! A read model in a database is made anew each time in the same way: in a new file, or a schema of its own.

mod checks;
mod events;
mod fold;
mod gate;
mod run;
mod tapped;

pub use self::checks::Checks;
pub use self::events::{GivenEvents, given_events};
