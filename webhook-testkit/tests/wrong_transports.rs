//! The suite for transports notices a transport that breaks its contract, and says which sentence.

mod common;
mod wrong_transports {
    pub(crate) mod plain;
}

use std::{cell::Cell, sync::Arc};

use common::{assert_said, said};
use webhook_core::Transport;
use webhook_testkit::{TransportHarness, conformance};
use wrong_transports::plain::{Flaw, PlainTransport};

thread_local! {
    static FLAW: Cell<Flaw> = const { Cell::new(Flaw::None) };
}

/// Brings a transport with the flaw of this thread.
struct Wrong;

impl TransportHarness for Wrong {
    fn transport() -> Arc<dyn Transport> {
        Arc::new(PlainTransport::new(FLAW.get()))
    }
}

/// What the case says of a transport with this flaw.
macro_rules! said_of {
    ($flaw:expr, $case:ident) => {{
        FLAW.set($flaw);
        said("transport", stringify!($case), || {
            conformance::run(conformance::transport::$case::<Wrong>());
        })
    }};
}

// The same transport without a flaw passes: it is the flaw that each test below is about.
webhook_testkit::transport_conformance!(Wrong);

#[test]
fn one_that_follows_redirects_is_told() {
    assert_said(
        said_of!(Flaw::FollowsRedirects, wherever_a_receiver_points_nobody_goes),
        "the transport broke its contract: wherever a receiver points nobody goes",
        "no redirect or other hint is followed",
    );
}

#[test]
fn one_that_keeps_whole_bodies_is_told() {
    assert_said(
        said_of!(Flaw::KeepsAll, whatever_a_receiver_sends_no_more_of_it_is_kept),
        "the transport broke its contract: whatever a receiver sends no more of it is kept",
        "a receiver that sends 50 kB that unpack to 50 MB: 50033 bytes were kept",
    );
}

#[test]
fn one_without_a_deadline_is_told() {
    let said = said_of!(Flaw::NoDeadline, whatever_a_receiver_does_the_deadline_is_kept);
    let sentence =
        "the transport broke its contract: whatever a receiver does the deadline is kept";
    assert_said(said.clone(), sentence, "a receiver that takes the connection and reads nothing");
    assert_said(said, sentence, "a receiver that sends a body without end, a byte a second");
}

#[test]
fn one_whose_deadline_begins_with_the_answer_is_told() {
    let said = said_of!(
        Flaw::DeadlineForTheAnswerAlone,
        a_receiver_that_never_reads_is_left_at_the_deadline
    );
    assert_said(
        said,
        "the transport broke its contract: a receiver that never reads is left at the deadline",
        "the deadline covers the writing of the request",
    );
    let case = said_of!(
        Flaw::DeadlineForTheAnswerAlone,
        a_connection_that_never_comes_about_is_left_at_the_deadline
    );
    assert_said(
        case,
        "the transport broke its contract: a connection that never comes about is left at the deadline",
        "the deadline covers connecting",
    );
}

#[test]
fn one_that_tries_again_is_told() {
    assert_said(
        said_of!(Flaw::TriesAgain, whatever_a_receiver_answers_it_is_asked_once),
        "the transport broke its contract: whatever a receiver answers it is asked once",
        "a receiver that reads the request and closes the connection: it saw 2 requests",
    );
}

#[test]
fn one_that_takes_an_answer_for_another_is_told() {
    let said = said_of!(
        Flaw::KeepsConnectionsBlindly,
        whatever_a_receiver_did_the_next_request_gets_its_own_answer
    );
    let sentence = "the transport broke its contract: \
                    whatever a receiver did the next request gets its own answer";
    assert_said(
        said.clone(),
        sentence,
        "a receiver that answers twice: the next got 200 OK, b\"late\"",
    );
    assert_said(said, sentence, "a receiver that sends an answer to nothing on an idle connection");
}

#[test]
fn one_that_takes_failures_for_errors_is_told() {
    assert_said(
        said_of!(Flaw::StatusIsAnError, a_whole_head_is_an_answer_and_nothing_else_is),
        "the transport broke its contract: a whole head is an answer and nothing else is",
        "a receiver that is gone for good: `exchange failed`, not 410",
    );
}

#[test]
fn one_that_brings_cookies_back_is_told() {
    assert_said(
        said_of!(Flaw::BringsCookiesBack, wherever_a_receiver_points_nobody_goes),
        "the transport broke its contract: wherever a receiver points nobody goes",
        "a receiver that sets a cookie: it got its cookie back",
    );
}
