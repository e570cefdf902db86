//! What every database has to show beside the conformance suite, each case in a place of its own.
#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "each test uses some of it, and a panic here is the failed assertion"
)]

pub mod damage;
pub mod dropping;
pub mod durability;
pub mod listing;
pub mod network;
pub mod opening;
pub mod outbox;
pub mod reading;
pub mod server;
pub mod vault;

/// A test for each case, in a place that `$place` makes.
macro_rules! on {
    ($place:expr $(, $(#[$attribute:meta])+)?) => {
        cases::each! { $place; [$($(#[$attribute])+)?];
            damage {
                a_delivery_that_cannot_be_claimed_fails_alone
                an_endpoint_that_cannot_be_read_holds_up_no_other
                events_that_cannot_be_routed_stand_aside_for_a_day
                a_tenant_whose_version_cannot_be_read_holds_up_no_other
                a_row_that_cannot_be_read_fails_alone
            }
            dropping {
                a_dropped_call_of_the_engine_is_done_wholly
                a_dropped_call_about_endpoints_is_done_wholly
                a_dropped_removal_is_done_unit_by_unit
                a_dropped_call_of_the_log_is_done_wholly
                a_dropped_call_of_an_operator_is_done_wholly
                a_first_call_that_is_dropped_is_done_wholly_or_not_at_all
                a_dropped_migration_is_done_wholly_or_not_at_all
            }
            durability {
                what_was_answered_is_there_after_a_restart
                programs_that_write_at_once_lose_nothing_and_claim_nothing_twice
                work_that_is_claimed_meanwhile_is_never_out_of_sight
                a_call_dropped_at_any_point_is_done_wholly_and_leaves_no_transaction_open
                a_dropped_claim_holds_its_lease_as_if_its_caller_had_died
                an_endpoint_removed_half_way_is_removed_wholly_by_a_second_call
                what_was_stored_for_an_endpoint_that_goes_is_cancelled_by_the_next_claim
                an_endpoint_with_more_deliveries_than_one_unit_may_change_is_removed_wholly
                a_foreign_endpoint_has_no_deliveries_to_list
                a_tracked_event_under_a_taken_key_is_recorded_without_it
                edits_and_finishes_at_once_do_not_wait_in_a_circle
            }
            listing {
                a_listing_goes_through_any_number_of_endpoints_and_statuses
                a_page_of_a_rare_type_looks_through_a_bounded_number
                stats_are_of_the_newest_where_there_is_much
                a_listing_misses_nothing_that_is_claimed_and_tried_again_meanwhile
            }
            opening {
                opening_changes_nothing_and_migrating_twice_is_migrating_once
                programs_may_migrate_at_once
                a_store_that_is_not_migrated_says_what_to_do
                a_step_that_failed_has_left_nothing_behind
                a_step_that_was_cut_off_is_completed_by_taking_it_again
                tables_of_a_newer_version_are_left_alone
                tables_of_the_same_name_that_are_not_ours_are_left_alone
                our_tables_live_beside_those_of_the_application
            }
            outbox {
                a_committed_event_is_found_and_a_rolled_back_one_is_not
                an_uncommitted_event_is_seen_by_nobody
                the_same_key_names_the_first_event_or_is_a_conflict
                the_same_id_is_the_same_event_or_a_conflict
                a_body_that_is_too_large_is_refused_and_the_transaction_goes_on
                a_plain_insert_of_three_columns_publishes
                a_database_without_our_tables_is_told_as_such
            }
            vault {
                a_key_is_replaced_without_a_gap
                an_edit_seals_what_was_plain
                without_the_key_its_deliveries_wait_and_nothing_is_lost
                a_sealed_text_moved_to_another_column_does_not_open
            }
        }
    };
}

/// The same, for what needs a server.
macro_rules! on_server {
    ($place:expr, $(#[$attribute:meta])+) => {
        cases::each! { $place; [$(#[$attribute])+];
            reading {
                every_call_reads_little_on_empty_tables_and_on_full_ones
                a_claim_reads_little_however_much_waits_in_front
            }
            server {
                a_server_that_cannot_be_reached_is_told_from_one_that_refuses
                a_connection_that_was_cut_is_replaced_without_a_word
                a_claim_passes_over_a_delivery_that_is_held_by_another
                an_attempt_is_recorded_once_its_delivery_is_held_no_longer
                publishing_waits_for_nobody_who_holds_the_tenant
                a_row_held_by_another_is_waited_for_and_no_longer_than_the_limit
                a_database_that_may_not_be_written_says_so
            }
            network {
                a_silent_network_costs_one_limit
            }
            outbox {
                events_join_transactions_of_any_isolation_level
                an_event_that_commits_late_is_found_late
            }
        }
    };
}

macro_rules! each {
    ($place:expr; $attributes:tt; $($file:ident { $($case:ident)* })*) => {
        $($( cases::one! { $place; $attributes; $file $case } )*)*
    };
}

macro_rules! one {
    ($place:expr; [$(#[$attribute:meta])*]; $file:ident $case:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        $(#[$attribute])*
        async fn $case() {
            cases::$file::$case(&$place.await).await;
        }
    };
}

pub(crate) use {each, on, on_server, one};
