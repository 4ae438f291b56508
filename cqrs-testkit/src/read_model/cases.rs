//! The list of all cases: the one place that names them. A case that is missing here is dead code to the compiler.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::{
    Fixture, adopting, committing, exchanging, leases, opening, parking, rescaling, rows, sharing,
};

pub(super) struct Case<F> {
    pub(super) name: &'static str,
    pub(super) run: fn(Arc<F>) -> Running,
}

type Running = Pin<Box<dyn Future<Output = ()>>>;

pub(super) fn cases<F: Fixture>() -> Vec<Case<F>> {
    crate::__read_model_cases!(list)
}

pub(super) const NAMES: &[&str] = crate::__read_model_cases!(names);

/// Makes a test of every case; see the [module](crate::read_model).
///
/// Takes an expression that is a future of a [`Fixture`](crate::read_model::Fixture); it is evaluated for each test.
/// Invoke it in a module of its own, as the names of the cases become names of functions. The tests run on tokio, on
/// several threads.
#[doc(hidden)]
#[macro_export]
macro_rules! __read_model_tests {
    ($make:expr) => {
        $crate::__read_model_cases! { tests $make }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __read_model_cases {
    (@list: $($module:ident: $($case:ident)+;)+) => {
        vec![$($(Case {
            name: stringify!($case),
            run: |fixture| Box::pin($module::$case(fixture)),
        },)+)+]
    };
    (@names: $($module:ident: $($case:ident)+;)+) => {
        &[$($(stringify!($case),)+)+]
    };
    (@tests $make:expr; $($module:ident: $($case:ident)+;)+) => {
        $($(
            #[test]
            fn $case() {
                $crate::read_model::run_case(stringify!($case), || $make);
            }
        )+)+
    };
    (list) => { $crate::__read_model_cases! { @all @list: } };
    (names) => { $crate::__read_model_cases! { @all @names: } };
    (tests $make:expr) => { $crate::__read_model_cases! { @all @tests $make; } };
    (@all $($then:tt)+) => {
        $crate::__read_model_cases! {
            $($then)+
            opening:
                the_first_version_is_in_service
                opening_again_changes_nothing
                other_events_under_the_same_version_are_refused
                a_newer_version_is_built_beside_where_it_may
                an_older_version_is_refused
                many_open_a_version_at_once
                rows_beside_are_apart
                only_what_is_beside_is_had_beside;
            adopting:
                a_version_goes_on_with_more_events
                a_version_beside_goes_on_with_more_events
                g10_what_may_have_missed_events_is_not_adopted
                only_what_is_as_it_was_is_adopted
                g7_who_wants_fewer_events_is_shut_out
                g10_what_is_open_is_seen_by_an_adoption_or_refused
                one_of_many_adopts
                an_adoption_leaves_a_rescale_under_way
                g14_a_dropped_adoption_is_whole_or_nothing;
            sharing:
                one_member_has_all_slots
                a_share_that_is_settled_again_is_the_same
                members_have_equal_shares
                members_beyond_the_slots_stand_by
                g7_what_a_member_gives_back_is_void
                g7_leases_that_run_out_are_taken_over
                leases_in_force_are_not_taken
                g7_leases_a_member_does_not_know_are_taken_anew
                leases_a_member_neither_knows_nor_gets_are_free
                sharing_stores_how_far_leases_have_come
                g7_who_is_ahead_of_what_is_stored_is_refused
                errors_of_owners_are_shown
                members_are_shown_while_they_are_there
                it_is_told_how_long_ago_an_owner_was_heard_of
                nothing_is_shared_of_what_is_not_there
                g7_a_token_is_given_once;
            leases:
                prolonged_leases_do_not_run_out
                commits_prolong_leases
                prolonging_tells_of_a_lease_that_is_gone
                g7_leases_given_back_are_void
                giving_back_never_moves_back
                g7_what_was_taken_over_is_not_given_back
                nothing_is_given_back_to_what_is_not_there;
            committing:
                g7_rows_and_checkpoint_are_committed_together
                g7_what_is_not_committed_is_rolled_back
                what_is_not_committed_is_not_seen
                a_commit_moves_the_slots_of_its_leases
                a_commit_never_moves_back
                g7_one_lease_that_is_gone_refuses_all
                g7_who_stalls_past_its_lease_commits_nothing
                g7_nothing_is_committed_of_what_is_not_there
                g7_slots_that_share_a_row_lose_nothing
                g14_a_dropped_commit_is_whole_or_nothing;
            parking:
                g8_parked_streams_are_kept_as_they_are
                g8_a_stream_that_fails_again_keeps_since_when
                g8_parked_streams_are_listed_by_position
                g8_streams_are_unparked_one_by_one
                g8_unparking_is_rolled_back_with_the_rest
                g8_requests_reach_those_who_share
                g8_names_of_parked_streams_are_kept_apart
                g8_streams_are_parked_whatever_the_error_says
                g8_versions_park_streams_of_their_own;
            rescaling:
                a_rescale_waits_at_a_barrier
                all_members_take_part_in_a_rescale
                a_rescale_keeps_what_is_known
                another_rescale_takes_the_place_of_the_first
                numbers_of_slots_have_bounds
                what_is_reset_begins_anew
                a_reset_ends_a_rescale
                a_reset_is_of_one_version
                what_can_not_be_reset_is_not;
            exchanging:
                versions_change_places
                who_is_behind_is_not_put_in_service
                a_version_is_put_back_wherever_it_stands
                only_what_is_beside_is_put_in_service
                g7_leases_of_both_are_void_after_an_exchange
                g7_what_is_open_in_service_lands_there_or_nowhere
                g7_what_is_open_beside_lands_there_or_nowhere
                what_is_beside_is_removed
                g7_leases_of_what_was_removed_are_void_for_ever
                a_version_formerly_in_service_is_removed
                projections_are_listed_by_name_and_version;
            rows:
                values_of_all_types_come_back
                extreme_values_come_back
                texts_are_kept_byte_for_byte
                rows_are_written_over_and_deleted
                no_keys_are_no_rows
                many_rows_are_written_and_loaded_at_once
                values_that_can_not_be_kept_are_refused
                rows_with_composite_keys_come_back
                outages_are_told_from_other_errors;
        }
    };
}
