//! What has to be told: written with its cause, and kept until somebody has taken note.

use webhook_core::{
    DisabledReason, EndpointState, HealthPolicy, Notice, NoticeId, NoticeKind, TenantId,
    policy::HealthSignal,
    store::{DeliveryOperations as _, Finished, NoticeQueue as _, Prune},
};

use super::{
    Fixture, StoreHarness,
    fixture::{DEFAULT_LEASE, DEFAULT_RETRY_WAIT, SECOND, failure, success},
    health::bad,
};
use crate::units::DAY;

/// The claim's delivery is given up, and that is told.
fn exhausted(claim: &webhook_core::store::Claim) -> webhook_core::store::Finish {
    let kind = NoticeKind::DeliveryExhausted {
        delivery: claim.lease.delivery,
        event_type: claim.event.event_type.clone(),
        attempts: claim.progress.attempt,
        last_error: "später ☂".to_owned(),
    };
    failure(claim).with_notice(Some((claim.event.tenant.clone(), kind)))
}

impl<H: StoreHarness> Fixture<H> {
    async fn notices(&self) -> Vec<Notice> {
        self.store.notices(100).await.expect("notices can be read")
    }

    async fn kinds(&self) -> Vec<&'static str> {
        self.notices().await.iter().map(|notice| notice.kind.name()).collect()
    }

    async fn acknowledge(&self, ids: Vec<NoticeId>) {
        self.store.acknowledge(ids).await.expect("notices can be acknowledged");
    }
}

// Catches in webhook-core/src/port/store/state/endpoint_change.rs:
// - notice: change.notice.map(notice),
// + notice: None,
pub async fn failing_and_recovery_are_told_once_each<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pendings(endpoint, 3).await;
    let claims = fixture.claim().await;
    fixture.finish(bad(&claims[0])).await;
    assert!(fixture.kinds().await.is_empty(), "one failure is not worth a word");
    fixture.finish(bad(&claims[1])).await;
    fixture.finish(bad(&claims[2])).await;
    assert_eq!(fixture.kinds().await, ["endpoint_failing"], "it is told once");
    fixture.advance(DAY / 2).await;
    let probe = fixture.claim_one().await;
    fixture
        .finish(success(&probe).with_health_signal(HealthSignal::Good, HealthPolicy::new()))
        .await;
    assert_eq!(fixture.kinds().await, ["endpoint_failing", "endpoint_recovered"]);
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - Notice::new(item.lease, now, tenant, kind));
// + Notice::new(item.lease, now, webhook_core::TenantId::default(), kind));
pub async fn a_delivery_given_up_is_told_with_all_there_is_to_know<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let tenant: TenantId = "acme".parse().unwrap();
    let endpoint = fixture.add(fixture.new_endpoint().with_tenant(tenant.clone())).await;
    fixture.publish(fixture.event_of(&tenant), &[endpoint]).await;
    fixture.advance(SECOND).await;
    let claim = fixture.claim_one().await;
    let created_at = fixture.delivery(claim.lease.delivery).await.created_at;
    fixture.finish(exhausted(&claim)).await;
    let told = fixture.notices().await;
    let [notice] = told.as_slice() else { panic!("one notice, not {told:?}") };
    let expected = exhausted(&claim).notice.unwrap().1;
    assert_eq!((&notice.tenant, &notice.kind), (&tenant, &expected), "every field comes back");
    assert_eq!((notice.endpoint, notice.at), (endpoint, created_at.after(SECOND)));
    let id = format!("{}.1.delivery_exhausted", claim.lease.delivery);
    assert_eq!(notice.id.as_str(), id, "it is named by its cause");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - item.notice.clone().filter(|_| settles);
// + item.notice.clone();
pub async fn what_was_called_off_is_not_told_as_given_up<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    fixture.store.cancel(vec![claim.lease.delivery]).await.unwrap();
    fixture.finish(exhausted(&claim)).await;
    assert!(fixture.kinds().await.is_empty(), "it is cancelled, and stays so");
}

// Catches in webhook-core/src/port/store/state/endpoint_change.rs:
// - NoticeKind::disabled(state, error)
// + NoticeKind::disabled(EndpointState::Active, error)
pub async fn an_endpoint_that_wants_no_more_is_told_with_its_reason<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    fixture.finish(failure(&claim).with_disabled_endpoint(Some(DisabledReason::Gone))).await;
    let told = fixture.notices().await;
    let state = EndpointState::Disabled(DisabledReason::Gone);
    let expected = NoticeKind::disabled(state, Some("could not connect"));
    assert_eq!(told.first().map(|notice| &notice.kind), Some(&expected));
}

// Catches in webhook-testkit/src/memory/finish.rs:
// - let Some(row) = self.deliveries.get_mut(&item.lease.delivery) else {
// + if let (true, Some((tenant, kind))) = (self.deliveries.get(&item.lease.delivery).is_some_and(|row| row.state.epoch != item.lease.epoch), item.notice.clone()) {
// +     self.add_notice(webhook_core::Notice::new(item.lease, now, tenant, kind));
// + }
// + let Some(row) = self.deliveries.get_mut(&item.lease.delivery) else {
pub async fn a_late_write_tells_nothing<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.pending(fixture.endpoint().await).await;
    let late = fixture.claim_one().await;
    fixture.advance(DEFAULT_LEASE).await;
    fixture.claim_one().await;
    assert_eq!(fixture.finish(exhausted(&late)).await, Finished::LeaseLost, "another has it");
    assert!(fixture.kinds().await.is_empty(), "there is no notice without its cause");
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - self.state().notices.retain(|(_, id), _| !ids.contains(id));
// + let _ = ids;
pub async fn notices_stay_until_they_are_acknowledged<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.pendings(fixture.endpoint().await, 2).await;
    for claim in fixture.claim().await {
        fixture.finish(exhausted(&claim)).await;
    }
    let (first, again) = (fixture.notices().await, fixture.notices().await);
    assert_eq!((first.len(), &first), (2, &again), "reading takes nothing away");
    fixture.acknowledge(vec![first[0].id.clone(), NoticeId::new("no such thing")]).await;
    assert_eq!(fixture.notices().await, [first[1].clone()], "the other one stays");
    fixture.acknowledge(vec![first[0].id.clone()]).await;
    assert_eq!(fixture.notices().await.len(), 1, "to say it again does no harm");
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - Ok(self.state().notices.values().take(limit).cloned().collect())
// + Ok(self.state().notices.values().rev().take(limit).cloned().collect())
pub async fn the_oldest_notices_come_first<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.pendings(fixture.endpoint().await, 3).await;
    let mut claims = fixture.claim().await;
    claims.reverse();
    for claim in &claims {
        fixture.finish(exhausted(claim)).await;
        fixture.advance(SECOND).await;
    }
    let told = fixture.store.notices(2).await.unwrap();
    let ids: Vec<_> = told.iter().map(|notice| notice.id.as_str().to_owned()).collect();
    let id = |at: usize| format!("{}.1.delivery_exhausted", claims[at].lease.delivery);
    assert_eq!(ids, [id(0), id(1)], "no more than were asked for, the oldest first");
}

// Catches in webhook-testkit/src/memory/prune.rs:
// - notices.iter().for_each(|key| drop(self.notices.remove(key)));
// + let _ = &notices;
pub async fn notices_that_nobody_reads_are_pruned_in_time<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.pendings(fixture.endpoint().await, 2).await;
    for claim in fixture.claim().await {
        fixture.finish(exhausted(&claim)).await;
        fixture.advance(DEFAULT_RETRY_WAIT).await;
    }
    let counted = fixture.prune_all(Prune::older_than(DEFAULT_RETRY_WAIT).dry_run()).await;
    assert_eq!(counted.notices, 1, "one is old: it is counted");
    assert_eq!(
        fixture.prune_all(Prune::older_than(DEFAULT_RETRY_WAIT)).await.notices,
        1,
        "it is removed"
    );
    assert_eq!(fixture.notices().await.len(), 1, "the other one is still to be read");
}
