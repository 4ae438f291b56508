//! The list of all cases: the one place that names them. A case that is missing here is dead code to the compiler.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::{
    Fixture, append, cancellation, expected, filters, following, idempotency, limits, names, news,
    races, reading, snapshots, text,
};

pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) run: fn(Arc<dyn Fixture>) -> Running,
}

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(super) static CASES: &[Case] = crate::__conformance_cases!(list);

/// Makes a test of every case; see the [module](crate::conformance).
///
/// Takes an expression that is a future of a [`Fixture`](crate::conformance::Fixture); it is evaluated for each test.
/// Invoke it in a module of its own, as the names of the cases become names of functions. The tests run on tokio, on
/// several threads.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ($make:expr) => {
        $crate::__conformance_cases! { tests $make }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_cases {
    (@list: $($module:ident: $($case:ident)+;)+) => {
        &[$($(Case {
            name: stringify!($case),
            run: |fixture| Box::pin($module::$case(fixture)),
        },)+)+]
    };
    (@tests $make:expr; $($module:ident: $($case:ident)+;)+) => {
        $($(
            #[test]
            fn $case() {
                $crate::conformance::run_case(stringify!($case), || $make);
            }
        )+)+
    };
    (list) => { $crate::__conformance_cases! { @all @list: } };
    (tests $make:expr) => { $crate::__conformance_cases! { @all @tests $make; } };
    (@all $($then:tt)+) => {
        $crate::__conformance_cases! {
            $($then)+
            append:
                g1_an_append_gets_consecutive_versions
                g1_an_id_in_use_elsewhere_stores_nothing
                g1_a_conflict_stores_nothing
                g3_what_is_acknowledged_is_seen_through_every_handle;
            expected:
                g2_an_append_meets_its_expectation_or_conflicts
                g2_versions_no_database_counts_to_are_conflicts;
            races:
                g2_one_of_many_writers_wins
                g2_one_of_many_first_events_wins
                g2_appends_that_expect_no_version_all_succeed
                g1_conflicts_and_duplicates_do_not_harm_their_neighbours;
            idempotency:
                g4_the_same_append_again_stores_nothing
                g4_ids_tell_what_is_the_same
                g4_ids_that_are_stored_elsewhere_are_refused
                g4_the_same_append_many_times_at_once_is_stored_once
                g4_one_id_raced_to_many_streams_is_stored_once;
            reading:
                a_stream_is_read_in_pages_of_any_size
                a_stream_is_replayed_from_any_version
                a_stream_has_nothing_beyond_its_end
                the_log_is_read_in_pages_of_any_size
                the_log_has_nothing_beyond_its_end
                reading_no_events_skips_none
                pages_of_the_log_are_bounded_by_bytes
                pages_of_a_stream_are_bounded_by_bytes
                the_head_tells_where_the_log_ends
                g6_the_log_keeps_the_order_of_appends
                events_are_found_by_id
                every_way_of_reading_gives_the_same_event;
            following:
                g5_followers_see_every_event_once_while_writers_commit
                g5_followers_with_filters_see_every_event_once_while_writers_commit
                g5_what_a_page_went_through_is_final
                g5_an_append_held_open_is_not_skipped
                g5_an_append_given_up_holds_nobody_up
                g5_an_append_held_open_is_told_by_the_head;
            filters:
                filters_take_events_of_the_categories_and_types_they_name
                filters_take_names_byte_for_byte
                g13_filters_find_nothing_under_names_no_event_has
                a_filtered_log_is_read_in_pages_of_any_size
                a_filtered_log_has_nothing_beyond_its_end
                any_filter_finds_what_it_names_from_any_place_on
                g5_what_a_filtered_page_went_through_is_final
                g5_filters_do_not_lead_past_an_append_held_open;
            news:
                news_wakes_everyone_who_waits
                news_reaches_every_handle
                news_between_waits_is_not_missed
                g14_dropped_waits_miss_no_news
                g5_who_reads_when_there_is_news_sees_every_event
                g5_there_is_news_when_an_append_held_open_ends;
            names:
                streams_with_similar_keys_do_not_mix
                categories_and_keys_do_not_run_together;
            text:
                payloads_are_kept_byte_for_byte
                event_types_are_kept_byte_for_byte
                metadata_is_kept_byte_for_byte
                ids_of_any_form_are_kept
                events_are_recorded_at_the_time_of_their_append;
            limits:
                g13_the_largest_payload_is_kept
                g13_the_largest_append_is_kept
                g13_as_many_events_as_are_allowed_are_kept
                g13_the_longest_names_are_kept_apart
                g13_the_largest_metadata_is_kept
                g13_schema_versions_are_kept_or_refused;
            cancellation:
                g14_a_dropped_append_is_stored_whole_or_not_at_all
                g14_a_dropped_append_does_not_harm_others
                g14_dropped_reads_harm_nobody;
            snapshots:
                g9_a_snapshot_comes_with_the_events_from_its_version_on
                g9_without_a_snapshot_there_are_the_first_events
                g9_a_snapshot_of_another_shape_is_not_used
                g9_the_latest_snapshot_is_kept
                g9_a_snapshot_of_another_shape_replaces_any
                g9_of_snapshots_saved_at_once_the_latest_is_kept
                g9_a_snapshot_beyond_the_stream_has_no_events
                g9_snapshots_are_kept_byte_for_byte
                g9_snapshots_of_similar_streams_do_not_mix;
        }
    };
}
