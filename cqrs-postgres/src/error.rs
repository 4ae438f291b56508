//! What failures of the database mean for the caller. Nothing else in this crate knows error codes of Postgres.

use std::io::ErrorKind;

use cqrs_core::{StoreError, StoreErrorKind};
use sqlx::Error;

/// What a failed statement calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The connection or the server went away. The statement took effect or not.
    Lost,
    /// The server undid the statement in favour of another transaction: repeat it.
    Undone,
    /// The server does not accept writes, as a former primary that follows another one now. The statement had no
    /// effect; a new connection may lead to the primary.
    Demoted,
    /// Another event has the version or the id of one to be inserted.
    Taken(Constraint),
    /// Repeating the statement at once would not help.
    Final(StoreErrorKind),
}

/// The constraints that decide about appends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Constraint {
    /// A stream has one event of each version.
    StreamVersion,
    /// An event id is stored once.
    EventId,
}

/// What a failed statement calls for.
pub(crate) fn classify(error: &Error) -> Failure {
    match error {
        // After a breach of the protocol nothing more can be learned from the connection.
        Error::Io(_) | Error::Protocol(_) | Error::WorkerCrashed => Failure::Lost,
        Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            classify_code(&code, database.constraint().unwrap_or_default())
        }
        Error::PoolTimedOut => Failure::Final(StoreErrorKind::Busy),
        Error::PoolClosed => Failure::Final(StoreErrorKind::Unavailable),
        Error::Configuration(_) | Error::Tls(_) => Failure::Final(StoreErrorKind::Unsupported),
        Error::ColumnDecode { .. } | Error::Decode(_) | Error::RowNotFound => {
            Failure::Final(StoreErrorKind::Corrupt)
        }
        _ => Failure::Final(StoreErrorKind::Other),
    }
}

/// Whether a statement of a handler failed because the server is not there for it.
pub(crate) fn is_outage(error: &Error) -> bool {
    matches!(
        classify(error),
        Failure::Lost
            | Failure::Undone
            | Failure::Demoted
            | Failure::Final(StoreErrorKind::Unavailable)
    )
}

fn classify_code(code: &str, constraint: &str) -> Failure {
    use StoreErrorKind::{Busy, InvalidInput, Other, Unavailable, Unsupported};
    match code {
        // connection exceptions; shutdown, crash, starting up; closed for being idle, alone or in a transaction
        _ if code.starts_with("08") => Failure::Lost,
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => Failure::Lost,
        // serialization failure, deadlock
        "40001" | "40P01" => Failure::Undone,
        "23505" if constraint == "events_stream_key" => Failure::Taken(Constraint::StreamVersion),
        "23505" if constraint == "events_event_id_key" => Failure::Taken(Constraint::EventId),
        // read-only transaction
        "25006" => Failure::Demoted,
        // lock not available, statement cancelled (also by a timeout)
        "55P03" | "57014" => Failure::Final(Busy),
        // disk full; out of memory, too many connections, and other limits that others may be at
        "53100" => Failure::Final(Unavailable),
        // files of the server can't be read or written
        _ if code.starts_with("58") => Failure::Final(Unavailable),
        _ if code.starts_with("53") => Failure::Final(Busy),
        // check violation, text that is not JSON, text the encoding of the database lacks, row or index entry too large
        "23514" | "22P02" | "22P05" | "22021" | "54000" => Failure::Final(InvalidInput),
        // privilege missing, schema missing, table missing, column missing, no such database,
        // authentication failed
        "42501" | "3F000" | "42P01" | "42703" | "3D000" => Failure::Final(Unsupported),
        _ if code.starts_with("28") => Failure::Final(Unsupported),
        _ => Failure::Final(Other),
    }
}

const NO_TLS: &str = " (for an encrypted connection, the server has to offer TLS, with a certificate that is trusted \
                      here, and the program needs the feature `tls` of `cqrs-postgres`, which is `postgres-tls` of \
                      `cqrs`)";

/// What to do about a failure, where it is not said by its kind.
fn advice(error: &Error) -> &'static str {
    let database = match error {
        Error::Database(database) => database,
        Error::Tls(_) => return NO_TLS,
        _ => return "",
    };
    match database.code().as_deref() {
        Some("23505") if database.constraint() == Some("events_pkey") => {
            " (the sequence cqrs.events_position_seq is behind the events: set it to the highest position)"
        }
        Some("25P02") => {
            " (a statement of the transaction has failed before: whoever sent it has to return its error)"
        }
        Some("25006") => " (the store needs the primary server and transactions that may write)",
        Some("42501") => " (the role lacks a privilege; the migrations list what it needs)",
        Some("3F000" | "42P01" | "42703") => {
            " (the schema `cqrs` of the store is missing or changed)"
        }
        Some("40001" | "40P01") => {
            " (the server undid the transaction in favour of another: run it again)"
        }
        _ => "",
    }
}

/// The error where no session could be had. A server that can't begin one, as on a full disk, says so in many ways: some
/// other time it can.
pub(crate) fn no_session(doing: &str, error: Error) -> StoreError {
    if classify(&error) == Failure::Final(StoreErrorKind::Other) {
        return StoreError::new(StoreErrorKind::Unavailable, doing).caused_by(error);
    }
    store_error(doing, error)
}

/// The same of the first session of all: a certificate that is not trusted from the beginning will not be later either. It
/// arrives as data that is not valid.
pub(crate) fn no_first_session(doing: &str, error: Error) -> StoreError {
    if matches!(&error, Error::Io(error) if error.kind() == ErrorKind::InvalidData) {
        let context = format!("{doing}{NO_TLS}");
        return StoreError::new(StoreErrorKind::Unsupported, context).caused_by(error);
    }
    no_session(doing, error)
}

/// The error for a statement that failed while `doing` something, and had no effect.
pub(crate) fn store_error(doing: &str, error: Error) -> StoreError {
    let kind = match classify(&error) {
        Failure::Lost | Failure::Demoted => StoreErrorKind::Unavailable,
        Failure::Undone => StoreErrorKind::Busy,
        Failure::Taken(_) => StoreErrorKind::Other,
        Failure::Final(kind) => kind,
    };
    StoreError::new(kind, format!("{doing}{}", advice(&error))).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g8_an_outage_is_told_from_the_fault_of_an_event() {
        assert!(is_outage(&Error::Io(ErrorKind::ConnectionReset.into())));
        assert!(is_outage(&Error::PoolClosed));
        assert!(!is_outage(&Error::RowNotFound));
        assert!(!is_outage(&Error::ColumnNotFound("sum".to_owned())));
    }

    #[test]
    fn codes_mean_what_the_caller_does_next() {
        use StoreErrorKind::{Busy, InvalidInput, Other, Unavailable, Unsupported};
        let cases = [
            ("08006", "", Failure::Lost),
            ("57P01", "", Failure::Lost),
            ("40001", "", Failure::Undone),
            ("40P01", "", Failure::Undone),
            ("23505", "events_stream_key", Failure::Taken(Constraint::StreamVersion)),
            ("23505", "events_event_id_key", Failure::Taken(Constraint::EventId)),
            ("23505", "events_pkey", Failure::Final(Other)),
            ("57014", "", Failure::Final(Busy)),
            ("53100", "", Failure::Final(Unavailable)),
            ("58030", "", Failure::Final(Unavailable)),
            ("53200", "", Failure::Final(Busy)),
            ("53300", "", Failure::Final(Busy)),
            ("25006", "", Failure::Demoted),
            ("22P02", "", Failure::Final(InvalidInput)),
            ("28P01", "", Failure::Final(Unsupported)),
            ("42P01", "", Failure::Final(Unsupported)),
            ("XX000", "", Failure::Final(Other)),
        ];
        for (code, constraint, expected) in cases {
            assert_eq!(classify_code(code, constraint), expected, "{code} {constraint}");
        }
    }
}
