//! The test kit, tested: good stores pass the suite and bad ones fail it; what given/when/then says when it
//! fails.

#![allow(clippy::unwrap_used, reason = "what fails in a test fails the test")]

mod faulty;
mod flawed;
mod given;
mod late;
mod lock;
mod memory;
mod refused;
mod rows;
