//! Strategies that draw any value a store may hold.

use std::{collections::BTreeMap, fmt::Debug, str::FromStr, time::Duration};

use proptest::{collection::vec, option, prelude::*, sample::select};
use uuid::Uuid;
use webhook_core::{
    Attempt, ClientIdentity, CustomHeaders, DeliveryId, DeliveryStatus, Endpoint, EndpointId,
    EndpointTls, EndpointUrl, Event, EventId, Failure, FailureKind, Health, HealthPolicy, Metadata,
    Profile, Revision, Signing, SigningKey, Timeout, Timestamp, Trigger, policy::HealthSignal,
    store::LeaseEpoch, store_state::DeliveryState, transport::Hops,
};

pub(super) const CERTIFICATE_PEM: &str =
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
pub(super) const KEY_PEM: &str = "-----BEGIN PRIVATE KEY-----\nc4nary\n-----END PRIVATE KEY-----\n";

const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn timestamp() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_unix_millis)
}

fn duration() -> impl Strategy<Value = Duration> {
    (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(secs, nanos)| Duration::new(secs, nanos))
}

fn url() -> impl Strategy<Value = EndpointUrl> {
    "https?://[a-z]{1,9}[.]example/[a-z]{0,5}([?]token=[a-z0-9]{1,9})?"
        .prop_map(|text| text.parse().unwrap())
}

fn delivery_id() -> impl Strategy<Value = DeliveryId> {
    (any::<u128>(), any::<u128>()).prop_map(|(event, endpoint)| {
        let (event, endpoint) = (Uuid::from_u128(event), Uuid::from_u128(endpoint));
        DeliveryId::new(EventId::from_uuid(event), EndpointId::from_uuid(endpoint))
    })
}

fn parsed<T: FromStr + Debug>(texts: &'static [&'static str]) -> impl Strategy<Value = T> {
    select(texts).prop_map(|text| text.parse().unwrap_or_else(|_| panic!("{text}")))
}

fn signing() -> impl Strategy<Value = Signing> {
    let keys = vec((any::<bool>(), option::of(timestamp())), 1..=Signing::MAX_KEYS);
    keys.prop_map(|keys| {
        let is_standard = keys.iter().all(|(is_standard, _)| *is_standard);
        let key = |(is_standard, expires_at)| {
            let secret = if is_standard { WHSEC } else { "a \"quoted\" secret" };
            SigningKey::new(secret.parse().unwrap()).with_expiry(expires_at)
        };
        let profiles =
            if is_standard { Profile::DEFAULT.to_vec() } else { [Profile::BodyHmac].to_vec() };
        Signing::new(keys.into_iter().map(key).collect(), profiles).unwrap()
    })
}

fn tls() -> impl Strategy<Value = EndpointTls> {
    (any::<bool>(), any::<bool>()).prop_map(|(has_identity, has_roots)| {
        let mut tls = EndpointTls::new();
        if has_identity {
            tls = tls.with_identity(ClientIdentity::from_pem(CERTIFICATE_PEM, KEY_PEM).unwrap());
        }
        if has_roots { tls.with_roots_pem(CERTIFICATE_PEM).unwrap() } else { tls }
    })
}

fn health() -> impl Strategy<Value = Health> {
    let signal = select(vec![
        HealthSignal::Bad,
        HealthSignal::Bad,
        HealthSignal::Good,
        HealthSignal::Busy(Duration::from_secs(7)),
    ]);
    (vec(signal, 0..9), any::<bool>()).prop_map(|(signals, is_probed)| {
        let policy = HealthPolicy::new().with_warn_after(2).with_cool_after(3);
        let at = Timestamp::from_unix_secs(5);
        let apply = |health: Health, signal| health.after(signal, None, at, &policy, 16).health;
        let health = signals.into_iter().fold(Health::HEALTHY, apply);
        if is_probed { health.probed(at) } else { health }
    })
}

fn settings() -> impl Strategy<Value = Endpoint> {
    let owner = (
        option::of(parsed(&["what it is for\nin two lines: \"ä\""])),
        option::of(parsed(&["customer-17"])),
        proptest::collection::btree_map("[a-zä]{1,9}", ".{0,9}", 0..4),
    );
    let limits = (
        1..=30_000_000_000_u64,
        parsed(&["none", "5s,5m jitter 0% retry-after 1h"]),
        1..u32::MAX,
        option::of(parsed(&["10/s burst 50"])),
        option::of(parsed(&["block", "skip"])),
    );
    (url(), owner, limits).prop_map(|(url, (description, external_id, notes), limits)| {
        let (nanos, retry, max_in_flight, rate, order) = limits;
        let notes: BTreeMap<String, String> = notes;
        let timeout = Timeout::new(Duration::from_nanos(nanos.max(1_000_000))).unwrap();
        Endpoint::new(EndpointId::from_uuid(Uuid::nil()), url)
            .with_description(description)
            .with_external_id(external_id)
            .with_metadata(Metadata::new(notes).unwrap())
            .with_timeout(timeout)
            .with_retry(retry)
            .with_max_in_flight(max_in_flight)
            .with_rate(rate)
            .with_order(order)
    })
}

pub(super) fn endpoint() -> impl Strategy<Value = Endpoint> {
    let secrets = (option::of(signing()), vec("[ -9;-~]{0,20}", 0..4), option::of(tls()));
    let state = parsed(&["active", "paused", "disabled", "disabled-gone", "disabled-failing"]);
    let stored = (any::<u128>(), state, any::<u64>(), timestamp(), health());
    let wanted = (parsed(&["default", "acme"]), vec(parsed(&["a.b", "a.*", "**"]), 0..3));
    (settings(), secrets, stored, wanted).prop_map(|(settings, secrets, stored, wanted)| {
        let (signing, values, tls) = secrets;
        let (id, state, revision, created_at, health) = stored;
        let headers = (0..).zip(&values).map(|(n, value)| (format!("x-{n}"), value));
        let mut endpoint = settings
            .with_tenant(wanted.0)
            .with_filters(wanted.1)
            .with_signing(signing.unwrap_or_default())
            .with_headers(CustomHeaders::new(headers).unwrap())
            .with_tls(tls)
            .with_state(state)
            .with_revision(Revision::from_u64(revision))
            .with_created_at(created_at)
            .with_health(health);
        endpoint.id = EndpointId::from_uuid(Uuid::from_u128(id));
        endpoint
    })
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    let keys = (option::of(parsed(&["invoice-42"])), option::of(parsed(&["order-17"])));
    let kinds = (parsed(&["a", "invoice.paid"]), parsed(&["default", "acme"]));
    let body = (parsed(&["application/json", "text/plain; charset=utf-8"]), any::<Vec<u8>>());
    (any::<u128>(), kinds, timestamp(), body, keys, 0..=Hops::MAX.as_u32()).prop_map(
        |(id, (event_type, tenant), occurred_at, (content_type, body), keys, hops)| {
            let id = EventId::from_uuid(Uuid::from_u128(id));
            Event::new(id, event_type, occurred_at, body)
                .with_tenant(tenant)
                .with_content_type(content_type)
                .with_key(keys.0)
                .with_ordering_key(keys.1)
                .with_hops(Hops::new(hops))
        },
    )
}

pub(super) fn delivery() -> impl Strategy<Value = (DeliveryId, EndpointUrl, DeliveryState)> {
    let flags = any::<[bool; 3]>();
    let counts = (any::<u64>(), any::<[u32; 3]>(), trigger());
    let times = (timestamp(), timestamp(), option::of(timestamp()), option::of(timestamp()));
    let notes = (option::of(parsed(&["worker-1"])), option::of(".{0,20}"));
    let status = select(DeliveryStatus::ALL.to_vec());
    (delivery_id(), url(), status, flags, counts, times, notes).prop_map(
        |(id, url, status, flags, counts, times, notes)| {
            let mut state = DeliveryState::pending(times.0);
            state.status = status;
            [state.tracked, state.held, state.blocked] = flags;
            state.epoch = LeaseEpoch::from_u64(counts.0);
            [state.attempts, state.budget_from, state.forgiven] = counts.1;
            state.cause = counts.2;
            state.due_at = times.1;
            (state.claimed_at, state.previous_claim_at) = (times.2, times.3);
            (state.claimed_by, state.last_error) = notes;
            state.finished_at = status.is_final().then_some(times.1);
            (id, url, state)
        },
    )
}

fn trigger() -> impl Strategy<Value = Trigger> {
    parsed(&["first", "retry", "manual", "replay", "test"])
}

pub(super) fn attempt() -> impl Strategy<Value = Attempt> {
    let kind: &[&str] = &["status", "blocked", "stale-connection", "local", "unknown", "other"];
    let kind = select(kind).prop_map(|kind| kind.parse::<FailureKind>().unwrap());
    let failure = (kind, ".{0,30}").prop_map(|(kind, text)| Failure::new(kind, text));
    let times = (timestamp(), duration());
    (
        1..=u32::MAX,
        trigger(),
        times,
        option::of(100..1000_u16),
        option::of(failure),
        any::<Vec<u8>>(),
    )
        .prop_map(|(number, trigger, (started_at, duration), status, failure, body)| {
            Attempt::from_parts(number, started_at, duration, status, failure, body.into())
                .with_trigger(trigger)
        })
}
