use super::{Append, Expected, Flaw, PROTOCOL, Protocol, append};
use crate::search::{fails, holds};

const ONE: &[Append] = &[append(0, Expected::Exact(0))];

/// Three appends to one stream and one to another.
const ONE_STREAM: &[Append] = &[
    append(1, Expected::Any),
    append(0, Expected::Any),
    append(0, Expected::Any),
    append(0, Expected::Any),
];

#[test]
fn g2_g4_g14_an_append_in_a_batch_suffers_from_no_other() {
    let rival = Protocol { rivals: 1, ..PROTOCOL };
    holds("group commit, another program", &rival, 500);
    let cancelled = Protocol { cancels: 2, in_flight: 2, ..PROTOCOL };
    holds("group commit, callers that go away", &cancelled, 1_000);
    let lost = Protocol { losses: 2, ..PROTOCOL };
    holds("group commit, connections that are lost", &lost, 5_000);
    let all = Protocol { losses: 1, cancels: 1, rivals: 1, ..PROTOCOL };
    holds("group commit, all of that", &all, 10_000);
    let two = Protocol { losses: 1, rivals: 1, in_flight: 2, ..PROTOCOL };
    holds("group commit, two commits at a time", &two, 10_000);
    let one_stream = Protocol { appends: ONE_STREAM, ..PROTOCOL };
    holds("group commit, appends to one stream", &one_stream, 500);
}

#[test]
fn g3_what_is_acknowledged_survives_a_crash_of_the_server() {
    let crash = Protocol { crashes: 1, ..PROTOCOL };
    holds("group commit, a crash of the server", &crash, 300);
    let unflushed = Protocol { flaw: Flaw::DoesNotFlush, ..crash };
    fails("a commit that does not wait for the disk", &unflushed, "not where it was said");
}

#[test]
fn g2_g4_g14_every_part_of_group_commit_is_needed() {
    let flaw = |flaw| Protocol { flaw, ..PROTOCOL };
    let lost = |name| Protocol { losses: 1, ..flaw(name) };
    let any = Protocol { appends: ONE_STREAM, ..lost(Flaw::NoIds) };
    fails("repeated without looking for the events", &any, "is stored twice");
    let exact = Protocol { appends: ONE, ..any };
    fails("the same, expecting a version", &exact, "said not to be");
    fails("lost means failed", &lost(Flaw::LostIsFailed), "said not to be");
    fails("one fails, and all with it", &flaw(Flaw::OneFailsAll), "failed because of another");
    let cancelled = |name| Protocol { cancels: 1, ..flaw(name) };
    fails("a turn that is dropped", &cancelled(Flaw::DropsTurn), "no way to the end");
    fails("stored for nobody", &cancelled(Flaw::StoresTheGone), "after nobody waited");
    let one_stream = Protocol { appends: ONE_STREAM, ..flaw(Flaw::PassedGoLast) };
    fails("those passed over go last", &one_stream, "out of order");
}

/// A stream that is behind what is expected may come there while a lost statement is still under way.
#[test]
fn g4_a_conflict_after_a_loss_is_not_always_the_last_word() {
    const AHEAD: &[Append] = &[append(0, Expected::Exact(1))];
    let ahead = Protocol { appends: AHEAD, rivals: 1, losses: 1, ..PROTOCOL };
    fails("a conflict of a stream that is behind", &ahead, "said not to be");
    let doubting = Protocol { doubts_conflicts: true, ..ahead };
    holds("group commit, a stream that is behind", &doubting, 50);
}
