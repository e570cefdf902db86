//! `webhook listen`: a receiver for development, which shows what arrives.

mod replies;

use std::net::SocketAddr;

use clap::Args;
use serde::Serialize;
use webhook_registry::{
    Secret,
    signing::{Verifier, WEBHOOK_ID, verify},
    transport::{ReceivedRequest, Receiver, ReceiverResponse, X_EVENT_TYPE},
};

use self::replies::{Replies, Reply};
use crate::{
    error::{End, Error, print_error, text},
    escape::harmless,
    options::Options,
    output::{Output, View},
    signals::shutdown,
};

#[derive(Args, Debug)]
pub(crate) struct ListenArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0", value_parser = address)]
    addr: SocketAddr,
    /// The secret to verify signatures with
    #[arg(long)]
    secret: Option<Secret>,
    /// The statuses to answer with, in turn; the last one repeats: 503x2,200 (never: no answer)
    #[arg(long, value_name = "STATUSES", default_value = "200")]
    answer: Replies,
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "expected an IP address and a port, such as 127.0.0.1:0")
}

#[derive(Serialize)]
struct Listening {
    listening: String,
}

impl View for Listening {
    fn text(&self) -> String {
        format!("listening on {}", self.listening)
    }
}

/// A request, as it is shown.
#[derive(Serialize)]
struct RequestView {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    /// The value of `webhook-id`.
    id: Option<String>,
    #[serde(rename = "type")]
    event_type: Option<String>,
    body_bytes: usize,
    /// The beginning of the body.
    body: String,
    /// Whether the signature is genuine; absent without a secret to tell by.
    verified: Option<bool>,
    /// Why not.
    reason: Option<String>,
    /// What it was answered with.
    answer: Reply,
}

impl RequestView {
    /// Maximum number of characters of a body that are shown.
    const MAX_SHOWN_CHARS: usize = 500;

    fn of(request: &ReceivedRequest, verifier: Option<&Verifier>, answer: Reply) -> Self {
        let text =
            |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = request.headers.iter();
        let checked = verifier.map(|verifier| verify(verifier, &request.headers, &request.body));
        Self {
            method: request.method.to_string(),
            path: request.uri.to_string(),
            headers: headers.map(|(name, value)| (name.to_string(), text(value))).collect(),
            id: request.headers.get(WEBHOOK_ID).map(text),
            event_type: request.headers.get(X_EVENT_TYPE).map(text),
            body_bytes: request.body.len(),
            body: String::from_utf8_lossy(&request.body)
                .chars()
                .take(Self::MAX_SHOWN_CHARS)
                .collect(),
            verified: checked.as_ref().map(Result::is_ok),
            reason: checked.and_then(Result::err).map(|error| error.to_string()),
            answer,
        }
    }

    fn judgement(&self) -> String {
        match (self.verified, &self.reason) {
            (Some(true), _) => "signature verified".to_owned(),
            (_, Some(reason)) => format!("signature NOT verified: {reason}"),
            _ => "signature not checked; give --secret".to_owned(),
        }
    }
}

impl View for RequestView {
    fn text(&self) -> String {
        let mut lines = vec![String::new(), format!("{} {}", self.method, harmless(&self.path))];
        let headers = self.headers.iter();
        lines.extend(headers.map(|(name, value)| format!("  {name}: {}", harmless(value))));
        lines.push(format!("  {} bytes: {}", self.body_bytes, harmless(&self.body)));
        lines.push(format!("  {}; answered {}", self.judgement(), self.answer));
        lines.join("\n")
    }
}

pub(crate) async fn run(options: &Options, args: ListenArgs) -> Result<End, Error> {
    let output = options.output();
    let shutdown = shutdown()?;
    let receiver = Receiver::bind(args.addr).await?;
    output.show(&Listening { listening: format!("http://{}", receiver.local_addr()) })?;
    let verifier = args.secret.map(Verifier::new);
    let replies = args.answer;
    let handler =
        move |request: ReceivedRequest| answer(output, &request, verifier.as_ref(), &replies);
    receiver.serve(handler, shutdown).await;
    Ok(End::Done)
}

fn answer(
    output: Output,
    request: &ReceivedRequest,
    verifier: Option<&Verifier>,
    replies: &Replies,
) -> ReceiverResponse {
    let reply = replies.next();
    if let Err(error) = output.show(&RequestView::of(request, verifier, reply)) {
        print_error(&text(&error));
    }
    reply.into()
}
