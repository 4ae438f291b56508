//! Each kind of breach, made by hand in evidence that is sound otherwise, is found, and nothing is found where there is
//! none.

mod made;

use self::made::{
    VAULT, WALLET, called, deposit, done, ended, evidence, failed, purse, rewrite, sound, wallet,
    without,
};
use super::{Breach, Evidence, Stored, check};
use crate::history::{Action, Outcome};
use crate::worker::Followed;

fn breaches(evidence: &Evidence) -> Vec<Breach> {
    let mut breaches: Vec<Breach> =
        check(evidence).into_iter().map(|violation| violation.breach).collect();
    breaches.sort_unstable();
    breaches.dedup();
    breaches
}

/// Changes what is sound, and expects the breach to be found.
#[track_caller]
fn finds(breach: Breach, change: impl FnOnce(&mut Evidence)) {
    let mut evidence = sound();
    change(&mut evidence);
    let found = breaches(&evidence);
    assert!(found.contains(&breach), "{breach:?} is not among {found:?}");
}

/// The same, where nothing else is to be found.
#[track_caller]
fn finds_only(breach: Breach, change: impl FnOnce(&mut Evidence)) {
    let mut evidence = sound();
    change(&mut evidence);
    assert_eq!(breaches(&evidence), [breach]);
}

#[test]
fn nothing_is_found_where_there_is_nothing() {
    assert_eq!(check(&sound()), []);
    assert_eq!(check(&Evidence::default()), []);
}

#[test]
fn an_unknown_operation_may_be_there_or_not() {
    assert_eq!(check(&without(&sound(), "u")), []);
}

#[test]
fn an_acknowledged_event_that_is_missing() {
    finds(Breach::Lost, |evidence| *evidence = without(evidence, "m"));
    finds(Breach::Lost, |evidence| {
        *evidence = without(evidence, "u");
        rewrite(evidence, "u", &Outcome::Found);
    });
}

#[test]
fn a_refused_command_that_is_stored() {
    for (op, seen) in [("m", purse(20, 0, 2)), ("u", purse(11, 5, 5))] {
        finds_only(Breach::Undead, |evidence| rewrite(evidence, op, &Outcome::Refused { seen }));
    }
}

#[test]
fn a_refusal_after_a_call_that_was_given_up_is_the_last_word() {
    finds_only(Breach::Undead, |evidence| {
        rewrite(evidence, "u", &Outcome::Cancelled);
        let lines = &mut evidence.histories[1].lines;
        lines.push(called("u", deposit(1, 1)));
        // In the state after the event itself.
        lines.push(ended("u", Outcome::Refused { seen: purse(12, 5, 6) }));
    });
}

#[test]
fn what_was_refused_may_be_carried_out_later() {
    let mut evidence = sound();
    let lines = &mut evidence.histories[1].lines;
    let at = lines.iter().position(|line| line.op == "u").unwrap();
    lines.insert(at, called("u", deposit(1, 1)));
    lines.insert(at + 1, ended("u", Outcome::Refused { seen: purse(11, 5, 5) }));
    assert_eq!(check(&evidence), []);
}

#[test]
fn a_command_that_failed_for_certain_and_is_stored() {
    finds_only(Breach::Undead, |evidence| rewrite(evidence, "u", &failed("Unavailable")));
}

#[test]
fn a_command_that_is_stored_twice() {
    finds(Breach::Doubled, |evidence| {
        let mut log = evidence.log.clone();
        log.push(evidence.log[7].clone());
        let histories = evidence.histories.iter().map(|history| history.lines.clone()).collect();
        *evidence = self::evidence(log, histories);
    });
}

#[test]
fn a_command_that_is_stored_in_part_or_with_others_between() {
    let changes: [fn(&mut Vec<Stored>); 2] = [|log| drop(log.remove(3)), |log| log.swap(3, 4)];
    for change in changes {
        finds(Breach::Partial, |evidence| {
            let mut log = evidence.log.clone();
            change(&mut log);
            let histories =
                evidence.histories.iter().map(|history| history.lines.clone()).collect();
            *evidence = self::evidence(log, histories);
        });
    }
}

#[test]
fn a_transfer_of_which_one_step_is_missing() {
    finds(Breach::Torn, |evidence| *evidence = without(evidence, "t/in"));
    finds(Breach::Torn, |evidence| *evidence = without(evidence, "t/out"));
}

#[test]
fn an_event_that_nobody_asked_for() {
    finds(Breach::Unasked, |evidence| {
        evidence.histories[0].lines.retain(|line| line.op != "m");
    });
}

#[test]
fn an_acknowledged_event_in_another_place() {
    finds_only(Breach::Misplaced, |evidence| rewrite(evidence, "m", &done(3, 4)));
    finds_only(Breach::Misplaced, |evidence| rewrite(evidence, "m", &done(4, 3)));
}

#[test]
fn versions_with_a_gap_or_twice() {
    for version in [7, 3] {
        finds(Breach::Gap, |evidence| {
            evidence.log[4].version = version;
        });
    }
}

#[test]
fn positions_and_versions_that_do_not_rise() {
    finds(Breach::Disorder, |evidence| evidence.log[4].position = 3);
    finds(Breach::Disorder, |evidence| {
        evidence.log[2].version = 4;
        evidence.log[3].version = 3;
    });
}

#[test]
fn an_event_that_was_decided_on_in_another_state() {
    finds_only(Breach::Misjudged, |evidence| evidence.log[7].mark.seen.left += 1);
}

#[test]
fn a_state_that_never_was() {
    let state = purse(16, 5, 4);
    finds_only(Breach::Mirage, |evidence| {
        rewrite(evidence, "l", &Outcome::Saw { version: 4, state });
    });
    finds_only(Breach::Mirage, |evidence| {
        rewrite(evidence, "r", &Outcome::Refused { seen: purse(21, 0, 2) });
    });
    finds_only(Breach::Mirage, |evidence| {
        rewrite(evidence, "l", &Outcome::Saw { version: 99, state });
    });
}

#[test]
fn a_state_that_is_older_than_what_was_known() {
    finds_only(Breach::Stale, |evidence| {
        rewrite(evidence, "l", &Outcome::Saw { version: 2, state: purse(20, 0, 2) });
    });
    finds_only(Breach::Stale, |evidence| {
        rewrite(evidence, "r", &Outcome::Refused { seen: purse(10, 0, 1) });
    });
    // An operation that began when more was known than where it ends up.
    finds_only(Breach::Stale, |evidence| {
        let lines = &mut evidence.histories[0].lines;
        let at = lines.iter().position(|line| line.op == "m").unwrap();
        let saw = Outcome::Saw { version: 5, state: purse(11, 5, 5) };
        lines.insert(at, called("k", Action::Look { place: wallet() }));
        lines.insert(at + 1, ended("k", saw));
        lines.retain(|line| line.op != "l");
    });
}

#[test]
fn a_state_that_is_loaded_wrong() {
    finds_only(Breach::Misloaded, |evidence| {
        evidence.loaded.insert(WALLET.to_owned(), (6, purse(13, 5, 6)));
    });
    finds_only(Breach::Misloaded, |evidence| {
        evidence.loaded.remove(VAULT);
    });
}

#[test]
fn a_pocket_with_less_than_nothing() {
    finds(Breach::Overdrawn, |evidence| evidence.log[2].left = -25);
}

#[test]
fn money_that_came_from_nowhere() {
    finds(Breach::Money, |evidence| evidence.log[1].left += 1);
    finds(Breach::Money, |evidence| evidence.log[3].right += 1);
}

#[test]
fn a_log_that_is_read_wrong() {
    finds_only(Breach::Misread, |evidence| drop(evidence.read.pop()));
    finds_only(Breach::Misread, |evidence| evidence.read.swap(2, 3));
}

#[test]
fn a_subscription_that_missed_something_or_saw_it_twice_or_in_disorder() {
    finds_only(Breach::Missed, |evidence| drop(evidence.followed[0].1.remove(3)));
    finds_only(Breach::SeenTwice, |evidence| {
        let again = evidence.followed[0].1[3].clone();
        evidence.followed[0].1.insert(4, again);
    });
    finds_only(Breach::SeenInDisorder, |evidence| evidence.followed[0].1.swap(3, 4));
    finds_only(Breach::SeenTwice, |evidence| {
        let (position, version) = (99, 99);
        let stream = WALLET.to_owned();
        evidence.followed[0].1.push(Followed { position, stream, version });
    });
}

#[test]
fn a_projection_that_missed_something_or_took_it_twice_or_in_disorder() {
    finds_only(Breach::Missed, |evidence| drop(evidence.mended.applied.remove(2)));
    finds_only(Breach::SeenTwice, |evidence| {
        let again = evidence.mended.applied[2].clone();
        evidence.mended.applied.insert(3, again);
    });
    finds_only(Breach::SeenInDisorder, |evidence| evidence.mended.applied.swap(2, 3));
}

#[test]
fn rows_that_are_not_what_the_events_fold_to() {
    finds_only(Breach::View, |evidence| {
        evidence.mended.counters.insert(WALLET.to_owned(), 7);
    });
    finds_only(Breach::View, |evidence| {
        evidence.mended.balances.insert(WALLET.to_owned(), (purse(1, 1, 6), 6));
    });
    finds_only(Breach::View, |evidence| {
        evidence.mended.balances.remove(VAULT);
    });
    finds_only(Breach::View, |evidence| {
        evidence.mended.totals.insert("wallet".to_owned(), (0, 6));
    });
    finds_only(Breach::View, |evidence| {
        evidence.parked.balances.insert("wallet/odd".to_owned(), (purse(0, 0, 0), 0));
    });
}

#[test]
fn a_stream_that_is_parked_or_not_against_expectation() {
    finds_only(Breach::Parked, |evidence| {
        evidence.parked.parked.insert(("applied".to_owned(), WALLET.to_owned(), 1));
    });
    finds_only(Breach::Parked, |evidence| drop(evidence.parked.parked.pop_first()));
    finds_only(Breach::Parked, |evidence| {
        evidence.mended.parked.insert(("totals".to_owned(), VAULT.to_owned(), 2));
    });
    // Parked, and all the same its event was taken.
    finds(Breach::SeenTwice, |evidence| evidence.parked.applied = evidence.mended.applied.clone());
}

#[test]
fn a_failure_that_no_fault_explains() {
    finds_only(Breach::Failure, |evidence| rewrite(evidence, "f", &failed("Decode")));
}
