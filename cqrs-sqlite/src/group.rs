//! Several appends in one transaction, with one sync.

use async_trait::async_trait;
use cqrs_core::{
    Append, AppendError, Appended, GatherLimits, Group, Pending, StoreError, StoreErrorKind,
    StreamId,
};
use sqlx::sqlite::SqlitePool;

use crate::{append, error};

/// How much is stored at once. One transaction writes to a file at a time.
pub(crate) const LIMITS: GatherLimits =
    GatherLimits { in_flight: 1, events: 1_000, bytes: 4 << 20, waiting: 10_000 };

/// What stores the appends of a store.
pub(crate) struct Appends {
    pub(crate) writer: SqlitePool,
    pub(crate) readers: SqlitePool,
}

#[async_trait]
impl Group for Appends {
    type Job = Append;
    type Answer = Result<Appended, AppendError>;

    fn size(append: &Append) -> (usize, usize) {
        append.size()
    }

    fn stream(append: &Append) -> Option<&StreamId> {
        Some(append.stream())
    }

    fn ended(append: &Append) -> Self::Answer {
        Err(StoreError::outcome_unknown(append.stream()).into())
    }

    async fn one(&self, append: &Append) -> Result<Appended, AppendError> {
        append::append(&self.writer, &self.readers, append).await
    }

    async fn many(&self, appends: Vec<Pending<Self>>) {
        let together =
            if appends.len() > 1 { self.together(&appends).await } else { Ok(Vec::new()) };
        let is_in_doubt = together.as_ref().is_err_and(error::is_in_doubt);
        let mut stored = together.unwrap_or_default().into_iter();
        let mut rest = Vec::new();
        for pending in appends {
            match stored.next().flatten() {
                Some(appended) => pending.finish(Ok(appended)),
                None => rest.push(pending),
            }
        }
        // Refused, or in the way of the others. Each finds out for itself what is stored (G4).
        for pending in rest {
            let outcome = match self.one(pending.job()).await {
                Err(AppendError::Store(error)) if is_in_doubt => {
                    Err(in_doubt(pending.job(), error).into())
                }
                outcome => outcome,
            };
            pending.finish(outcome);
        }
    }
}

impl Appends {
    /// What became of each, in order; `None` where it was not stored.
    async fn together(
        &self,
        appends: &[Pending<Appends>],
    ) -> Result<Vec<Option<Appended>>, sqlx::Error> {
        // The lock that writers need is taken at once: what is read afterwards stays so.
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let mut outcomes = Vec::with_capacity(appends.len());
        for pending in appends {
            match append::insert(&mut *transaction, pending.job()).await {
                Ok(appended) => outcomes.push(appended),
                // The statement is undone, the transaction goes on.
                Err(refused) if error::is_unique_violation(&refused) => outcomes.push(None),
                Err(failed) => return Err(failed),
            }
        }
        transaction.commit().await?;
        Ok(outcomes)
    }
}

fn in_doubt(append: &Append, error: StoreError) -> StoreError {
    let context = format!("appending to stream `{}`: the file failed", append.stream());
    StoreError::new(StoreErrorKind::OutcomeUnknown, context).caused_by(error)
}
