//! `webhook publish`: one event, or many from a file.

pub(crate) mod published_view;

use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use webhook_registry::{ContentType, EventKey, EventType, NewEvent, OrderingKey, TenantId};

use self::published_view::PublishedView;
use crate::{
    body::{BodyArgs, MAX_BODY, check_json},
    error::{End, Error},
    ndjson,
    options::Options,
    store::open_with,
    values::whole,
};

#[derive(Args, Debug)]
pub(crate) struct PublishArgs {
    /// What happened, such as invoice.paid
    #[arg(value_name = "TYPE", required_unless_present = "ndjson")]
    event_type: Option<EventType>,
    #[command(flatten)]
    body: BodyArgs,
    /// A file of events, one a line: {"type":..,"data":..,"tenant":..,"key":..,"ordering_key":..};
    /// - reads standard input
    #[arg(long, group = "body", value_name = "FILE")]
    #[arg(conflicts_with_all = ["event_type", "key", "ordering_key", "content_type"])]
    ndjson: Option<PathBuf>,
    /// Whose event it is
    #[arg(long, default_value_t)]
    tenant: TenantId,
    /// Your own key: a second event of the tenant under it is the first one again
    #[arg(long)]
    key: Option<EventKey>,
    /// What it belongs together with, for endpoints that get such events in order
    #[arg(long, value_name = "KEY")]
    ordering_key: Option<OrderingKey>,
    /// What kind of bytes the body is
    #[arg(long, value_name = "TYPE", default_value_t)]
    content_type: ContentType,
    /// The largest body, in bytes [default: 262144]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..))]
    max_body: Option<u32>,
}

pub(crate) async fn run(options: &Options, args: PublishArgs) -> Result<End, Error> {
    let mut settings = options.settings_builder();
    if let Some(bytes) = args.max_body {
        settings = settings.max_body(whole(bytes));
    }
    let settings = settings.from_env()?;
    let max_body = settings.max_body().unwrap_or(MAX_BODY);
    // What can be wrong with the event is told before a database is opened, or even created.
    let event = match &args.event_type {
        Some(event_type) => Some(read_event(event_type, &args, max_body)?),
        None => None,
    };
    let source = args.ndjson.as_deref().map(ndjson::Source::open).transpose()?;
    let webhooks = open_with(options, &settings).await?;
    if let Some(source) = source {
        return ndjson::publish(options.output(), &webhooks, source, &args.tenant, max_body).await;
    }
    if let Some(event) = event {
        let published = webhooks.publish(event).await?;
        options.output().show(&PublishedView::new(None, published))?;
    }
    Ok(End::Done)
}

fn read_event(
    event_type: &EventType,
    args: &PublishArgs,
    max_body: usize,
) -> Result<NewEvent, Error> {
    let body = args.body.read(max_body)?;
    check_body(&args.content_type, &body)?;
    let mut event = NewEvent::from_type(event_type.clone(), body)
        .tenant(args.tenant.clone())
        .with_content_type(args.content_type.clone());
    if let Some(key) = &args.key {
        event = event.with_key(key.clone());
    }
    if let Some(key) = &args.ordering_key {
        event = event.with_ordering_key(key.clone());
    }
    Ok(event)
}

/// A body that says it is JSON has to be; of others nothing is known.
pub(crate) fn check_body(content_type: &ContentType, body: &Bytes) -> Result<(), Error> {
    let kind = content_type.as_str().split(';').next().unwrap_or_default().trim();
    let is_json = kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json");
    if is_json { check_json(body) } else { Ok(()) }
}
