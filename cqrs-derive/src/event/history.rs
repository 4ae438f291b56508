//! Checks the versions and steps of an event type: every version that may be stored has its way to the one this program
//! knows.

use std::collections::BTreeMap;

use proc_macro2::Ident;
use syn::ExprPath;

use super::options::{Options, SourceOptions};
use super::steps::WrittenStep;
use super::{History, Source, Step, Written};
use crate::attr::Slot;
use crate::errors::Errors;

pub(super) fn history(options: Options, errors: &mut Errors) -> History {
    let Options { version, upcast, sources, retired, write_version, downcast, .. } = options;
    let number = version.get().copied().unwrap_or(1);
    let steps = own_steps(&version, number, &upcast, errors);
    let sources = sources.into_iter().map(|written| source(written, number, errors)).collect();
    let written = written(retired.key(), &write_version, &downcast, number, errors);
    History { version: number, steps, sources, written }
}

/// The steps of the type itself: one from each version before the one it is at.
fn own_steps(
    given: &Slot<u32>,
    version: u32,
    upcast: &Slot<Vec<WrittenStep>>,
    errors: &mut Errors,
) -> Vec<Step> {
    let steps = Steps::of(upcast, "from", errors);
    match (given.key(), upcast.key()) {
        (Some(key), None) if version > 1 => errors.at(
            key,
            format_args!(
                "events of {} may be stored: write the step from each version to the next, `{}`, each a function or \
                 `type` and the shape before it; an event type of which nothing is stored yet is at version 1",
                match version {
                    2 => "version 1".to_owned(),
                    _ => format!("versions 1 to {}", version - 1),
                },
                steps.list("upcast", 1, version - 1),
            ),
        ),
        (None, Some(key)) => errors.at(
            key,
            format_args!(
                "to which version do the steps lead? write `version = {}` beside `upcast`",
                steps.last().saturating_add(1).max(2),
            ),
        ),
        (Some(_), Some(key)) => {
            for surplus in steps.0.range(version..).map(|(_, step)| step) {
                let from = surplus.version;
                let mend = from.checked_add(1).map(|next| format!(", or write `version = {next}`"));
                errors.at(
                    &surplus.literal,
                    format_args!(
                        "this program knows the event type up to `version = {version}`, so no step leads from \
                         version {from}: remove it{}",
                        mend.unwrap_or_default(),
                    ),
                );
            }
            if let Some(missing) = steps.gap(1, version - 1) {
                errors.at(
                    key,
                    format_args!(
                        "the step from version {missing} to {} is missing: write `{}`",
                        missing + 1,
                        steps.list("upcast", 1, version - 1),
                    ),
                );
            }
        }
        _ => {}
    }
    steps.into_list()
}

fn source(written: SourceOptions, version: u32, errors: &mut Errors) -> Source {
    let SourceOptions { key, name, upcast, into } = written;
    let stored = name.value();
    let steps = Steps::of(&upcast, "from", errors);
    let last = steps.last();
    match upcast.key() {
        None => errors.at(
            &key,
            format_args!(
                "what becomes of the events stored as {stored:?}? write their steps, `from({stored:?}, upcast(1 => \
                 …))`; if they are the same under another name, write `alias = {stored:?}`",
            ),
        ),
        Some(key) => {
            if let Some(missing) = steps.gap(1, last) {
                errors.at(
                    key,
                    format_args!(
                        "the step from version {missing} of {stored:?} is missing: write `{}`",
                        steps.list("upcast", 1, last),
                    ),
                );
            }
        }
    }
    match (into.get(), into.key()) {
        (Some(given), Some(key)) if *given > version => errors.at(
            key,
            format_args!(
                "the event type has no version {given}, but {}",
                match version {
                    1 => "version 1 only: remove `into`".to_owned(),
                    _ => format!("versions 1 to {version}: write one of them, such as `into = {version}`"),
                },
            ),
        ),
        (None, _) if version > 1 => errors.at(
            &key,
            format_args!(
                "to which version of this event type do the steps of {stored:?} lead? write `into = {version}` inside \
                 `from(…)`, or an earlier version, from which the steps of the event type go on",
            ),
        ),
        _ => {}
    }
    let into = into.get().map_or(1, |into| (*into).min(version));
    Source { name: stored, steps: steps.into_list(), into }
}

fn written(
    retired: Option<&Ident>,
    write_version: &Slot<u32>,
    downcast: &Slot<Vec<WrittenStep>>,
    version: u32,
    errors: &mut Errors,
) -> Written {
    if let Some(retired) = retired {
        for key in [write_version.key(), downcast.key()].into_iter().flatten() {
            errors.at(
                key,
                format_args!(
                    "a retired event type is not written at any version: remove `{key}`, or remove `retired`"
                ),
            );
        }
        return Written::Never(retired.span());
    }
    let steps = Steps::of(downcast, "back from", errors);
    match (write_version.key(), write_version.get(), downcast.key()) {
        (Some(key), Some(at), downcast) if *at < version => {
            check_way_back(&steps, *at, version, downcast.unwrap_or(key), errors);
            Written::Earlier(*at, steps.into_functions())
        }
        (Some(key), Some(at), downcast) => {
            let message = if *at == version {
                format!(
                    "version {version} is written without it: remove `write_version`{}{}",
                    if downcast.is_some() { " and `downcast`" } else { "" },
                    if version > 1 { ", or write an earlier version" } else { "" },
                )
            } else {
                format!(
                    "the event type has no version {at}, it is at version {version}: write an earlier version, or \
                     remove `write_version`"
                )
            };
            errors.at(key, message);
            Written::AsItIs
        }
        (_, _, Some(key)) => {
            let first = steps.0.keys().next().copied().unwrap_or(2);
            errors.at(
                key,
                format_args!(
                    "to which version do the steps lead back? write `write_version = {}` beside `downcast`",
                    first.saturating_sub(1).max(1),
                ),
            );
            Written::AsItIs
        }
        _ => Written::AsItIs,
    }
}

/// Whether there is one step back from each version after `at`, up to `version`.
fn check_way_back(steps: &Steps<'_>, at: u32, version: u32, key: &Ident, errors: &mut Errors) {
    for step in steps.0.values() {
        let from = step.version;
        if from <= at {
            errors.at(
                &step.literal,
                format_args!(
                    "`write_version = {at}` is where the steps lead to, so none leads back from version {from}: \
                     remove it"
                ),
            );
        } else if from > version {
            errors.at(
                &step.literal,
                format_args!(
                    "the event type has no version {from}, it is at version {version}: remove the step"
                ),
            );
        }
    }
    if let Some(missing) = steps.gap(at + 1, version) {
        errors.at(
            key,
            format_args!(
                "the step back from version {missing} to {} is missing: write `{}`",
                missing - 1,
                steps.list("downcast", at + 1, version),
            ),
        );
    }
}

/// Steps by their versions.
struct Steps<'a>(BTreeMap<u32, &'a WrittenStep>);

impl<'a> Steps<'a> {
    fn of(written: &'a Slot<Vec<WrittenStep>>, leads: &str, errors: &mut Errors) -> Self {
        let mut steps = BTreeMap::new();
        for step in written.get().into_iter().flatten() {
            let version = step.version;
            if steps.insert(version, step).is_some() {
                errors.at(
                    &step.literal,
                    format_args!(
                        "the step {leads} version {version} is given twice; keep one of the two"
                    ),
                );
            }
        }
        Self(steps)
    }

    /// The last version with a step; 0 without any.
    fn last(&self) -> u32 {
        self.0.keys().next_back().copied().unwrap_or(0)
    }

    /// The first of these versions without a step.
    fn gap(&self, first: u32, last: u32) -> Option<u32> {
        (first..=last).find(|version| !self.0.contains_key(version))
    }

    /// The list as it should be, as far as it is known.
    fn list(&self, key: &str, first: u32, last: u32) -> String {
        const SHOWN: u32 = 12;
        let shown = first..=last.min(first.saturating_add(SHOWN - 1));
        let steps = shown.map(|version| match self.0.get(&version) {
            Some(step) => format!("{version} => {}", step.by),
            None => format!("{version} => …"),
        });
        let mut steps: Vec<String> = steps.collect();
        if last.saturating_sub(first) >= SHOWN {
            steps.push("…".to_owned());
        }
        format!("{key}({})", steps.join(", "))
    }

    /// The functions, the latest first.
    fn into_functions(self) -> Vec<ExprPath> {
        let functions = self.0.into_values().rev().filter_map(|step| match &step.by {
            Step::Function(path) => Some(path.clone()),
            Step::Type(_) => None,
        });
        functions.collect()
    }

    fn into_list(self) -> Vec<Step> {
        self.0.into_values().map(|step| step.by.clone()).collect()
    }
}
