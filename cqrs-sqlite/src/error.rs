//! From errors of SQLite to errors of the framework. No other file knows result codes.

use cqrs_core::{StoreError, StoreErrorKind};

// Primary result codes, see <https://www.sqlite.org/rescode.html>; the low byte of an extended one.
const ERROR: i32 = 1;
const PERM: i32 = 3;
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const PROTOCOL: i32 = 15;
const TOOBIG: i32 = 18;
const CONSTRAINT: i32 = 19;
const MISMATCH: i32 = 20;
const AUTH: i32 = 23;
const NOTADB: i32 = 26;

/// The error for what SQLite or the pool answered while `doing` something.
pub(crate) fn failed(doing: &str, error: sqlx::Error) -> StoreError {
    let (kind, advice) = explain(&error);
    StoreError::new(kind, format!("{doing}: {advice}")).caused_by(error)
}

/// The same for a statement that writes events: where it may have written, that is said.
pub(crate) fn append_failed(doing: &str, error: sqlx::Error) -> StoreError {
    if !is_in_doubt(&error) {
        return failed(doing, error);
    }
    let advice = "the file could not be written; check the disk and append the same events again";
    StoreError::new(StoreErrorKind::OutcomeUnknown, format!("{doing}: {advice}")).caused_by(error)
}

/// Whether what was to be written may be there all the same: a failed write or sync may have reached the disk, and a crash
/// right now would bring it to light.
pub(crate) fn is_in_doubt(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(IOERR) || matches!(error, sqlx::Error::WorkerCrashed)
}

/// The same for what the application has written, or has SQLite make: what is refused is wrong in itself.
pub(crate) fn refused(doing: &str, error: sqlx::Error) -> StoreError {
    let is_refused = primary_code(&error)
        .is_some_and(|code| [ERROR, TOOBIG, CONSTRAINT, MISMATCH].contains(&code));
    if !is_refused {
        return failed(doing, error);
    }
    let context = format!("{doing}: SQLite refuses it");
    StoreError::new(StoreErrorKind::InvalidInput, context).caused_by(error)
}

/// Whether a row was refused because another one like it is stored.
pub(crate) fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// Whether a statement of a handler failed because the file is not there for it.
pub(crate) fn is_outage(error: &sqlx::Error) -> bool {
    matches!(explain(error).0, StoreErrorKind::Busy | StoreErrorKind::Unavailable)
}

fn explain(error: &sqlx::Error) -> (StoreErrorKind, &'static str) {
    use StoreErrorKind::{Busy, Corrupt, InvalidInput, Other, Unavailable, Unsupported};
    if let Some(code) = primary_code(error) {
        return match code {
            BUSY | LOCKED | PROTOCOL => (
                Busy,
                "another connection has kept the database locked for longer than the busy timeout; \
                 end its long transaction, or raise the timeout",
            ),
            FULL => (Unavailable, "the disk is full; free some space"),
            READONLY | PERM | AUTH => (
                Unavailable,
                "the database may only be read; check the permissions of the file and its directory",
            ),
            CANTOPEN => (
                Unavailable,
                "the file can't be opened; check that it is a file, that its directory exists, and \
                 the permissions of both",
            ),
            IOERR => (Unavailable, "the file can't be read or written; check the disk"),
            CORRUPT => (
                Corrupt,
                "the file is damaged; restore a backup, or see `.recover` of the sqlite3 shell",
            ),
            NOTADB => (Unsupported, "the file is not an SQLite database"),
            TOOBIG => (InvalidInput, "more than SQLite takes in one statement; split it"),
            // The statements are fixed and tested, so it is the tables that are not as they were made.
            ERROR => (
                Unsupported,
                "the tables are not as this program made them; restore them from a backup",
            ),
            _ => (Other, "SQLite refused a statement"),
        };
    }
    match error {
        sqlx::Error::PoolTimedOut => {
            (Busy, "too much is going on at once: no connection came free within the busy timeout")
        }
        sqlx::Error::PoolClosed => (Unavailable, "the store has been closed; open it again"),
        sqlx::Error::Io(_) => (Unavailable, "the file can't be opened"),
        sqlx::Error::WorkerCrashed => (Unavailable, "the connection broke; try again"),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            (Corrupt, "a row holds something that was never stored there")
        }
        _ => (Other, "the database driver failed"),
    }
}

fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<i32>().ok().map(|extended| extended & 0xff)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::error::Error;
    use std::fmt;

    use sqlx::error::{DatabaseError, ErrorKind};

    use super::*;

    /// What the driver makes of a result code, for codes that a test can't provoke.
    #[derive(Debug)]
    struct Refusal(i32);

    impl fmt::Display for Refusal {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "code {}", self.0)
        }
    }

    impl Error for Refusal {}

    impl DatabaseError for Refusal {
        fn message(&self) -> &'static str {
            "refused"
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.to_string().into())
        }

        fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }
    }

    fn refusal(code: i32) -> sqlx::Error {
        sqlx::Error::Database(Box::new(Refusal(code)))
    }

    #[test]
    fn g8_an_outage_is_told_from_the_fault_of_an_event() {
        assert!(is_outage(&sqlx::Error::PoolTimedOut));
        assert!(!is_outage(&sqlx::Error::RowNotFound));
    }

    #[test]
    fn result_codes_become_kinds_and_advice() {
        use StoreErrorKind::{Busy, Corrupt, InvalidInput, Other, Unavailable, Unsupported};
        for (code, kind, advice) in [
            (5, Busy, "long transaction"),
            (517, Busy, "long transaction"),
            (6, Busy, "long transaction"),
            (15, Busy, "long transaction"),
            (1032, Unavailable, "permissions"),
            (13, Unavailable, "free some space"),
            (14, Unavailable, "directory exists"),
            (266, Unavailable, "check the disk"),
            (11, Corrupt, "restore a backup"),
            (26, Unsupported, "not an SQLite database"),
            (1, Unsupported, "restore them from a backup"),
            (18, InvalidInput, "split it"),
            (7, Other, "refused a statement"),
        ] {
            let error = failed("reading stream `account/1`", refusal(code));
            let message = error.to_string();
            assert_eq!(error.kind(), kind, "{message}");
            assert!(message.contains("reading stream `account/1`"), "{message}");
            assert!(message.contains(advice), "{message}");
        }
    }

    #[test]
    fn g4_an_append_whose_outcome_is_unknown_says_so() {
        for broken in [refusal(1034), sqlx::Error::WorkerCrashed] {
            let error = append_failed("appending", broken);
            assert_eq!(error.kind(), StoreErrorKind::OutcomeUnknown);
            assert!(error.may_retry());
        }
        // SQLite undoes these itself.
        let error = append_failed("appending", refusal(13));
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    }
}
