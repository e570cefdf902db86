//! Health of endpoints, and notices about it, written in the transaction that records the attempts.

use std::collections::{BTreeMap, BTreeSet};

use webhook_core::{
    DisabledReason, EndpointId, EndpointState, Health, Notice, NoticeKind, TenantId, Timestamp,
    policy::HealthSignal, store::Finish,
};

use crate::{
    db::{
        fault::Fault,
        row::{Row, ToValue, stored_health},
        tx::Tx,
    },
    work::{
        endpoints::{disable, lock_owners},
        notices::insert_notices,
    },
};

/// Endpoints whose health a batch may change, locked, and the notices of the batch.
pub(crate) struct BatchHealth {
    endpoints: BTreeMap<EndpointId, EndpointHealth>,
    notices: Vec<Notice>,
}

/// Health and state of an endpoint, and whether they were changed.
struct EndpointHealth {
    tenant: TenantId,
    health: Health,
    max_in_flight: u32,
    /// True if events are routed to it. The health of a disabled endpoint does not change.
    is_routed: bool,
    /// State to store if this batch disables the endpoint.
    disabled: Option<EndpointState>,
    is_changed: bool,
}

impl BatchHealth {
    /// Locks the endpoints that the batch may change, and before them the tenants of those that it
    /// may disable or cool down.
    pub(crate) async fn lock(tx: &Tx, batch: &[&Finish], now: Timestamp) -> Result<Self, Fault> {
        let mut concerned = BTreeMap::<EndpointId, Vec<&Finish>>::new();
        for &item in batch.iter().filter(|item| may_change_health(item)) {
            concerned.entry(item.lease.delivery.endpoint).or_default().push(item);
        }
        let mut watched = Self { endpoints: BTreeMap::new(), notices: Vec::new() };
        if concerned.is_empty() {
            return Ok(watched);
        }
        let ids: BTreeSet<_> = concerned.keys().copied().collect();
        let turning: BTreeSet<_> = read(tx, &ids, "")
            .await?
            .into_iter()
            .filter(|(id, state)| {
                concerned.get(id).is_some_and(|its| state.may_disable_or_cool_down(its, now))
            })
            .map(|(id, _)| id)
            .collect();
        lock_owners(tx, &turning).await?;
        watched.endpoints = read(tx, &ids, "{for_update}").await?;
        Ok(watched)
    }

    /// Applies an attempt that is being recorded to the health of its endpoint.
    pub(crate) fn apply_attempt(&mut self, item: &Finish, now: Timestamp) {
        let id = item.lease.delivery.endpoint;
        let Some(state) = self.endpoints.get_mut(&id).filter(|state| state.is_routed) else {
            return;
        };
        let notice = state.apply_attempt(item, now);
        let tenant = state.tenant.clone();
        self.notices.extend(notice.map(|kind| Notice::new(item.lease, now, tenant, kind)));
    }

    /// Adds the notice of a delivery, if there is one.
    pub(crate) fn add_notice(&mut self, item: &Finish, now: Timestamp) {
        let notice = item.notice.clone();
        self.notices
            .extend(notice.map(|(tenant, kind)| Notice::new(item.lease, now, tenant, kind)));
    }

    /// Stores the changes and the notices.
    pub(crate) async fn write(self, tx: &Tx, now: Timestamp) -> Result<(), Fault> {
        for (id, state) in self.endpoints.iter().filter(|(_, state)| state.is_changed) {
            state.write(tx, *id, now).await?;
        }
        insert_notices(tx, &self.notices).await
    }
}

/// Returns true if an attempt may change the health of its endpoint.
pub(crate) fn may_change_health(item: &Finish) -> bool {
    item.health_signal.0 != HealthSignal::None || item.disable_endpoint.is_some()
}

async fn read(
    tx: &Tx,
    ids: &BTreeSet<EndpointId>,
    lock: &str,
) -> Result<BTreeMap<EndpointId, EndpointHealth>, Fault> {
    let sql = format!(
        "SELECT id, tenant, health, max_in_flight, state FROM {{endpoints}} \
         WHERE removed_at IS NULL AND id {{in_list}} ORDER BY id {lock}"
    );
    let rows = tx.all_of(&sql, ids.iter().map(ToValue::to_value)).await?;
    // An endpoint that cannot be read receives no attempts, so its health does not matter.
    Ok(rows.iter().filter_map(|row| EndpointHealth::of(row).ok()).collect())
}

impl EndpointHealth {
    fn of(row: &Row) -> Result<(EndpointId, Self), Fault> {
        let state: EndpointState = row.parse("state")?;
        let it = Self {
            tenant: row.parse("tenant")?,
            health: stored_health(row)?,
            max_in_flight: row.number("max_in_flight")?,
            is_routed: state.is_routed(),
            disabled: None,
            is_changed: false,
        };
        Ok((row.endpoint("id")?, it))
    }

    /// Returns true if these attempts may disable the endpoint or cool it down.
    fn may_disable_or_cool_down(&self, its: &[&Finish], now: Timestamp) -> bool {
        let failures = u32::try_from(its.len()).unwrap_or(u32::MAX);
        its.iter().any(|item| {
            let (signal, policy) = &item.health_signal;
            item.disable_endpoint.is_some()
                || matches!(signal, HealthSignal::Busy(_))
                || *signal != HealthSignal::None && !self.health.is_unrestricted()
                || *signal == HealthSignal::Bad && self.health.may_change(failures, now, policy)
        })
    }

    fn apply_attempt(&mut self, item: &Finish, now: Timestamp) -> Option<NoticeKind> {
        let error = item.last_error();
        if let Some(reason) = item.disable_endpoint {
            let state = EndpointState::Disabled(reason);
            self.set_disabled(state);
            return Some(NoticeKind::disabled(state, error));
        }
        let (signal, policy) = &item.health_signal;
        let change = self.health.after(*signal, error, now, policy, self.max_in_flight);
        self.is_changed |= change.health != self.health;
        self.health = change.health;
        if change.disables {
            self.set_disabled(EndpointState::Disabled(DisabledReason::Failing));
        }
        change.notice
    }

    fn set_disabled(&mut self, state: EndpointState) {
        (self.disabled, self.health) = (Some(state), Health::HEALTHY);
        (self.is_routed, self.is_changed) = (false, true);
    }

    async fn write(&self, tx: &Tx, id: EndpointId, now: Timestamp) -> Result<(), Fault> {
        let set = "UPDATE {endpoints} SET health = ?, cools_down_until = ? WHERE id = ?";
        let cools_down_until = self.health.cools_down_until().to_value();
        tx.run(set, [self.health.to_value(), cools_down_until, id.to_value()]).await?;
        if let Some(state) = self.disabled {
            disable(tx, id, state).await?;
        }
        if !self.health.is_unrestricted() {
            let warn =
                "UPDATE {tenants} SET restricted_until = ? WHERE id = ? AND restricted_until < ?";
            let until = self.health.cools_down_until().max(Some(now)).unwrap_or(now);
            let until = until.after(HEALTH_CHECK_PERIOD).to_value();
            tx.run(warn, [until.clone(), self.tenant.to_value(), until]).await?;
        }
        Ok(())
    }
}

/// Time after an endpoint's cool-down, or after its last success while recovering, during which
/// publishers of its tenant check the health of the endpoints to which they send directly. Without
/// this query they would ignore a cool-down or a reduced limit.
const HEALTH_CHECK_PERIOD: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// Those endpoints that are cooling down or recovering.
pub(crate) async fn restricted_endpoints(
    tx: &Tx,
    ids: &BTreeSet<EndpointId>,
) -> Result<BTreeSet<EndpointId>, Fault> {
    let sql = "SELECT id, health FROM {endpoints} WHERE id {in_list} AND health IS NOT NULL";
    let rows = tx.all_of(sql, ids.iter().map(ToValue::to_value)).await?;
    let mut limited = BTreeSet::new();
    for row in &rows {
        if !stored_health(row)?.is_unrestricted() {
            limited.insert(row.endpoint("id")?);
        }
    }
    Ok(limited)
}
