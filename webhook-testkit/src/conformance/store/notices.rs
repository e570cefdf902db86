//! What has to be told: written with its cause, and kept until somebody has taken note.

use webhook_core::{
    DisabledReason, EndpointState, Finished, HealthPolicy, Notice, NoticeId, NoticeKind, Prune,
    Sign, TenantId,
};

use super::{
    Ground, StoreHarness,
    ground::{LEASE, SECOND, WAIT, failure, success},
    health::{DAY, bad},
};

/// The claim's delivery is given up, and that is told.
fn exhausted(claim: &webhook_core::Claim) -> webhook_core::Finish {
    let kind = NoticeKind::DeliveryExhausted {
        delivery: claim.lease.delivery,
        event_type: claim.event.event_type.clone(),
        attempts: claim.progress.attempt,
        last_error: "später ☂".to_owned(),
    };
    failure(claim).with_notice(Some((claim.event.tenant.clone(), kind)))
}

impl<H: StoreHarness> Ground<H> {
    async fn notices(&self) -> Vec<Notice> {
        self.store.notices(100).await.expect("notices can be read")
    }

    async fn told(&self) -> Vec<&'static str> {
        self.notices().await.iter().map(|notice| notice.kind.name()).collect()
    }

    async fn acknowledge(&self, ids: Vec<NoticeId>) {
        self.store.acknowledge(ids).await.expect("notices can be acknowledged");
    }
}

// Catches in webhook-testkit/src/memory/health.rs:
// - if let Some(kind) = turn.notice {
// + if let Some(kind) = turn.notice.filter(|_| false) {
pub async fn failing_and_recovery_are_told_once_each<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let endpoint = ground.endpoint().await;
    ground.pendings(endpoint, 3).await;
    let claims = ground.claim().await;
    ground.finish(bad(&claims[0])).await;
    assert!(ground.told().await.is_empty(), "one failure is not worth a word");
    ground.finish(bad(&claims[1])).await;
    ground.finish(bad(&claims[2])).await;
    assert_eq!(ground.told().await, ["endpoint_failing"], "it is told once");
    ground.advance(DAY / 2).await;
    let probe = ground.claim_one().await;
    ground.finish(success(&probe).with_sign(Sign::Good, HealthPolicy::new())).await;
    assert_eq!(ground.told().await, ["endpoint_failing", "endpoint_recovered"]);
}

// Catches in webhook-testkit/src/memory/finish.rs:
// - self.tell(Notice::new(item.lease, now, tenant, kind));
// + self.tell(Notice::new(item.lease, now, webhook_core::TenantId::default(), kind));
pub async fn a_delivery_given_up_is_told_with_all_there_is_to_know<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let tenant: TenantId = "acme".parse().unwrap();
    let endpoint = ground.add(ground.new_endpoint().with_tenant(tenant.clone())).await;
    ground.publish(ground.event_of(&tenant), &[endpoint]).await;
    ground.advance(SECOND).await;
    let claim = ground.claim_one().await;
    let created_at = ground.delivery(claim.lease.delivery).await.created_at;
    ground.finish(exhausted(&claim)).await;
    let told = ground.notices().await;
    let [notice] = told.as_slice() else { panic!("one notice, not {told:?}") };
    let expected = exhausted(&claim).notice.unwrap().1;
    assert_eq!((&notice.tenant, &notice.kind), (&tenant, &expected), "every field comes back");
    assert_eq!((notice.endpoint, notice.at), (endpoint, created_at.after(SECOND)));
    let id = format!("{}.1.delivery_exhausted", claim.lease.delivery);
    assert_eq!(notice.id.as_str(), id, "it is named by its cause");
}

// Catches in webhook-testkit/src/memory/finish.rs:
// - if let Some((tenant, kind)) = item.notice.filter(|_| settles) {
// + if let Some((tenant, kind)) = item.notice {
pub async fn what_was_called_off_is_not_told_as_given_up<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    ground.pending(ground.endpoint().await).await;
    let claim = ground.claim_one().await;
    ground.store.cancel(vec![claim.lease.delivery]).await.unwrap();
    ground.finish(exhausted(&claim)).await;
    assert!(ground.told().await.is_empty(), "it is cancelled, and stays so");
}

// Catches in webhook-testkit/src/memory/health.rs:
// - let kind = NoticeKind::disabled(state, error);
// + let kind = NoticeKind::disabled(EndpointState::Active, error);
pub async fn an_endpoint_that_wants_no_more_is_told_with_its_reason<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    ground.pending(ground.endpoint().await).await;
    let claim = ground.claim_one().await;
    ground.finish(failure(&claim).disabling(Some(DisabledReason::Gone))).await;
    let told = ground.notices().await;
    let state = EndpointState::Disabled(DisabledReason::Gone);
    let expected = NoticeKind::disabled(state, Some("could not connect"));
    assert_eq!(told.first().map(|notice| &notice.kind), Some(&expected));
}

// Catches in webhook-testkit/src/memory/finish.rs:
// - let Some(row) = self.last_leased(item.lease) else { return Finished::LeaseLost };
// + if let (None, Some((tenant, kind))) = (self.last_leased(item.lease), item.notice.clone()) { self.tell(Notice::new(item.lease, now, tenant, kind)); }
// + let Some(row) = self.last_leased(item.lease) else { return Finished::LeaseLost };
pub async fn a_late_write_tells_nothing<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    ground.pending(ground.endpoint().await).await;
    let late = ground.claim_one().await;
    ground.advance(LEASE).await;
    ground.claim_one().await;
    assert_eq!(ground.finish(exhausted(&late)).await, Finished::LeaseLost, "another has it");
    assert!(ground.told().await.is_empty(), "there is no notice without its cause");
}

// Catches in webhook-testkit/src/memory/upkeep.rs:
// - self.state().notices.retain(|(_, id), _| !ids.contains(id));
// + let _ = ids;
pub async fn notices_stay_until_they_are_acknowledged<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    ground.pendings(ground.endpoint().await, 2).await;
    for claim in ground.claim().await {
        ground.finish(exhausted(&claim)).await;
    }
    let (first, again) = (ground.notices().await, ground.notices().await);
    assert_eq!((first.len(), &first), (2, &again), "reading takes nothing away");
    ground.acknowledge(vec![first[0].id.clone(), NoticeId::new("no such thing")]).await;
    assert_eq!(ground.notices().await, [first[1].clone()], "the other one stays");
    ground.acknowledge(vec![first[0].id.clone()]).await;
    assert_eq!(ground.notices().await.len(), 1, "to say it again does no harm");
}

// Catches in webhook-testkit/src/memory/upkeep.rs:
// - Ok(self.state().notices.values().take(limit).cloned().collect())
// + Ok(self.state().notices.values().rev().take(limit).cloned().collect())
pub async fn the_oldest_notices_come_first<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    ground.pendings(ground.endpoint().await, 3).await;
    let mut claims = ground.claim().await;
    claims.reverse();
    for claim in &claims {
        ground.finish(exhausted(claim)).await;
        ground.advance(SECOND).await;
    }
    let told = ground.store.notices(2).await.unwrap();
    let ids: Vec<_> = told.iter().map(|notice| notice.id.as_str().to_owned()).collect();
    let id = |at: usize| format!("{}.1.delivery_exhausted", claims[at].lease.delivery);
    assert_eq!(ids, [id(0), id(1)], "no more than were asked for, the oldest first");
}

// Catches in webhook-testkit/src/memory/prune.rs:
// - notices.iter().for_each(|key| drop(self.notices.remove(key)));
// + let _ = &notices;
pub async fn notices_that_nobody_reads_are_pruned_in_time<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    ground.pendings(ground.endpoint().await, 2).await;
    for claim in ground.claim().await {
        ground.finish(exhausted(&claim)).await;
        ground.advance(WAIT).await;
    }
    let counted = ground.prune_all(Prune::older_than(WAIT).dry_run()).await;
    assert_eq!(counted.notices, 1, "one is old: it is counted");
    assert_eq!(ground.prune_all(Prune::older_than(WAIT)).await.notices, 1, "it is removed");
    assert_eq!(ground.notices().await.len(), 1, "the other one is still to be read");
}
