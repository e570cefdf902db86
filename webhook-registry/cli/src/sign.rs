//! `webhook sign`: the signature headers of a body.

use std::{collections::BTreeMap, time::SystemTime};

use clap::Args;
use http::HeaderMap;
use serde::Serialize;
use webhook_registry::{
    EventId, Ids as _, Secret, Signing, Timestamp, UuidV7,
    signing::{Message, RingSigner, WEBHOOK_ID, WEBHOOK_TIMESTAMP},
};

use crate::{
    body::{BodyArgs, MAX_BODY},
    error::{End, Error},
    options::Options,
    output::View,
};

#[derive(Args, Debug)]
pub(crate) struct SignArgs {
    /// The secret: whsec_..., or plain text, which serves the header x-signature only
    #[arg(long)]
    secret: Secret,
    /// The value of webhook-id; a new one when absent
    #[arg(long, value_parser = id)]
    id: Option<String>,
    /// Unix seconds; now when absent
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(0..))]
    timestamp: Option<i64>,
    #[command(flatten)]
    body: BodyArgs,
}

/// Reads a `webhook-id`: any token without a dot in the way of the signed content.
fn id(text: &str) -> Result<String, &'static str> {
    let valid =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.');
    if valid { Ok(text.to_owned()) } else { Err("expected visible ASCII characters without a dot") }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Headers(BTreeMap<String, String>);

impl View for Headers {
    fn text(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\n")
    }
}

pub(crate) fn run(options: &Options, args: &SignArgs) -> Result<End, Error> {
    let body = args.body.read(MAX_BODY)?;
    let new_id = || EventId::from_uuid(UuidV7.next_id()).to_string();
    let id = args.id.clone().unwrap_or_else(new_id);
    let now = || Timestamp::from(SystemTime::now());
    let timestamp = args.timestamp.map_or_else(now, Timestamp::from_unix_secs);
    let mut signed = HeaderMap::new();
    let message = Message::new(&id, timestamp, &body);
    Signing::with_secret(args.secret.clone()).sign(&RingSigner, &message, &mut signed)?;
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut headers: BTreeMap<_, _> =
        signed.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    headers.insert(WEBHOOK_ID.to_string(), id);
    headers.insert(WEBHOOK_TIMESTAMP.to_string(), timestamp.as_unix_secs().to_string());
    options.output().show(&Headers(headers))?;
    Ok(End::Done)
}
