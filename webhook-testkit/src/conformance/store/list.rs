//! List of the cases, and the macros that expand it to tests.

/// Proves a store: expands to one test for each sentence of the contract of
/// [`Store`](webhook_core::store::Store). Takes a [`StoreHarness`](crate::StoreHarness); the crate's first
/// page has an example.
///
/// Each case names the [capabilities](webhook_core::store::Capability) that it needs. A store that lacks
/// one of them skips the case and passes the test. The skipped case and the missing capability are
/// printed to the standard error, even if `cargo test` captures the output of tests:
///
/// ```text
/// skipped: store case a_known_version_gets_the_difference: the store has no routing by difference
/// ```
///
/// Attributes for each of the tests may follow, as for those that need a server:
/// `store_conformance!(Harness, #[ignore = "needs a server"])`.
#[macro_export]
macro_rules! store_conformance {
    ($harness:ty $(, $(#[$attribute:meta])+)?) => {
        $crate::__store_cases! { __store_tests [$harness; [$($(#[$attribute])+)?]] }
    };
}

/// The list of cases. A group names the capabilities that all of its cases need, a case those that
/// it needs in addition. Optional traits are checked by a test of `MemoryStore`, and the names of
/// the cases by a test below.
#[doc(hidden)]
#[macro_export]
macro_rules! __store_cases {
    ($expand:ident $arguments:tt) => {
        $crate::$expand! { $arguments;
            enqueue [] {
                an_enqueued_event_is_stored_as_it_was_given [Log]
                optional_fields_may_be_empty_in_one_row_and_set_in_another [Log]
                bodies_come_back_byte_for_byte [Log]
                an_event_is_stored_with_a_delivery_for_each_endpoint [Log]
                deliveries_are_dated_by_the_clock_of_the_store [Log]
                an_endpoint_named_twice_gets_one_delivery
                an_event_for_nobody_is_routed_with_no_deliveries [Log]
                an_event_without_fan_out_is_stored_for_later
                a_stale_version_stores_the_event_unrouted
                an_unknown_tenant_is_at_version_zero
                a_version_of_one_tenant_says_nothing_about_another
                each_item_of_a_mixed_batch_gets_its_own_answer
                an_empty_batch_is_answered_with_nothing
                a_large_batch_is_stored_whole
                a_delivery_may_be_leased_from_the_beginning [Log]
                one_event_may_have_leased_and_pending_deliveries [Log]
            }
            keys [] {
                the_same_id_and_body_is_the_same_event
                the_same_id_with_another_body_is_a_conflict [Log]
                the_same_id_of_another_type_is_a_conflict [Log]
                the_same_id_of_another_tenant_is_a_conflict [Log]
                the_same_key_and_body_names_the_first_event [Log]
                the_same_key_with_another_body_is_a_conflict_naming_the_first [Log]
                the_same_key_of_another_type_is_a_conflict_naming_the_first
                a_key_belongs_to_its_tenant
                keys_differ_by_case
                a_key_used_twice_in_one_batch_counts_once
                an_id_used_twice_in_one_batch_counts_once
                events_without_a_key_never_collide
                publishers_at_once_store_a_key_once
            }
            routing [] {
                an_unrouted_event_tells_what_routing_needs
                an_unrouted_event_is_claimed_by_one_worker_at_a_time
                claiming_unrouted_events_stops_at_the_limit
                a_claim_of_unrouted_events_says_when_anothers_lease_ends
                routing_creates_the_deliveries
                routing_to_nobody_is_done
                routing_by_a_stale_version_changes_nothing
                routing_twice_creates_nothing_twice
                each_route_of_a_batch_gets_its_own_answer
            }
            order [Ordering] {
                only_the_first_of_a_line_is_claimed [Log]
                the_next_one_goes_when_the_first_is_delivered [Log]
                those_behind_wait_for_the_retries_of_the_first
                a_claim_that_is_lost_or_given_back_keeps_its_place
                keys_and_endpoints_do_not_wait_for_each_other
                only_keyed_events_of_endpoints_that_ask_for_order_stand_in_line [Log]
                what_is_leased_from_the_beginning_stands_in_no_line
                a_line_that_has_run_empty_begins_anew
                a_delivery_that_is_given_up_blocks_its_line [Log, Maintenance]
                an_endpoint_may_skip_what_is_given_up
                skipping_what_blocks_lets_its_line_go_on [Log, Operations]
                only_what_blocks_a_line_is_skipped [Operations]
                redelivering_what_blocks_keeps_its_place [Operations]
                a_redelivery_goes_to_the_end_of_its_line [Log, Operations]
                what_is_redelivered_together_goes_the_oldest_first [Operations]
                cancelling_closes_the_gap [Log, Operations]
                the_next_one_waits_for_an_attempt_that_was_cancelled [Operations]
                without_order_all_that_waited_is_due [Log]
                a_change_to_skipping_lets_blocked_lines_go_on
                what_was_stored_before_order_was_asked_for_is_in_no_line
                removing_an_endpoint_cancels_all_that_waits [Log]
                what_blocks_a_line_is_not_pruned [Operations, Maintenance]
                publishers_and_workers_at_once_keep_order_and_forget_nobody
            }
            order_routing [Ordering] {
                events_routed_later_stand_in_line
                an_unrouted_event_waits_for_an_earlier_one_of_its_key
                what_others_wait_for_is_taken_first
                unrouted_events_of_other_keys_and_tenants_do_not_wait
                an_event_does_not_overtake_an_unrouted_one_of_its_key
            }
            claims [] {
                a_first_claim_carries_what_an_attempt_needs
                a_claimed_delivery_is_in_flight [Log]
                a_claim_stops_at_its_limit
                what_is_not_due_is_not_claimed
                the_longest_due_goes_first
                a_busy_endpoint_keeps_no_other_waiting
                a_claim_begins_where_the_one_before_has_ended
                a_claim_may_begin_at_an_endpoint_that_is_gone
                a_claim_ends_before_its_bytes_are_exceeded
                a_body_larger_than_the_bytes_of_a_claim_is_claimed_alone
                an_endpoint_gets_no_more_than_its_free_slots
                a_full_endpoint_is_passed_over
                slots_are_counted_by_the_caller_alone
                a_paused_endpoint_is_passed_over_until_it_is_resumed
                a_disabled_endpoint_is_passed_over_until_it_is_resumed
                a_claim_tells_the_present_revision
                one_event_for_many_endpoints_is_claimed_for_each
                first_and_later_attempts_may_be_claimed_together [Log]
                a_claim_says_when_more_is_due
                a_claim_says_when_the_next_lease_ends
                a_claim_that_leaves_due_work_says_so
                what_waits_for_a_full_endpoint_is_never_next
                what_waits_for_an_inactive_endpoint_is_never_next
                a_claim_of_none_takes_none [Log]
                two_workers_at_once_never_get_the_same_delivery
            }
            leases [] {
                a_lease_holds_to_its_last_millisecond
                an_expired_lease_is_taken_over_under_the_next_epoch [Log]
                lost_attempts_show_as_a_gap_between_recorded_and_claimed
                lost_attempts_are_recorded_with_the_one_that_follows [Log]
                a_late_writer_changes_nothing [Log]
                a_writer_later_than_its_lease_may_write_while_nobody_took_over [Log]
                an_epoch_from_the_future_changes_nothing [Log]
                a_delivery_leased_at_its_birth_is_finished_under_epoch_1
                a_delivery_leased_at_its_birth_is_taken_over_after_its_lease
                an_expired_lease_of_a_paused_endpoint_waits
                a_claim_tells_its_worker_and_the_record_keeps_it [Log]
                whoever_takes_over_is_told_from_then_on [Log]
                a_release_forgets_its_worker [Log]
                a_delivery_leased_at_its_birth_tells_its_worker [Log]
                the_end_of_a_lease_is_told_as_long_as_it_is_out [Log]
            }
            finish [] {
                a_success_is_final [Log]
                a_failure_is_final_and_says_why [Log]
                a_retry_is_due_after_its_wait_by_the_clock_of_the_store [Log]
                a_retry_without_a_wait_is_due_at_once
                the_longest_wait_does_not_overflow [Log]
                attempts_come_back_as_they_were_recorded [Log]
                every_trigger_comes_back [Log]
                every_kind_of_failure_comes_back [Log]
                large_response_bodies_and_errors_fit [Log]
                an_attempt_that_was_not_made_is_not_counted [Log]
                an_attempt_that_was_not_made_leaves_the_time_of_the_one_before [Log]
                forgiven_attempts_are_kept_for_the_next_claim
                each_finish_of_a_batch_gets_its_own_answer [Log]
                a_finish_said_twice_is_written_once [Log]
                what_is_written_is_not_written_over [Log]
                a_finish_said_twice_in_one_batch_is_written_once [Log]
                a_finish_said_twice_under_an_older_epoch_is_late
                finishing_one_delivery_leaves_the_others_alone [Log]
                a_finish_may_disable_the_endpoint
                a_late_finish_does_not_disable_the_endpoint
                an_attempt_is_no_edit_of_the_endpoint
            }
            dropping [] {
                a_dropped_enqueue_stores_all_or_nothing [Log]
                a_dropped_claim_of_unrouted_events_comes_back_after_its_lease
                a_dropped_route_stores_all_or_nothing [Log]
                a_dropped_claim_comes_back_after_its_lease
                a_dropped_finish_writes_all_or_nothing [Log]
                a_dropped_release_gives_back_once [Log]
                a_dropped_redelivery_is_made_once_or_not_at_all [Operations]
                a_dropped_cancelling_is_safe_to_repeat [Log, Operations]
                a_dropped_look_changes_nothing
            }
            dropped_edits [] {
                a_dropped_registration_is_made_once_or_not_at_all
                a_dropped_edit_is_made_once_or_not_at_all
                a_dropped_removal_is_completed_by_a_second_call [Log]
                a_dropped_record_is_opened_wholly_or_not_at_all [Log, Tracking]
                a_dropped_attempt_is_on_record_once_or_not_at_all [Log, Tracking]
            }
            release [] {
                a_released_claim_is_due_at_once [Log]
                a_released_claim_gives_its_number_back [Log]
                a_released_claim_can_no_longer_be_finished [Log]
                a_release_keeps_what_was_lost_before
                each_release_of_a_batch_gets_its_own_answer [Log]
                a_release_restores_the_time_of_the_claim_before [Log]
            }
            endpoints [] {
                an_endpoint_comes_back_as_it_was_added
                a_retry_policy_comes_back_whole
                optional_settings_may_be_empty_in_one_endpoint_and_set_in_another [Directory]
                the_most_that_may_be_said_about_an_endpoint_fits
                a_taken_endpoint_id_exists_already
                endpoints_are_returned_for_each_id_in_order
                an_edit_replaces_the_settings_and_raises_the_revision
                an_edit_from_an_old_revision_is_refused
                an_edit_of_what_is_not_there_finds_nothing
                every_edit_raises_the_version_of_the_tenant
                a_version_counts_one_tenant_alone
                a_snapshot_holds_all_endpoints_of_its_tenant
                a_snapshot_holds_what_routing_reads
                an_unknown_tenant_has_an_empty_snapshot
                a_known_version_gets_the_difference [RoutingByDifference]
                tenants_with_endpoints_are_listed_in_order [Directory]
                endpoints_of_a_tenant_are_listed_by_page [Directory]
            }
            removal [] {
                a_removed_endpoint_is_never_given_out_again [Directory]
                removing_says_whether_there_was_one
                another_tenant_cannot_remove_an_endpoint [Log]
                removing_cancels_what_is_unfinished [Log]
                removing_leaves_what_is_finished_in_the_log [Log]
                removing_leaves_other_endpoints_alone
                an_attempt_in_flight_at_the_removal_is_recorded [Log]
                releasing_after_the_removal_leaves_it_cancelled [Log]
                a_finish_said_twice_after_the_removal_is_written_once [Log]
                a_claim_is_given_back_once_after_the_removal [Log]
                what_was_given_back_before_the_removal_is_over [Log]
            }
            log [Log] {
                what_does_not_exist_is_not_found
                deliveries_are_listed_newest_first
                deliveries_of_one_moment_are_listed_by_id
                a_listed_delivery_is_the_one_that_is_read_by_id
                deliveries_are_listed_by_what_is_asked_for
                deliveries_are_listed_by_status
                deliveries_are_listed_by_when_they_came_about
                deliveries_are_listed_by_the_type_of_their_event
                pages_follow_each_other_without_gaps_or_repeats
                the_last_page_names_no_next_one
                a_listing_goes_on_while_new_deliveries_arrive
                claiming_and_finishing_do_not_reorder_a_listing
                optional_fields_of_attempts_may_be_empty_in_one_and_set_in_another
                a_delivery_says_how_far_it_is_through_its_policy [Operations]
            }
            stats [Log] {
                stats_count_deliveries_by_how_far_they_have_come [Operations]
                stats_count_failures_by_kind_and_tell_how_long_attempts_took
                stats_are_of_one_endpoint
                stats_are_of_what_came_about_within_the_window
                stats_of_an_endpoint_that_nobody_has_heard_of_are_empty
            }
            tracked [Tracking] {
                a_tracked_delivery_is_on_record_before_its_first_attempt [Log]
                a_tracked_delivery_keeps_the_true_number_of_attempts [Log]
                a_tracked_delivery_may_fail [Log]
                a_record_opened_again_goes_on_counting [Log]
                a_tracked_delivery_is_never_claimed
                tracked_and_stored_deliveries_are_listed_together [Log]
                optional_fields_of_records_may_be_empty_in_one_and_set_in_another [Log]
                an_event_on_record_is_not_enqueued_again
                one_event_may_be_tracked_to_many_receivers [Log]
                a_tracked_event_leaves_a_taken_key_to_the_first [Log]
                what_was_published_durably_is_not_tracked [Log]
                an_attempt_is_recorded_of_tracked_deliveries_alone [Log]
                routing_leaves_a_tracked_delivery_to_its_sender [Log]
            }
            redeliver [Operations] {
                a_failed_delivery_is_made_due_again [Log]
                a_redelivered_delivery_has_a_fresh_budget_and_goes_on_counting [Log]
                whatever_is_final_can_be_redelivered
                what_is_not_final_is_not_redelivered
                redelivering_twice_is_redelivering_once
                a_redelivery_may_name_the_status_it_is_meant_for
                a_delivery_whose_endpoint_is_gone_is_not_redelivered [Log]
                a_redelivery_to_a_paused_endpoint_waits_for_it
                a_claim_tells_what_began_its_budget
                each_redelivery_of_a_batch_gets_its_own_answer [Tracking]
                an_attempt_that_outlives_its_cancelling_loses_to_the_redelivery [Log]
                a_redelivery_tells_what_was_lost_before_the_cancelling
            }
            missed [] {
                what_a_disabled_endpoint_misses_is_on_record_and_never_claimed [Log]
                what_is_missed_is_stored_with_the_rest_of_an_event [Log]
                an_event_routed_later_is_missed_too [Log]
                what_was_missed_can_be_redelivered [Log, Operations]
                what_was_missed_is_not_cancelled [Operations]
                what_was_missed_stays_when_its_endpoint_is_removed [Log, Operations]
                what_was_missed_is_pruned_like_others [Log, Maintenance]
                an_event_may_go_straight_to_one_endpoint [Log]
                an_event_for_an_endpoint_that_is_gone_is_not_stored [Log]
            }
            replay [Operations] {
                a_replay_makes_what_was_missed_due_again
                a_replay_takes_what_is_included_and_nothing_else [Log, Tracking]
                a_replay_leaves_other_endpoints_alone [Log]
                a_replay_stays_in_its_window_and_types [Log]
                a_replay_goes_page_by_page_the_oldest_first
                a_page_done_twice_sends_nothing_twice
                what_has_failed_once_more_since_the_replay_began_is_left_alone [Log]
                an_estimate_counts_and_changes_nothing [Log]
                a_replay_to_an_endpoint_that_is_gone_says_so [Log]
            }
            cancel [Operations] {
                a_cancelled_delivery_is_never_claimed [Log]
                an_attempt_in_flight_at_the_cancelling_is_recorded [Log]
                a_cancelled_delivery_is_not_tried_again_after_its_lease
                a_claim_given_back_after_the_cancelling_stays_cancelled [Log]
                what_is_final_is_not_cancelled [Log]
                each_cancelling_of_a_batch_gets_its_own_answer [Log, Tracking]
                cancelling_leaves_other_deliveries_of_the_event_alone
            }
            status [Maintenance] {
                an_empty_store_is_well
                a_status_counts_as_the_backlog_does
                a_status_tells_how_long_the_oldest_has_been_due
                an_endpoint_whose_oldest_pending_delivery_failed_is_failing [Log]
                an_endpoint_without_failed_work_that_waits_is_not_failing [Log, Operations]
                failing_endpoints_are_told_in_order
                every_lost_lease_is_counted
            }
            prune [Maintenance] {
                what_is_over_and_old_is_pruned [Log, Operations]
                what_was_finished_after_the_cut_is_kept [Log]
                what_is_not_final_is_never_pruned [Log, Operations]
                an_event_stays_as_long_as_one_of_its_deliveries [Operations]
                an_event_for_nobody_is_pruned_once_it_is_routed
                a_key_is_remembered_as_long_as_its_event
                a_dry_run_counts_and_removes_nothing [Log]
                a_dry_run_leaves_a_removed_endpoint_with_what_ended_later [Tracking]
                a_prune_stops_at_its_limit_and_can_go_on [Operations]
                a_removed_endpoint_is_pruned_after_its_deliveries [Log]
                tracked_deliveries_are_pruned_like_others [Tracking]
                what_was_pruned_is_answered_as_not_there [Log, Operations]
            }
            health [SharedHealth] {
                failures_in_a_row_are_counted_with_the_endpoint
                an_endpoint_that_rests_is_passed_over
                the_end_of_a_rest_is_when_to_look_again
                what_waits_for_a_rest_is_not_due [Maintenance]
                there_is_one_probe_at_a_time
                a_probe_that_is_given_back_makes_room_for_another
                recovery_is_a_ramp
                a_receiver_that_asks_for_a_pause_gets_it_with_all_its_deliveries [Notices]
                an_edit_says_nothing_about_health
                another_place_and_a_fresh_start_begin_anew
                health_is_no_edit
                nothing_is_sent_past_a_rest
                a_late_write_says_nothing_about_health
                what_is_said_again_counts_once
                days_of_failures_disable_an_endpoint
                what_is_disabled_takes_no_turn [Notices]
                endpoints_of_one_batch_take_their_own_turns
            }
            notices [Notices] {
                failing_and_recovery_are_told_once_each [SharedHealth]
                a_delivery_given_up_is_told_with_all_there_is_to_know [Log]
                what_was_called_off_is_not_told_as_given_up [Operations]
                an_endpoint_that_wants_no_more_is_told_with_its_reason
                a_late_write_tells_nothing
                notices_stay_until_they_are_acknowledged
                the_oldest_notices_come_first
                notices_that_nobody_reads_are_pruned_in_time [Maintenance]
            }
            pace [] {
                a_burst_goes_at_once_and_the_rest_by_the_rate [RateLimits]
                the_rate_says_when_to_look_again [RateLimits]
                a_rate_limits_its_own_endpoint_alone [RateLimits]
                an_edit_does_not_give_a_rate_back [RateLimits]
                a_claim_is_parted_among_the_tenants_with_work [TenantShares]
                alone_a_tenant_may_take_everything [TenantShares]
                what_a_tenant_has_in_flight_counts_for_its_share [TenantShares]
                who_was_passed_over_is_next [TenantShares]
            }
            backlog [] {
                an_empty_store_has_no_backlog
                a_backlog_counts_what_is_left
                a_claimed_unrouted_event_is_still_unrouted
                a_backlog_says_when_its_earliest_is_due
                a_backlog_of_inactive_endpoints_is_never_due
                a_removed_endpoint_leaves_no_backlog
                a_lease_that_has_ended_is_not_in_flight
                an_ended_lease_of_an_inactive_endpoint_waits_with_the_rest
            }
            reopen [] {
                what_was_answered_is_there_when_the_store_is_opened_anew [Log]
                a_lease_holds_when_the_store_is_opened_anew [Log]
                an_unrouted_event_is_there_when_the_store_is_opened_anew
            }
            sequences [
                Ordering, TenantShares, Directory, Log, Tracking, Operations, Maintenance, Notices
            ] {
                random_sequences_give_the_same_answers_as_the_store_in_memory
            }
        }
    };
}

/// One test for each case.
#[doc(hidden)]
#[macro_export]
macro_rules! __store_tests {
    (
        [$harness:ty; $attributes:tt];
        $($file:ident $shared:tt { $($case:ident $([$($own:ident),+])?)* })*
    ) => {
        /// Capabilities of the store, for which one store is created.
        #[cfg(test)]
        fn __store_capabilities() -> $crate::conformance::store::Capabilities {
            use $crate::conformance::store::{Capabilities, capabilities_of};
            static SUPPORTED: ::std::sync::OnceLock<Capabilities> = ::std::sync::OnceLock::new();
            *SUPPORTED.get_or_init(capabilities_of::<$harness>)
        }

        $($(
            $crate::__store_test! {
                $attributes $case,
                $crate::__store_case!($harness; $file $case $shared [$($($own),+)?])
            }
        )*)*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_test {
    ([$(#[$attribute:meta])*] $name:ident, $case:expr) => {
        #[test]
        $(#[$attribute])*
        fn $name() {
            $case.prove(__store_capabilities);
        }
    };
}

/// All cases, as an array of [`StoreCase`](crate::conformance::store::StoreCase).
#[doc(hidden)]
#[macro_export]
macro_rules! __store_case_array {
    (
        [$harness:ty];
        $($file:ident $shared:tt { $($case:ident $([$($own:ident),+])?)* })*
    ) => {
        [$($(
            $crate::__store_case!($harness; $file $case $shared [$($($own),+)?]),
        )*)*]
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_case {
    ($harness:ty; $file:ident $case:ident [$($shared:ident),*] [$($own:ident),*]) => {
        $crate::conformance::store::StoreCase {
            name: stringify!($case),
            needs: &[
                $($crate::conformance::store::Capability::$shared,)*
                $($crate::conformance::store::Capability::$own,)*
            ],
            run: || {
                $crate::conformance::run($crate::conformance::store::$file::$case::<$harness>());
            },
        }
    };
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// A case that is not on the list would never run.
    #[test]
    fn every_case_is_on_the_list() {
        let list = include_str!("list.rs");
        let listed: Vec<_> =
            list.lines().filter_map(|line| line.split_whitespace().next()).collect();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/conformance/store");
        let mut count = 0;
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = if path.is_file() { fs::read_to_string(path).unwrap() } else { continue };
            for name in text.lines().filter_map(case_name) {
                assert!(listed.contains(&name), "{name} is not on the list");
                count += 1;
            }
        }
        assert!(count > 300, "{count} cases");
    }

    fn case_name(line: &str) -> Option<&str> {
        let case = line.strip_prefix("pub async fn ")?;
        case.split_once("<H: StoreHarness>()").map(|(name, _)| name)
    }
}
