use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use webhook_core::{
    Endpoint, EventId, Profile, Signing,
    signing::{
        Message, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP, X_SIGNATURE, body_signature,
        standard_signature,
    },
};

use super::{Action, Actor, Invariant, Model, PlainSigner, SendStart, TraceEvent, Verdict};

// Catches `signed once, and used again` in webhook-core/src/engine/exchanger.rs:
// - match compose(event, endpoint, &*self.signer, now) {
// + match compose(event, endpoint, &*self.signer, event.occurred_at.min(now)) {
// Catches `old settings are used` in webhook-core/src/engine/dispatcher/run/load.rs:
// - held.is_some_and(|endpoint| endpoint.revision >= claim.endpoint_revision)
// + held.is_some()
/// Each send carries its own time and a signature by every active secret and no other, by settings
/// no older than its claim. Id and body are the same bytes in each send.
#[derive(Debug, Default)]
pub(super) struct Signatures {
    bodies: BTreeMap<EventId, Bytes>,
}

impl Invariant for Signatures {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        let (Action::SendStarted(start), Actor::Worker(pid)) = (&traced.action, traced.by) else {
            return Verdict::NotApplicable;
        };
        let id = start.delivery;
        let body = self.bodies.entry(id.event).or_insert_with(|| start.request.body.clone());
        let stored = before.events.get(&id.event).and_then(|entry| entry.event.as_ref());
        let same = *body == start.request.body && stored.is_some_and(|entry| entry.body == *body);
        let claim = before.deliveries.get(&id).and_then(|entry| entry.claim_of(pid));
        let (Some(claim), Some(endpoint)) = (claim, before.endpoint(id)) else {
            return Verdict::NotApplicable;
        };
        let oldest = claim.claim.endpoint_revision;
        let signed =
            endpoint.revisions.range(oldest..).any(|(_, known)| is_signed_by(start, known));
        Verdict::of(same && signed, id, || {
            format!(
                "same bytes: {same}; signed by settings of revision {oldest} or later: {signed}"
            )
        })
    }
}

fn is_signed_by(start: &SendStart, endpoint: &Endpoint) -> bool {
    let headers = &start.request.headers;
    let secs = start.clock.as_unix_secs().to_string();
    let event = start.delivery.event.to_string();
    text(headers, &WEBHOOK_ID) == Some(&event)
        && text(headers, &WEBHOOK_TIMESTAMP) == Some(&secs)
        && text(headers, &WEBHOOK_SIGNATURE).map(str::to_owned)
            == standard(start, &event, &endpoint.signing)
        && text(headers, &X_SIGNATURE).map(str::to_owned) == body_hmac(start, &endpoint.signing)
}

/// The keys that are active by the clock of this send.
fn active<'a>(
    start: &SendStart,
    signing: &'a Signing,
) -> impl Iterator<Item = &'a webhook_core::Secret> {
    let now = start.clock;
    let keys = signing.keys().iter();
    keys.filter(move |key| key.expires_at.is_none_or(|at| now < at)).map(|key| &key.secret)
}

fn standard(start: &SendStart, event: &str, signing: &Signing) -> Option<String> {
    if !signing.profiles().contains(&Profile::Standard) {
        return None;
    }
    let message = Message::new(event, start.clock, &start.request.body);
    let sign = |secret| standard_signature(&PlainSigner::new(), secret, &message).ok();
    let all: Vec<_> = active(start, signing).filter_map(sign).collect();
    Some(all.join(" "))
}

/// This profile has one signature, by the current key.
fn body_hmac(start: &SendStart, signing: &Signing) -> Option<String> {
    if !signing.profiles().contains(&Profile::BodyHmac) {
        return None;
    }
    let secret = active(start, signing).next()?;
    body_signature(&PlainSigner::new(), secret, &start.request.body).ok()
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
