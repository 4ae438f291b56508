//! The suite of read models: the reference passes it, and has teeth.

mod fixture;
mod flawed;
mod memory;
