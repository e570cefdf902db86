//! `webhook verify`: whether the signature headers of a body are genuine, and why not.

use std::time::{Duration, SystemTime};

use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use webhook_registry::{
    Secret, Timestamp,
    error::InvalidHeader,
    signing::{RingSigner, Verifier},
};

use crate::{
    body::{BodyArgs, MAX_BODY},
    error::{End, Error},
    options::Options,
    output::View,
    values::{duration, header},
};

#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// The secret: whsec_... for webhook-signature, plain text for x-signature
    #[arg(long)]
    secret: Secret,
    /// A header of the request, as it arrived
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(String, String)>,
    /// How old or new the request may be
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    tolerance: Duration,
    /// Judge as of this time, in Unix seconds; as of now, when absent
    #[arg(long, value_name = "SECONDS")]
    now: Option<i64>,
    #[command(flatten)]
    body: BodyArgs,
}

impl std::fmt::Debug for VerifyArgs {
    /// Not the values of headers.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifyArgs").field("tolerance", &self.tolerance).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Verified {
    verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl View for Verified {
    fn text(&self) -> String {
        "verified".to_owned()
    }
}

pub(crate) fn run(options: &Options, args: VerifyArgs) -> Result<End, Error> {
    let headers = read_headers(&args.header)?;
    let body = args.body.read(MAX_BODY)?;
    let now = || Timestamp::from(SystemTime::now());
    let now = args.now.map_or_else(now, Timestamp::from_unix_secs);
    let verifier = Verifier::new(args.secret).tolerance(args.tolerance);
    let answer = verifier.verify(&RingSigner, &headers, &body, now);
    let reason = answer.as_ref().err().map(ToString::to_string);
    let output = options.output();
    if output.json || reason.is_none() {
        output.show(&Verified { verified: reason.is_none(), reason })?;
    }
    answer?;
    Ok(End::Done)
}

fn read_headers(pairs: &[(String, String)]) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name: HeaderName = name.parse().map_err(|_| InvalidHeader::Name)?;
        let value: HeaderValue = value.parse().map_err(|_| InvalidHeader::Value(name.clone()))?;
        headers.append(name, value);
    }
    Ok(headers)
}
