//! The lock of stored shapes: what changes it, and what it says of each.

mod breaking;
mod file;
mod samples;

use std::path::PathBuf;

use cqrs_core::Catalogue;
use cqrs_testkit::{Mode, verify_lock};
use tempfile::TempDir;

/// A release of a program: the variants of its events, and what else they need.
macro_rules! release {
    ($(ignore($($ignored:literal),*))? events { $($variants:tt)* } $($item:item)*) => {{
        use cqrs_core::{Apply, Catalogue};
        use cqrs_derive::{Aggregate, Event};
        #[allow(unused_imports, reason = "not every release needs them")]
        use cqrs_core::{Draft, UpcastError};
        use serde::{Deserialize, Serialize};

        #[derive(Serialize, Deserialize, Event)]
        #[event(prefix = "account", crate = cqrs_core)]
        #[allow(dead_code, reason = "only described")]
        enum AccountEvent { $($variants)* }

        #[derive(Default, Aggregate)]
        #[aggregate(
            category = "account", events(AccountEvent), crate = cqrs_core $(, ignore($($ignored),*))?
        )]
        struct Account;

        impl Apply<AccountEvent> for Account {
            fn apply(&mut self, _: AccountEvent) {}
        }

        $($item)*

        Catalogue::new().aggregate::<Account>()
    }};
}
use release;

/// A lock in a directory of its own.
struct Locked {
    directory: TempDir,
}

impl Locked {
    fn empty() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    /// The lock of this program.
    fn of(catalogue: &Catalogue) -> Self {
        let lock = Self::empty();
        lock.verify(catalogue, Mode::Write).unwrap();
        lock
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("events.lock")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }

    /// What is wrong, without the path.
    fn verify(&self, catalogue: &Catalogue, mode: Mode) -> Result<(), String> {
        let path = self.path();
        verify_lock(&path, catalogue, mode)
            .map_err(|error| error.to_string().replace(&path.display().to_string(), "events.lock"))
    }

    /// It is refused, also where what is new is to be recorded, and nothing is recorded. Then it is accepted.
    #[track_caller]
    fn refuses(&self, catalogue: &Catalogue, parts: &[&str]) -> String {
        let before = self.text();
        let message = self.verify(catalogue, Mode::Check).unwrap_err();
        for part in parts {
            assert!(message.contains(part), "{part:?} is missing in\n{message}");
        }
        assert_eq!(self.verify(catalogue, Mode::Write).unwrap_err(), message);
        assert_eq!(self.text(), before);
        self.verify(catalogue, Mode::Accept).unwrap();
        self.verify(catalogue, Mode::Check).unwrap();
        message
    }

    /// It is refused until it is recorded as new.
    #[track_caller]
    fn records(&self, catalogue: &Catalogue, parts: &[&str]) -> String {
        let message = self.verify(catalogue, Mode::Check).unwrap_err();
        for part in parts.iter().chain(&["EVENTS_LOCK=write cargo test"]) {
            assert!(message.contains(part), "{part:?} is missing in\n{message}");
        }
        assert!(!message.contains('✗'), "{message}");
        self.verify(catalogue, Mode::Write).unwrap();
        self.verify(catalogue, Mode::Check).unwrap();
        message
    }

    /// It is no change.
    #[track_caller]
    fn passes(&self, catalogue: &Catalogue) {
        let before = self.text();
        for mode in [Mode::Check, Mode::Write, Mode::Accept] {
            self.verify(catalogue, mode).unwrap();
            assert_eq!(self.text(), before);
        }
    }
}
