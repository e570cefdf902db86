//! `webhook send`: one event to one URL, now, without a database.

use std::{sync::Arc, time::Duration};

use clap::Args;
use serde::Serialize;
use webhook_registry::{
    Clock as _, ContentType, CustomHeaders, EndpointId, EndpointUrl, Event, EventId, EventType,
    Ids as _, Publisher, RetryPolicy, Secret, Signing, SystemClock, Timeout, UuidV7,
    signing::RingSigner,
};

use crate::{
    body::{BodyArgs, MAX_BODY},
    error::{End, Error},
    options::Options,
    output::{View, fields},
    publish::check_body,
    store::transport,
    values::{header, timeout},
};

#[derive(Args)]
pub(crate) struct SendArgs {
    /// Where to post to
    #[arg(value_name = "URL")]
    url: EndpointUrl,
    /// What happened, such as invoice.paid
    #[arg(value_name = "TYPE")]
    event_type: EventType,
    #[command(flatten)]
    body: BodyArgs,
    /// What the request is signed with; unsigned when absent
    #[arg(long)]
    secret: Option<Secret>,
    /// A header to add
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(String, String)>,
    /// How often to try: 1 s after the first failure, twice as long after each further one
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=50))]
    attempts: u32,
    /// The deadline of one attempt, at most 30s
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = timeout)]
    timeout: Timeout,
    /// What kind of bytes the body is
    #[arg(long, value_name = "TYPE", default_value_t)]
    content_type: ContentType,
    /// The largest body, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = MAX_BODY)]
    max_body: usize,
}

impl std::fmt::Debug for SendArgs {
    /// Not the values of headers.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendArgs").field("url", &self.url).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct SentView {
    event: EventId,
    attempts: u32,
}

impl View for SentView {
    fn text(&self) -> String {
        fields([("event", self.event.to_string()), ("attempts", self.attempts.to_string())])
    }
}

pub(crate) async fn run(options: &Options, args: SendArgs) -> Result<End, Error> {
    let body = args.body.read(args.max_body)?;
    check_body(&args.content_type, &body)?;
    let clock = SystemClock::new();
    let event = Event::new(
        EventId::from_uuid(UuidV7.next_id()),
        args.event_type.clone(),
        clock.now(),
        body,
    )
    .with_content_type(args.content_type.clone());
    let sent = publisher(options, args, clock)?.publish(&event).await?;
    options.output().show(&SentView { event: event.id, attempts: sent.attempts })?;
    Ok(End::Done)
}

fn publisher(options: &Options, args: SendArgs, clock: SystemClock) -> Result<Publisher, Error> {
    let id = EndpointId::from_uuid(UuidV7.next_id());
    let transport = Arc::new(transport(options, &options.settings()?)?);
    Ok(Publisher::new(id, args.url, transport, Arc::new(RingSigner), Arc::new(clock))
        .signing(args.secret.map_or_else(Signing::unsigned, Signing::with_secret))
        .headers(CustomHeaders::new(args.header)?)
        .timeout(args.timeout)
        .retry(retry(args.attempts)))
}

/// The schedule of sending now, with another number of attempts.
fn retry(attempts: u32) -> RetryPolicy {
    let default = RetryPolicy::send_now();
    let longest = default.max_retry_after();
    RetryPolicy::exponential(attempts, Duration::from_secs(1), 2, longest)
        .with_jitter_percent(0)
        .with_max_retry_after(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_attempts_are_the_default_schedule() {
        assert_eq!(retry(3), RetryPolicy::send_now());
    }
}
