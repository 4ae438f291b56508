//! Models of the protocols of this workspace, checked over every interleaving.
//!
//! Each module is one protocol, reduced to what its guarantee rests on: a state, the steps that may come next, and what
//! must never be or must be at the end. `search.rs` tries every order of steps, those of failures included. The
//! documentation of a module says which function or statement of the code each step stands for; where one of these
//! changes, so must the model.
//!
//! A model that finds nothing wrong says little by itself. So each protocol is also tried in variants that are known to
//! be wrong, most of them ways in which others have built it: the search has to find what is wrong with each.
//!
//! `cargo test --package cqrs-models -- --nocapture` prints how many states were looked at, and how each of the wrong
//! variants fails.

#[cfg(test)]
mod group_commit;
#[cfg(test)]
mod lanes;
#[cfg(test)]
mod leases;
#[cfg(test)]
mod receipts;
#[cfg(test)]
mod search;
#[cfg(test)]
mod versions;
#[cfg(test)]
mod visibility;
