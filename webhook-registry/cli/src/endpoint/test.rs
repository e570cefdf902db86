//! `webhook endpoint test`: an event for one endpoint alone, to see that it gets there.

use bytes::Bytes;
use clap::Args;
use serde::Serialize;
use webhook_registry::{
    DeliveryId, EndpointId, Event, EventId, EventType, Ids as _, NewEvent, RetryPolicy, SendError,
    Timestamp, UuidV7, Webhooks,
};

use crate::{
    delivery::{ShownAttempt, attempts},
    error::{End, Error, print_error, text},
    output::{Output, View, fields},
};

#[derive(Args, Debug)]
pub(crate) struct TestArgs {
    /// The endpoint
    #[arg(value_name = "ID")]
    id: EndpointId,
    /// Let a worker send it, tried again and on record as any other delivery; needs an active
    /// endpoint
    #[arg(long)]
    worker: bool,
    /// What it says has happened
    #[arg(long = "type", value_name = "TYPE", default_value = TEST_TYPE)]
    event_type: EventType,
    /// What it says of that, in JSON; @FILE reads it from a file
    #[arg(long, value_name = "JSON|@FILE", default_value = TEST_BODY, hide_default_value = true)]
    data: String,
}

/// Type of the test event.
const TEST_TYPE: &str = "webhook.test";
/// Body of the test event.
const TEST_BODY: &str =
    r#"{"message":"A test. Answer with a status from 200 to 299 once the signature verifies."}"#;

impl TestArgs {
    fn body(&self) -> Result<Bytes, Error> {
        let Some(path) = self.data.strip_prefix('@') else {
            return Ok(Bytes::copy_from_slice(self.data.as_bytes()));
        };
        let read = std::fs::read(path).map(Bytes::from);
        read.map_err(|source| Error::Read { what: path.to_owned(), source })
    }
}

/// A test that a worker is going to send.
#[derive(Serialize)]
struct Queued {
    delivery: DeliveryId,
}

impl View for Queued {
    fn text(&self) -> String {
        let next = format!("a worker sends it; see webhook delivery show {}", self.delivery);
        fields([("delivery", self.delivery.to_string()), ("next", next)])
    }
}

pub(super) async fn run(output: Output, webhooks: &Webhooks, args: TestArgs) -> Result<End, Error> {
    let body = args.body()?;
    if args.worker {
        let event = NewEvent::from_type(args.event_type, body);
        let delivery = webhooks.operator().send_test_event(args.id, event).await?;
        output.show(&Queued { delivery })?;
        return Ok(End::Done);
    }
    send(output, webhooks, args, body).await
}

async fn send(
    output: Output,
    webhooks: &Webhooks,
    args: TestArgs,
    body: Bytes,
) -> Result<End, Error> {
    let endpoint = webhooks.operator().endpoint(args.id).await?;
    let now = Timestamp::from(std::time::SystemTime::now());
    let event = Event::new(EventId::from_uuid(UuidV7.next_id()), args.event_type, now, body)
        .with_tenant(endpoint.tenant.clone());
    let sent = webhooks.publisher(endpoint).retry(RetryPolicy::none()).publish(&event).await;
    if let Err(error @ SendError::Tracking(_)) = sent {
        return Err(error.into());
    }
    let log: Vec<ShownAttempt> = attempts(webhooks, DeliveryId::new(event.id, args.id)).await?;
    output.list(&log)?;
    match sent {
        Ok(_) => Ok(End::Done),
        Err(error) => {
            print_error(&text(&error));
            Ok(End::Failed)
        }
    }
}
