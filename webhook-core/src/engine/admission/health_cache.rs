//! Marks: of which endpoints something is known, so that a success of theirs is news.
//!
//! A success where nothing is known would be written to the endpoint for nothing, at each delivery.

use std::collections::BTreeMap;

use crate::model::{endpoint::Endpoint, health::Sign, id::EndpointId};

/// Endpoints marked at most; beyond that all are forgotten, and learned again by claims and failures.
const MOST: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Marks(BTreeMap<EndpointId, Mark>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mark {
    /// Something is known against it.
    Unwell,
    /// A success is being written down, and nothing has failed since.
    Clearing,
    /// Nothing, whatever an older copy of its settings says.
    Well,
}

impl Marks {
    pub(crate) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Notes what a claim says.
    pub(crate) fn note(&mut self, endpoint: EndpointId, unwell: bool) {
        if unwell {
            self.set(endpoint, Mark::Unwell);
        } else if self.0.contains_key(&endpoint) {
            self.set(endpoint, Mark::Well);
        }
    }

    /// Notes what a copy of its settings says, that may be old.
    pub(crate) fn note_copy(&mut self, endpoint: &Endpoint) {
        if !endpoint.health.is_healthy() && !self.0.contains_key(&endpoint.id) {
            self.set(endpoint.id, Mark::Unwell);
        }
    }

    /// What of a sign is worth writing down; and notes it.
    pub(crate) fn judge(&mut self, endpoint: EndpointId, sign: Sign) -> Sign {
        let unwell = matches!(self.0.get(&endpoint), Some(Mark::Unwell | Mark::Clearing));
        match sign {
            Sign::Bad | Sign::Busy(_) => self.set(endpoint, Mark::Unwell),
            Sign::Good if unwell => self.set(endpoint, Mark::Clearing),
            Sign::Good | Sign::Void if !unwell => return Sign::None,
            _ => {}
        }
        sign
    }

    /// A success is written down.
    pub(crate) fn recorded(&mut self, endpoint: EndpointId) {
        if self.0.get(&endpoint) == Some(&Mark::Clearing) {
            self.set(endpoint, Mark::Well);
        }
    }

    fn set(&mut self, endpoint: EndpointId, mark: Mark) {
        if self.0.len() >= MOST && !self.0.contains_key(&endpoint) {
            self.0.clear();
        }
        self.0.insert(endpoint, mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{health::Health, time::Timestamp};
    use uuid::Uuid;

    const ID: EndpointId = EndpointId::from_uuid(Uuid::nil());

    #[test]
    fn a_success_is_news_only_where_something_is_known() {
        let mut marks = Marks::new();
        assert_eq!(marks.judge(ID, Sign::Good), Sign::None);
        assert_eq!(marks.judge(ID, Sign::Void), Sign::None);
        assert_eq!(marks.judge(ID, Sign::Bad), Sign::Bad);
        assert_eq!(marks.judge(ID, Sign::Good), Sign::Good);
        marks.recorded(ID);
        assert_eq!(marks.judge(ID, Sign::Good), Sign::None, "it is written down");
    }

    #[test]
    fn what_fails_meanwhile_is_known_afterwards() {
        let mut marks = Marks::new();
        marks.judge(ID, Sign::Bad);
        marks.judge(ID, Sign::Good);
        marks.judge(ID, Sign::Bad);
        marks.recorded(ID);
        assert_eq!(marks.judge(ID, Sign::Good), Sign::Good);
    }

    #[test]
    fn a_claim_knows_better_than_an_old_copy() {
        let endpoint = Endpoint::new(ID, "https://a.example/".parse().unwrap());
        let unwell = endpoint.with_health(Health::HEALTHY.probed(Timestamp::default()));
        let mut marks = Marks::new();
        marks.note_copy(&unwell);
        assert_eq!(marks.judge(ID, Sign::Good), Sign::Good);
        marks.note(ID, false);
        marks.note_copy(&unwell);
        assert_eq!(marks.judge(ID, Sign::Good), Sign::None);
        marks.note(ID, true);
        assert_eq!(marks.judge(ID, Sign::Void), Sign::Void);
    }
}
