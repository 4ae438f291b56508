//! The suite has teeth: for each of many flaws, the case that is about it fails; and each case finds a flaw.

mod maintain;
mod model;
mod rows;

use std::collections::BTreeSet;
use std::panic::catch_unwind;

use cqrs_testkit::read_model;

use self::model::Flaw::{self, *};
use self::model::FlawedFixture;

/// The flaws and the cases that must find them. Others may find them as well.
const FLAWS: &[(Flaw, &[&str])] = &[
    (IsMadeAnewWhenOpened, &["opening_again_changes_nothing"]),
    (EventTypesAreIgnored, &["other_events_under_the_same_version_are_refused"]),
    (BuildsBesideUnasked, &["a_newer_version_is_built_beside_where_it_may"]),
    (OlderVersionsAreBeside, &["an_older_version_is_refused"]),
    (OneSlotForAll, &["the_first_version_is_in_service", "many_open_a_version_at_once"]),
    (BesideIsInService, &["rows_beside_are_apart"]),
    (AnythingIsBeside, &["only_what_is_beside_is_had_beside"]),
    (AdoptionsAreNotStored, &["a_version_goes_on_with_more_events"]),
    (AdoptionsBeginAnew, &["a_version_goes_on_with_more_events"]),
    (OnlyWhatIsInServiceIsAdopted, &["a_version_beside_goes_on_with_more_events"]),
    (AdoptionsIgnorePositions, &["g10_what_may_have_missed_events_is_not_adopted"]),
    (AnythingIsAdopted, &["only_what_is_as_it_was_is_adopted", "one_of_many_adopts"]),
    (
        AdoptionsKeepLeases,
        &[
            "a_version_beside_goes_on_with_more_events",
            "g7_who_wants_fewer_events_is_shut_out",
            "g10_what_is_open_is_seen_by_an_adoption_or_refused",
        ],
    ),
    (AdoptionsVoidLeasesAfterwards, &["g14_a_dropped_adoption_is_whole_or_nothing"]),
    (SharesAreForAnyEvents, &["g7_who_wants_fewer_events_is_shut_out"]),
    (AdoptionsForgetRescales, &["an_adoption_leaves_a_rescale_under_way"]),
    (MembersAreAlone, &["members_have_equal_shares"]),
    (SharesAreTooSmall, &["one_member_has_all_slots"]),
    (ForgottenLeasesAreKept, &["leases_a_member_neither_knows_nor_gets_are_free"]),
    (LeasesAreTakenInForce, &["leases_in_force_are_not_taken"]),
    (
        TokensMeanNothing,
        &[
            "g7_what_a_member_gives_back_is_void",
            "g7_leases_that_run_out_are_taken_over",
            "g7_a_token_is_given_once",
            "g7_who_stalls_past_its_lease_commits_nothing",
            "g7_leases_of_both_are_void_after_an_exchange",
            "a_rescale_waits_at_a_barrier",
            "what_is_reset_begins_anew",
        ],
    ),
    (LeasesAreRemembered, &["g7_leases_a_member_does_not_know_are_taken_anew"]),
    (TokensRiseAtEveryShare, &["a_share_that_is_settled_again_is_the_same"]),
    (SharesStoreNoPositions, &["sharing_stores_how_far_leases_have_come"]),
    (
        PositionsAreWhatIsTold,
        &[
            "sharing_stores_how_far_leases_have_come",
            "a_commit_never_moves_back",
            "giving_back_never_moves_back",
            "prolonged_leases_do_not_run_out",
        ],
    ),
    (SharesCountAsCommits, &["sharing_stores_how_far_leases_have_come"]),
    (LostCommitsAreNotNoticed, &["g7_who_is_ahead_of_what_is_stored_is_refused"]),
    (ErrorsAreNotShown, &["errors_of_owners_are_shown"]),
    (ErrorsStay, &["errors_of_owners_are_shown"]),
    (MembersStay, &["members_are_shown_while_they_are_there"]),
    (NobodyIsHeardOf, &["it_is_told_how_long_ago_an_owner_was_heard_of"]),
    (WhatIsNotThereIsShared, &["nothing_is_shared_of_what_is_not_there"]),
    (ProlongingDoesNothing, &["prolonged_leases_do_not_run_out"]),
    (ProlongingTellsNothing, &["prolonging_tells_of_a_lease_that_is_gone"]),
    (CommitsDoNotProlong, &["commits_prolong_leases"]),
    (LeavingKeepsLeases, &["g7_leases_given_back_are_void", "members_beyond_the_slots_stand_by"]),
    (LeavingForgetsPositions, &["g7_leases_given_back_are_void"]),
    (LeavingForgetsErrors, &["errors_of_owners_are_shown"]),
    (LeavingGivesAnothersBack, &["g7_what_was_taken_over_is_not_given_back"]),
    (LeavingIsOfAnyVersion, &["nothing_is_given_back_to_what_is_not_there"]),
    (
        RowsAreWrittenAtOnce,
        &["g7_what_is_not_committed_is_rolled_back", "what_is_not_committed_is_not_seen"],
    ),
    (
        RefusedRowsAreKept,
        &["g7_one_lease_that_is_gone_refuses_all", "g7_who_stalls_past_its_lease_commits_nothing"],
    ),
    (CheckpointsStay, &["g7_rows_and_checkpoint_are_committed_together"]),
    (TheFirstLeaseWillDo, &["g7_one_lease_that_is_gone_refuses_all"]),
    (AllSlotsMove, &["a_commit_moves_the_slots_of_its_leases"]),
    (AnyVersionCommits, &["g7_nothing_is_committed_of_what_is_not_there"]),
    (EventsCountForEachSlot, &["g7_rows_and_checkpoint_are_committed_together"]),
    (RowsAreReadBeforeTheTransaction, &["g7_slots_that_share_a_row_lose_nothing"]),
    (CheckpointsAreCommittedAfterRows, &["g14_a_dropped_commit_is_whole_or_nothing"]),
    (SinceIsTheLatest, &["g8_a_stream_that_fails_again_keeps_since_when"]),
    (RequestsStay, &["g8_a_stream_that_fails_again_keeps_since_when"]),
    (ParkedAreListedByName, &["g8_parked_streams_are_listed_by_position"]),
    (ParkedNamesHaveNoCase, &["g8_names_of_parked_streams_are_kept_apart"]),
    (AttemptsAreSigned, &["g8_parked_streams_are_kept_as_they_are"]),
    (NulIsRefused, &["g8_streams_are_parked_whatever_the_error_says"]),
    (VersionsShareWhatIsParked, &["g8_versions_park_streams_of_their_own"]),
    (UnparkingIsNotRolledBack, &["g8_unparking_is_rolled_back_with_the_rest"]),
    (UnparkingIsOfAll, &["g8_streams_are_unparked_one_by_one"]),
    (AnythingCanBeAskedFor, &["g8_requests_reach_those_who_share"]),
    (RequestsAreNotShared, &["g8_requests_reach_those_who_share"]),
    (RescalesHaveNoBarrier, &["a_rescale_waits_at_a_barrier"]),
    (BarriersAreAtTheNearest, &["all_members_take_part_in_a_rescale"]),
    (TokensBeginAnewAfterARescale, &["all_members_take_part_in_a_rescale"]),
    (TheFirstRescaleWins, &["another_rescale_takes_the_place_of_the_first"]),
    (SlotsHaveNoBounds, &["numbers_of_slots_have_bounds"]),
    (RescalesForgetEvents, &["a_rescale_keeps_what_is_known"]),
    (ResetsKeepRows, &["what_is_reset_begins_anew"]),
    (ResetsAreOfAllVersions, &["a_reset_is_of_one_version"]),
    (ResetsKeepBarriers, &["a_reset_ends_a_rescale"]),
    (ResetsNeedNoTables, &["what_can_not_be_reset_is_not"]),
    (WhoIsBehindIsPutInService, &["who_is_behind_is_not_put_in_service"]),
    (WhatServedIsForgotten, &["versions_change_places"]),
    (ExchangesKeepRows, &["versions_change_places"]),
    (
        ExchangesKeepLeases,
        &[
            "g7_leases_of_both_are_void_after_an_exchange",
            "g7_what_is_open_in_service_lands_there_or_nowhere",
            "g7_what_is_open_beside_lands_there_or_nowhere",
        ],
    ),
    (ExchangesRemove, &["versions_change_places", "a_version_is_put_back_wherever_it_stands"]),
    (WhatIsInServiceIsPutThere, &["only_what_is_beside_is_put_in_service"]),
    (
        RemovingDoesNothing,
        &["what_is_beside_is_removed", "a_version_formerly_in_service_is_removed"],
    ),
    (TokensBeginAnewAfterARemoval, &["g7_leases_of_what_was_removed_are_void_for_ever"]),
    (ListsHaveNoOrder, &["projections_are_listed_by_name_and_version"]),
    (ListsAreOfAll, &["projections_are_listed_by_name_and_version"]),
    (EmptyTextsAreNull, &["values_of_all_types_come_back", "texts_are_kept_byte_for_byte"]),
    (NullDocumentsAreNull, &["values_of_all_types_come_back"]),
    (TimesAreMilliseconds, &["extreme_values_come_back", "rows_with_composite_keys_come_back"]),
    (IntegersAreReals, &["extreme_values_come_back"]),
    (RealsHave32Bits, &["extreme_values_come_back"]),
    (TextsAreTrimmed, &["texts_are_kept_byte_for_byte"]),
    (NullsAreNotWritten, &["rows_are_written_over_and_deleted"]),
    (RowsAreNotDeleted, &["rows_are_written_over_and_deleted"]),
    (AThousandRowsAtMost, &["many_rows_are_written_and_loaded_at_once"]),
    (AnyValueIsKept, &["values_that_can_not_be_kept_are_refused"]),
    (KeysAreTheirFirstColumn, &["rows_with_composite_keys_come_back"]),
    (NoKeysAreAll, &["no_keys_are_no_rows"]),
    (OutagesAreNotTold, &["outages_are_told_from_other_errors"]),
];

#[test]
fn every_flaw_is_found_by_the_cases_that_are_about_it() {
    // Side by side, as some are found by waiting.
    let unnoticed: Vec<_> = std::thread::scope(|scope| {
        let pairs =
            FLAWS.iter().flat_map(|(flaw, cases)| cases.iter().map(move |case| (flaw, case)));
        // Some are found where workers meet, which not all attempts bring about.
        let always = |flaw, case| (0..10).all(|_| passes(flaw, case));
        let passing = pairs.map(|pair| (pair, scope.spawn(move || always(*pair.0, pair.1))));
        let passing: Vec<_> = passing.collect();
        let passing =
            passing.into_iter().filter_map(|(pair, passes)| passes.join().unwrap().then_some(pair));
        passing.collect()
    });
    assert!(unnoticed.is_empty(), "not found: {unnoticed:#?}");
}

fn passes(flaw: Flaw, case: &str) -> bool {
    catch_unwind(|| read_model::run_case(case, || async { FlawedFixture::new(flaw) })).is_ok()
}

#[test]
fn every_case_finds_a_flaw() {
    let found: BTreeSet<&str> = FLAWS.iter().flat_map(|(_, cases)| *cases).copied().collect();
    let all: BTreeSet<&str> = read_model::names().collect();
    assert_eq!(found, all);
}

/// What is found is the flaw, not the wrapper around the read model.
#[test]
fn without_a_flaw_every_case_passes() {
    for case in read_model::names() {
        assert!(passes(Nothing, case), "{case}");
    }
}
