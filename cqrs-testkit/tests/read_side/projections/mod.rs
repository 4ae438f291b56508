//! The kit for views and projections: folds as functions, runs over given events, and checks that find what is broken.

mod checks;
mod domain;
mod folds;
mod runs;
