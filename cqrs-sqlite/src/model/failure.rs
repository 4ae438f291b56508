//! Errors on their way to those who know what was being done.

use cqrs_core::StoreError;

use crate::error;

/// What went wrong while something was being done that is not named yet.
#[derive(Debug)]
pub(super) enum Failure {
    /// SQLite or the pool has failed.
    Driver(sqlx::Error),
    /// It is told already.
    Told(StoreError),
}

impl Failure {
    pub(super) fn while_doing(self, doing: &str) -> StoreError {
        match self {
            Self::Driver(failed) => error::failed(doing, failed),
            Self::Told(error) => error,
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(failed: sqlx::Error) -> Self {
        Self::Driver(failed)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Told(error)
    }
}
