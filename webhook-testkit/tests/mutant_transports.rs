//! The suite for transports catches mutants of a transport and names the broken sentence.

mod common;
mod mutant_transports {
    pub(crate) mod plain_transport;
}

use std::{cell::Cell, sync::Arc};

use common::{assert_caught, failure_message};
use mutant_transports::plain_transport::{PlainTransport, TransportMutation};
use webhook_core::transport::Transport;
use webhook_testkit::{TransportHarness, conformance};

thread_local! {
    static MUTATION: Cell<TransportMutation> = const { Cell::new(TransportMutation::None) };
}

/// Harness of a transport with the mutation of this thread.
struct MutantTransportHarness;

impl TransportHarness for MutantTransportHarness {
    fn transport() -> Arc<dyn Transport> {
        Arc::new(PlainTransport::new(MUTATION.get()))
    }
}

/// Message of a case that runs on a transport with this mutation.
macro_rules! message_of {
    ($mutation:expr, $case:ident) => {{
        MUTATION.set($mutation);
        failure_message("transport", stringify!($case), || {
            conformance::run(conformance::transport::$case::<MutantTransportHarness>());
        })
    }};
}

// The same transport without a mutation passes, so each test below is about its mutation.
webhook_testkit::transport_conformance!(MutantTransportHarness);

#[test]
fn a_transport_that_follows_redirects_is_caught() {
    assert_caught(
        message_of!(TransportMutation::FollowsRedirects, wherever_a_receiver_points_nobody_goes),
        "the transport broke its contract: wherever a receiver points nobody goes",
        "no redirect or other hint is followed",
    );
}

#[test]
fn a_transport_that_keeps_whole_bodies_is_caught() {
    assert_caught(
        message_of!(TransportMutation::KeepsAll, whatever_a_receiver_sends_no_more_of_it_is_kept),
        "the transport broke its contract: whatever a receiver sends no more of it is kept",
        "a receiver that sends 50 kB that unpack to 50 MB: 50033 bytes were kept",
    );
}

#[test]
fn a_transport_without_a_deadline_is_caught() {
    let said =
        message_of!(TransportMutation::NoDeadline, whatever_a_receiver_does_the_deadline_is_kept);
    let sentence =
        "the transport broke its contract: whatever a receiver does the deadline is kept";
    assert_caught(said.clone(), sentence, "a receiver that takes the connection and reads nothing");
    assert_caught(said, sentence, "a receiver that sends a body without end, a byte a second");
}

#[test]
fn a_transport_whose_deadline_begins_with_the_answer_is_caught() {
    let said = message_of!(
        TransportMutation::DeadlineForTheAnswerAlone,
        a_receiver_that_never_reads_is_left_at_the_deadline
    );
    assert_caught(
        said,
        "the transport broke its contract: a receiver that never reads is left at the deadline",
        "the deadline covers the writing of the request",
    );
    let case = message_of!(
        TransportMutation::DeadlineForTheAnswerAlone,
        a_connection_that_never_comes_about_is_left_at_the_deadline
    );
    assert_caught(
        case,
        "the transport broke its contract: a connection that never comes about is left at the deadline",
        "the deadline covers connecting",
    );
}

#[test]
fn a_transport_that_tries_again_is_caught() {
    assert_caught(
        message_of!(TransportMutation::TriesAgain, whatever_a_receiver_answers_it_is_asked_once),
        "the transport broke its contract: whatever a receiver answers it is asked once",
        "a receiver that reads the request and closes the connection: it saw 2 requests",
    );
}

#[test]
fn a_transport_that_takes_an_answer_for_another_is_caught() {
    let said = message_of!(
        TransportMutation::KeepsConnectionsBlindly,
        whatever_a_receiver_did_the_next_request_gets_its_own_answer
    );
    let sentence = "the transport broke its contract: \
                    whatever a receiver did the next request gets its own answer";
    assert_caught(
        said.clone(),
        sentence,
        "a receiver that answers twice: the next got 200 OK, b\"late\"",
    );
    assert_caught(
        said,
        sentence,
        "a receiver that sends an answer to nothing on an idle connection",
    );
}

#[test]
fn a_transport_that_takes_failures_for_errors_is_caught() {
    assert_caught(
        message_of!(
            TransportMutation::StatusIsAnError,
            a_whole_head_is_an_answer_and_nothing_else_is
        ),
        "the transport broke its contract: a whole head is an answer and nothing else is",
        "a receiver that is gone for good: `exchange failed`, not 410",
    );
}

#[test]
fn a_transport_that_brings_cookies_back_is_caught() {
    assert_caught(
        message_of!(TransportMutation::BringsCookiesBack, wherever_a_receiver_points_nobody_goes),
        "the transport broke its contract: wherever a receiver points nobody goes",
        "a receiver that sets a cookie: it got its cookie back",
    );
}
