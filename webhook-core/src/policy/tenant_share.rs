//! Shares: what one tenant may take while others have work.
//!
//! Of a claim, the tenants with due work get equal parts, and of all attempts in flight a tenant gets no
//! more than its share while another has due work. However much one publishes, the others find room.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::id::TenantId;

/// The shares of one claim.
#[derive(Clone, Debug)]
pub struct Shares {
    /// The most a tenant may have in flight.
    max_in_flight: u32,
    /// How many there are to be had.
    limit: usize,
    in_flight: BTreeMap<TenantId, u32>,
    taken: BTreeMap<TenantId, u32>,
    with_work: BTreeSet<TenantId>,
}

impl Shares {
    /// Of a claim of up to `limit`, where a tenant may have `most` in flight.
    pub fn new(max_in_flight: u32, limit: usize) -> Self {
        Self {
            max_in_flight,
            limit,
            in_flight: BTreeMap::new(),
            taken: BTreeMap::new(),
            with_work: BTreeSet::new(),
        }
    }

    /// A tenant has so many more in flight already.
    pub fn note_in_flight(&mut self, tenant: &TenantId, count: u32) {
        *self.in_flight.entry(tenant.clone()).or_default() += count;
    }

    /// A tenant has due work that may be claimed.
    pub fn note_work(&mut self, tenant: &TenantId) {
        self.with_work.insert(tenant.clone());
    }

    /// How many more this tenant may take.
    pub fn room(&self, tenant: &TenantId) -> u32 {
        if !self.with_work.iter().any(|other| other != tenant) {
            return u32::MAX;
        }
        let taken = count(&self.taken, tenant);
        let in_flight = count(&self.in_flight, tenant);
        let in_all = self.max_in_flight.saturating_sub(in_flight).saturating_sub(taken);
        in_all.min(self.part().saturating_sub(taken))
    }

    /// Whether this tenant has taken its part of the claim: then it is its next endpoint's turn in the
    /// next one.
    pub fn had_its_part(&self, tenant: &TenantId) -> bool {
        count(&self.taken, tenant) >= self.part()
    }

    /// What each tenant may take of this claim.
    fn part(&self) -> u32 {
        u32::try_from(self.limit.div_ceil(self.with_work.len().max(1))).unwrap_or(u32::MAX)
    }

    /// A tenant takes so many.
    pub fn take(&mut self, tenant: &TenantId, count: u32) {
        *self.taken.entry(tenant.clone()).or_default() += count;
    }
}

fn count(counts: &BTreeMap<TenantId, u32>, tenant: &TenantId) -> u32 {
    counts.get(tenant).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> TenantId {
        name.parse().unwrap()
    }

    #[test]
    fn alone_a_tenant_may_take_everything() {
        let mut shares = Shares::new(4, 10);
        shares.note_in_flight(&tenant("a"), 200);
        shares.note_work(&tenant("a"));
        assert_eq!(shares.room(&tenant("a")), u32::MAX);
    }

    #[test]
    fn beside_another_it_takes_its_part_of_a_claim_and_its_share_of_all() {
        let table = [(0, 0, 5), (0, 3, 2), (0, 5, 0), (6, 0, 2), (8, 0, 0), (6, 1, 1), (9, 9, 0)];
        for (in_flight, taken, expected) in table {
            let mut shares = Shares::new(8, 10);
            ["a", "b"].iter().for_each(|name| shares.note_work(&tenant(name)));
            shares.note_in_flight(&tenant("a"), in_flight);
            shares.take(&tenant("a"), taken);
            assert_eq!(shares.room(&tenant("a")), expected, "{in_flight} {taken}");
            assert_eq!(shares.had_its_part(&tenant("a")), taken >= 5);
        }
    }

    #[test]
    fn a_claim_is_parted_among_all_who_have_work() {
        let mut shares = Shares::new(100, 10);
        ["a", "b", "c", "d"].iter().for_each(|name| shares.note_work(&tenant(name)));
        assert_eq!(shares.room(&tenant("a")), 3);
    }

    #[test]
    fn what_is_noted_or_taken_twice_counts_twice() {
        let (a, mut shares) = (tenant("a"), Shares::new(8, 20));
        ["a", "b"].iter().for_each(|name| shares.note_work(&tenant(name)));
        [1, 2].iter().for_each(|count| shares.note_in_flight(&a, *count));
        assert_eq!(shares.room(&a), 5);
        [1, 3].iter().for_each(|count| shares.take(&a, *count));
        assert_eq!((shares.room(&a), shares.room(&tenant("b"))), (1, 8));
    }

    #[test]
    fn one_who_has_all_the_work_has_had_its_part_when_nothing_is_left() {
        let (a, mut shares) = (tenant("a"), Shares::new(8, 3));
        shares.note_work(&a);
        shares.take(&a, 2);
        assert!(!shares.had_its_part(&a));
        shares.take(&a, 1);
        assert!(shares.had_its_part(&a));
    }
}
