//! Endpoints: kept, edited, and read at one point in time.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use webhook_core::{
    ClientIdentity, CustomHeaders, Description, DisabledReason, Endpoint, EndpointState,
    EndpointTls, EventFilter, ExternalId, Metadata, OrderPolicy, Profile, RetryPolicy, Revision,
    Signing, SigningKey, StoreErrorKind, TenantId, Timeout, Timestamp,
    store::{
        Capability, EndpointDirectory as _, RoutingEntry, RoutingUpdate, TenantVersion, Updated,
    },
};

use super::{Fixture, StoreHarness, fixture::some_time};

/// The settings of an endpoint in words that can be compared; secrets have no other way.
pub(super) fn endpoint_text(endpoint: &Endpoint) -> String {
    let keys = endpoint.signing.keys().iter().map(|key| (key.secret.reveal(), key.expires_at));
    let keys: Vec<_> = keys.collect();
    let headers: Vec<_> = endpoint.headers.iter().collect();
    let profiles = endpoint.signing.profiles();
    let tls = endpoint.tls.as_ref().map(|tls| {
        let identity =
            tls.identity().map(|identity| (identity.certificates_pem(), identity.reveal_key_pem()));
        (identity, tls.roots_pem())
    });
    let url = endpoint.url.as_str();
    format!("{endpoint:?}\n{url}\n{keys:?} {profiles:?}\n{headers:?}\n{tls:?}")
}

fn full<H: StoreHarness>(fixture: &Fixture<H>) -> Endpoint {
    let old = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
    let new = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
    let keys = vec![SigningKey::new(new), SigningKey::new(old).with_expiry(Some(some_time()))];
    let url = "https://billing.example:8443/hooks/%C3%A4?token=t0ken&x=1".parse().unwrap();
    Endpoint::new(fixture.ids.endpoint(), url)
        .with_tenant("acme".parse().unwrap())
        .with_filters(["invoice.*".parse().unwrap(), "user.made".parse().unwrap()])
        .with_signing(Signing::new(keys, vec![Profile::BodyHmac, Profile::Standard]).unwrap())
        .with_headers(CustomHeaders::parse(["Authorization: Bearer a:b", "X-A: 1"]).unwrap())
        .with_tls(Some(tls()))
        .with_timeout(Timeout::new(Duration::from_millis(1_234)).unwrap())
        .with_retry("5s,5m jitter 0%".parse().unwrap())
        .with_max_in_flight(3)
        .with_description("Bücher\n& Co".parse().ok())
        .with_external_id("crm:acme/7".parse().ok())
        .with_metadata(Metadata::new([("team", "billing"), ("größe", "\"x\"\0\u{1f4d6}")]).unwrap())
        .with_order(fixture.if_supported(Capability::Ordering, OrderPolicy::Skip))
        .with_rate(fixture.if_supported(Capability::RateLimits, "10/s burst 5".parse().unwrap()))
        .with_state(EndpointState::Paused)
        .with_revision(Revision::from_u64(7))
        .with_created_at(some_time())
}

fn tls() -> EndpointTls {
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let key = "-----BEGIN PRIVATE KEY-----\nBBBB\n-----END PRIVATE KEY-----\n";
    let identity = ClientIdentity::from_pem(certificate, key).unwrap();
    EndpointTls::new().with_identity(identity).with_roots_pem(certificate).unwrap()
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - fn add_endpoint(&mut self, endpoint: Endpoint) -> Result<(), StoreError> {
// + fn add_endpoint(&mut self, endpoint: Endpoint) -> Result<(), StoreError> {
// + let endpoint = endpoint.with_state(webhook_core::EndpointState::Active);
pub async fn an_endpoint_comes_back_as_it_was_added<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let plain = fixture.new_endpoint().with_retry(RetryPolicy::none());
    for endpoint in [full(&fixture), plain] {
        fixture.add(endpoint.clone()).await;
        let stored = fixture.stored(endpoint.id).await;
        assert_eq!(
            endpoint_text(&stored),
            endpoint_text(&endpoint),
            "every setting comes back unchanged"
        );
    }
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - fn add_endpoint(&mut self, endpoint: Endpoint) -> Result<(), StoreError> {
// + fn add_endpoint(&mut self, endpoint: Endpoint) -> Result<(), StoreError> {
// + let endpoint = endpoint.with_metadata(webhook_core::Metadata::default());
pub async fn the_most_that_may_be_said_about_an_endpoint_fits<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let metadata = Metadata::new([("note", "\u{1}".repeat(Metadata::MAX_BYTES - 4))]).unwrap();
    let endpoint = fixture
        .new_endpoint()
        .with_description("x".repeat(Description::MAX_LEN).parse().ok())
        .with_external_id("x".repeat(ExternalId::MAX_LEN).parse().ok())
        .with_metadata(metadata);
    let id = fixture.add(endpoint.clone()).await;
    assert_eq!(
        endpoint_text(&fixture.stored(id).await),
        endpoint_text(&endpoint),
        "it comes back whole"
    );
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - fn add_endpoint(&mut self, endpoint: Endpoint) -> Result<(), StoreError> {
// + fn add_endpoint(&mut self, endpoint: Endpoint) -> Result<(), StoreError> {
// + let retry = endpoint.retry.clone().with_jitter_percent(20);
// + let endpoint = endpoint.with_retry(retry);
pub async fn a_retry_policy_comes_back_whole<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let seconds = Duration::from_secs;
    for policy in [
        RetryPolicy::send_now(),
        RetryPolicy::durable().with_max_retry_after(Duration::ZERO),
        RetryPolicy::none().with_jitter_percent(7).with_max_retry_after(seconds(90)),
    ] {
        let id = fixture.add(fixture.new_endpoint().with_retry(policy.clone())).await;
        assert_eq!(fixture.stored(id).await.retry, policy, "waits, jitter, longest Retry-After");
    }
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - if self.endpoints.contains_key(&endpoint.id) {
// + if false {
pub async fn a_taken_endpoint_id_exists_already<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let first = full(&fixture);
    fixture.add(first.clone()).await;
    let mut second = fixture.new_endpoint();
    second.id = first.id;
    let error = fixture.store.add_endpoint(second).await.expect_err("the id is taken");
    assert_eq!(error.kind(), StoreErrorKind::Exists, "the kind says so");
    assert_eq!(
        endpoint_text(&fixture.stored(first.id).await),
        endpoint_text(&first),
        "the first one stays as it is"
    );
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - let found = ids.iter().map(
// + let found = ids.iter().rev().map(
pub async fn endpoints_are_returned_for_each_id_in_order<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (one, two) = (fixture.endpoint().await, fixture.endpoint().await);
    let ids = [two, fixture.ids.endpoint(), one, two];
    let found = fixture.store.endpoints(&ids).await.unwrap();
    let found: Vec<_> = found.into_iter().map(|it| it.unwrap().map(|it| it.id)).collect();
    assert_eq!(found, [Some(two), None, Some(one), Some(two)], "one that is missing is none");
}

// Catches in webhook-core/src/port/store/state/endpoint_change.rs:
// - edit.created_at = stored.created_at;
pub async fn an_edit_replaces_the_settings_and_raises_the_revision<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = full(&fixture);
    fixture.add(endpoint.clone()).await;
    let mut edited = fixture.new_endpoint().with_created_at(Timestamp::default());
    (edited.id, edited.tenant, edited.revision) =
        (endpoint.id, endpoint.tenant.clone(), endpoint.revision);
    let answer = fixture.store.update_endpoint(edited.clone()).await.unwrap();
    assert_eq!(answer, Updated::Done(Revision::from_u64(8)), "the revision is the next one");
    edited.revision = Revision::from_u64(8);
    edited.created_at = endpoint.created_at;
    let stored = fixture.stored(endpoint.id).await;
    assert_eq!(
        endpoint_text(&stored),
        endpoint_text(&edited),
        "all is new but id, tenant and time of registration"
    );
}

// Catches in webhook-core/src/port/store/state/endpoint_change.rs:
// - if stored.revision != edit.revision {
// + if false {
pub async fn an_edit_from_an_old_revision_is_refused<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.endpoint().await;
    let old = fixture.stored(id).await;
    fixture.set_state(id, EndpointState::Paused).await;
    let version = fixture.version().await;
    let answer = fixture.store.update_endpoint(old).await.unwrap();
    assert_eq!(answer, Updated::Stale, "somebody else was faster");
    assert_eq!(fixture.stored(id).await.state, EndpointState::Paused, "their edit stays");
    assert_eq!(fixture.version().await, version, "nothing was edited");
}

// Catches in webhook-core/src/port/store/state/endpoint_change.rs:
// - stored.filter(|stored| stored.tenant == edit.tenant);
// + stored;
pub async fn an_edit_of_what_is_not_there_finds_nothing<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let unknown = fixture.new_endpoint();
    let answer = fixture.store.update_endpoint(unknown).await.unwrap();
    assert_eq!(answer, Updated::NotFound, "there is no such endpoint");
    let id = fixture.endpoint().await;
    let foreign = fixture.stored(id).await.with_tenant("acme".parse().unwrap());
    let answer = fixture.store.update_endpoint(foreign).await.unwrap();
    assert_eq!(answer, Updated::NotFound, "it is another tenant's");
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - self.raise_version(tenant);
pub async fn every_edit_raises_the_version_of_the_tenant<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    assert_eq!(fixture.version().await, TenantVersion::default(), "nobody has heard of it");
    let id = fixture.endpoint().await;
    let added = fixture.version().await;
    assert!(added > TenantVersion::default(), "adding raises the version");
    fixture.set_state(id, EndpointState::Paused).await;
    let edited = fixture.version().await;
    assert!(edited > added, "editing raises the version");
    fixture.remove(id).await;
    assert!(fixture.version().await > edited, "removing raises the version");
}

// Catches in webhook-testkit/src/memory.rs:
// - self.tenants.get(tenant).copied()
// + self.tenants.values().max().copied()
pub async fn a_version_counts_one_tenant_alone<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.endpoint().await;
    let version = fixture.version_of(&"acme".parse().unwrap()).await;
    assert_eq!(version, TenantVersion::default(), "an edit of one tenant is no edit of another");
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - let its = self.present().filter(|endpoint| endpoint.tenant == *tenant);
// + let its = self.present();
pub async fn a_snapshot_holds_all_endpoints_of_its_tenant<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (one, two) = (fixture.endpoint().await, fixture.endpoint().await);
    fixture.set_state(two, EndpointState::Paused).await;
    let acme: TenantId = "acme".parse().unwrap();
    let theirs = fixture.add(fixture.new_endpoint().with_tenant(acme.clone())).await;
    let ids = async |tenant: &TenantId| {
        let snapshot = fixture.store.snapshot(tenant).await.unwrap();
        snapshot.entries().iter().map(|entry| entry.id).collect::<BTreeSet<_>>()
    };
    assert_eq!(ids(&TenantId::default()).await, [one, two].into(), "whatever their state");
    assert_eq!(ids(&acme).await, [theirs].into(), "another tenant's are not among them");
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - RoutingEntry::of(endpoint)
// + RoutingEntry::of(endpoint).with_order(None)
pub async fn a_snapshot_holds_what_routing_reads<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let plain = fixture.new_endpoint();
    let filters: Vec<EventFilter> =
        vec!["invoice.*".parse().unwrap(), "user.made".parse().unwrap()];
    let full = fixture.new_endpoint().with_filters(filters).with_state(EndpointState::Paused);
    let order = fixture.if_supported(Capability::Ordering, OrderPolicy::Block);
    let full = full.with_order(order);
    for endpoint in [&plain, &full] {
        fixture.add(endpoint.clone()).await;
    }
    fixture.set_state(plain.id, EndpointState::Disabled(DisabledReason::Gone)).await;
    let snapshot = fixture.store.snapshot(&TenantId::default()).await.unwrap();
    for id in [plain.id, full.id] {
        let entry = snapshot.entries().iter().find(|entry| entry.id == id);
        assert_eq!(entry, Some(&RoutingEntry::of(&fixture.stored(id).await)));
    }
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - let version = self.version(tenant);
// + let version = self.version(tenant).next();
pub async fn an_unknown_tenant_has_an_empty_snapshot<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let snapshot = fixture.store.snapshot(&"nobody".parse().unwrap()).await.unwrap();
    assert!(snapshot.entries().is_empty(), "it has no endpoints");
    assert_eq!(snapshot.version(), TenantVersion::default(), "it is at version 0");
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - if known == Some(version) {
// + if known.is_some() {
pub async fn a_known_version_gets_the_difference<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (tenant, gone) = (TenantId::default(), fixture.endpoint().await);
    let edited = fixture.endpoint().await;
    let known = fixture.store.snapshot(&tenant).await.unwrap();
    let update = async || fixture.store.routing(&tenant, Some(known.version())).await.unwrap();
    assert_eq!(update().await, RoutingUpdate::Same, "nothing was edited");
    fixture.remove(gone).await;
    fixture.set_state(edited, EndpointState::Paused).await;
    fixture.endpoint().await;
    let (version, entries) = match update().await {
        RoutingUpdate::Same => panic!("the tenant's endpoints were edited"),
        RoutingUpdate::Whole { version, entries } => (version, entries),
        RoutingUpdate::Changed { version, entries, removed } => {
            let changed = known.changed(version, entries, &removed);
            (version, changed.entries().to_vec())
        }
    };
    let whole = fixture.store.snapshot(&tenant).await.unwrap();
    let by_id = |entries: &[RoutingEntry]| -> BTreeMap<_, _> {
        entries.iter().map(|entry| (entry.id, entry.clone())).collect()
    };
    assert_eq!(version, whole.version());
    assert_eq!(by_id(&entries), by_id(whole.entries()), "the difference leads to the whole");
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - after.is_none_or(|after| tenant > after)
// + after.is_none_or(|after| tenant >= after)
pub async fn tenants_with_endpoints_are_listed_in_order<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let page = async |after: Option<&str>, limit| {
        let after: Option<TenantId> = after.map(|after| after.parse().unwrap());
        let tenants = fixture.store.tenants(after.as_ref(), limit).await.unwrap();
        tenants.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert!(page(None, 100).await.is_empty(), "there are none yet");
    for tenant in ["zebra", "acme", "zebra", "middle"] {
        fixture.add(fixture.new_endpoint().with_tenant(tenant.parse().unwrap())).await;
    }
    assert_eq!(page(None, 100).await, ["acme", "middle", "zebra"], "each once, in order");
    assert_eq!(page(None, 2).await, ["acme", "middle"], "no more than the limit");
    assert_eq!(page(Some("middle"), 2).await, ["zebra"], "from behind the last on");
    assert_eq!(page(Some("b"), 1).await, ["middle"], "also behind one without endpoints");
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - after.is_none_or(|after| endpoint.id > after)
// + after.is_none_or(|after| endpoint.id >= after)
pub async fn endpoints_of_a_tenant_are_listed_by_page<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let mut ids = [fixture.endpoint().await, fixture.endpoint().await, fixture.endpoint().await];
    ids.sort_unstable();
    fixture.add(fixture.new_endpoint().with_tenant("acme".parse().unwrap())).await;
    let page = async |after, limit| {
        let tenant = TenantId::default();
        let endpoints = fixture.store.tenant_endpoints(&tenant, after, limit).await.unwrap();
        endpoints.iter().map(|endpoint| endpoint.id).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 100).await, ids, "all of the tenant, in the order of their ids");
    assert_eq!(page(None, 2).await, ids[..2], "no more than the limit");
    assert_eq!(page(Some(ids[1]), 2).await, ids[2..], "from behind the last on");
    fixture.remove(ids[2]).await;
    assert!(page(Some(ids[1]), 2).await.is_empty(), "one that was removed is not listed");
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - .map(|found| (**found).clone())
// + .map(|found| {
// +     let signing = &state.present().last().unwrap().signing;
// +     (**found).clone().with_signing(signing.clone())
// + })
pub async fn optional_settings_may_be_empty_in_one_endpoint_and_set_in_another<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let acme: TenantId = "acme".parse().unwrap();
    let bare = fixture.new_endpoint().with_tenant(acme.clone()).with_retry(RetryPolicy::none());
    let endpoints = [bare.with_filters([]), full(&fixture), full(&fixture)];
    for endpoint in endpoints.clone() {
        fixture.add(endpoint).await;
    }
    let expected: Vec<_> = endpoints.iter().map(endpoint_text).collect();
    let ids = endpoints.each_ref().map(|endpoint| endpoint.id);
    let found = fixture.store.endpoints(&ids).await.unwrap().into_iter();
    let found: Vec<_> = found.map(|it| endpoint_text(&it.unwrap().unwrap())).collect();
    assert_eq!(found, expected, "keys and their expiry, profiles, headers, filters, waits");
    let listed = fixture.store.tenant_endpoints(&acme, None, 100).await.unwrap();
    let listed: BTreeSet<_> = listed.iter().map(endpoint_text).collect();
    assert_eq!(listed, expected.into_iter().collect(), "in a list as well");
}
