//! Queries over deliveries, their pages, and the cursors between pages.

use std::{fmt, str::FromStr};

use crate::model::{
    delivery::{Delivery, DeliveryStatus},
    event::EventType,
    filter::EventFilter,
    id::{DeliveryId, EndpointId, EventId, InvalidId, TenantId},
    text::serde_as_text,
    time::Timestamp,
};

/// Which deliveries to list. Newest first.
///
/// ```
/// use webhook_core::{DeliveryStatus, store::DeliveryQuery};
///
/// let failed = DeliveryQuery::new().status(DeliveryStatus::Failed).types(["invoice.**".parse()?]);
/// assert!(failed.wants(&"invoice.paid".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DeliveryQuery {
    /// Only this tenant's.
    pub tenant: Option<TenantId>,
    /// Only those of this event.
    pub event: Option<EventId>,
    /// Only those to this endpoint.
    pub endpoint: Option<EndpointId>,
    /// Only those with this status.
    pub status: Option<DeliveryStatus>,
    /// Only those of events of these types; of all, when it names none.
    ///
    /// No index knows them, so a store looks through what else is asked for, up to
    /// [`MAX_LOOKED_AT`](Self::MAX_LOOKED_AT) deliveries a page: a page may hold fewer than its limit,
    /// or none at all, and still name a next one.
    pub types: Vec<EventFilter>,
    /// Only those that came about then or later.
    pub since: Option<Timestamp>,
    /// Only those that came about before.
    pub until: Option<Timestamp>,
    /// Only those after this point of an earlier listing.
    pub cursor: Option<Cursor>,
    /// At most this many; at most [`MAX_LIMIT`](Self::MAX_LIMIT).
    pub limit: usize,
}

impl DeliveryQuery {
    /// The most deliveries in one page.
    pub const MAX_LIMIT: usize = 1000;

    /// The most deliveries that are looked through for one page of some types.
    pub const MAX_LOOKED_AT: usize = 10_000;

    /// The newest 50 deliveries, of whatever kind.
    pub const fn new() -> Self {
        Self {
            tenant: None,
            event: None,
            endpoint: None,
            status: None,
            types: Vec::new(),
            since: None,
            until: None,
            cursor: None,
            limit: 50,
        }
    }

    /// Only this tenant's.
    #[must_use]
    pub fn tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Only those of this event.
    #[must_use]
    pub const fn event(mut self, event: EventId) -> Self {
        self.event = Some(event);
        self
    }

    /// Only those to this endpoint.
    #[must_use]
    pub const fn endpoint(mut self, endpoint: EndpointId) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// Only those with this status.
    #[must_use]
    pub const fn status(mut self, status: DeliveryStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Only those of events that one of these filters matches.
    #[must_use]
    pub fn types(mut self, types: impl IntoIterator<Item = EventFilter>) -> Self {
        self.types = types.into_iter().collect();
        self
    }

    /// Whether deliveries of events of this type are asked for.
    pub fn wants(&self, event_type: &EventType) -> bool {
        self.types.is_empty() || self.types.iter().any(|filter| filter.matches(event_type))
    }

    /// Returns the page of this query among all deliveries, for a store that reads all of them.
    pub fn page_of(&self, all: impl IntoIterator<Item = Delivery>) -> Page<Delivery> {
        let mut found: Vec<_> = all.into_iter().filter(|delivery| self.matches(delivery)).collect();
        found.sort_by_key(|delivery| std::cmp::Reverse(Cursor::after(delivery)));
        let limit = self.limit.clamp(1, Self::MAX_LIMIT);
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(Cursor::after);
        Page::new(found, next)
    }

    fn matches(&self, delivery: &Delivery) -> bool {
        self.tenant.as_ref().is_none_or(|tenant| delivery.tenant == *tenant)
            && self.event.is_none_or(|event| delivery.id.event == event)
            && self.endpoint.is_none_or(|endpoint| delivery.id.endpoint == endpoint)
            && self.status.is_none_or(|status| delivery.status == status)
            && self.wants(&delivery.event_type)
            && self.since.is_none_or(|since| delivery.created_at >= since)
            && self.until.is_none_or(|until| delivery.created_at < until)
            && self.cursor.is_none_or(|cursor| Cursor::after(delivery) < cursor)
    }

    /// Only those that came about then or later, by the store's clock.
    #[must_use]
    pub const fn since(mut self, at: Timestamp) -> Self {
        self.since = Some(at);
        self
    }

    /// Only those that came about before, by the store's clock.
    #[must_use]
    pub const fn until(mut self, at: Timestamp) -> Self {
        self.until = Some(at);
        self
    }

    /// Goes on where an earlier page ended.
    #[must_use]
    pub const fn after(mut self, cursor: Cursor) -> Self {
        self.cursor = Some(cursor);
        self
    }

    /// At most this many, cut to between 1 and [`MAX_LIMIT`](Self::MAX_LIMIT).
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.clamp(1, Self::MAX_LIMIT);
        self
    }
}

impl Default for DeliveryQuery {
    fn default() -> Self {
        Self::new()
    }
}

/// One page of a listing.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; absent when this is the last.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// A page, and where the next begins.
    pub const fn new(items: Vec<T>, next: Option<Cursor>) -> Self {
        Self { items, next }
    }

    /// The same page of something else, such as of views.
    pub fn map<U>(self, of: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(of).collect(), next: self.next }
    }
}

/// A place in a listing of deliveries: just after one of them.
///
/// Listings go by time of creation, then by id, newest first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Cursor {
    /// When the delivery was created.
    pub created_at: Timestamp,
    /// Its id.
    pub id: DeliveryId,
}

impl Cursor {
    /// The place just after the delivery with this id, created then.
    pub const fn new(created_at: Timestamp, id: DeliveryId) -> Self {
        Self { created_at, id }
    }

    /// The place just after `delivery`.
    pub const fn after(delivery: &Delivery) -> Self {
        Self { created_at: delivery.created_at, id: delivery.id }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.created_at.as_unix_millis(), self.id)
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (millis, id) = text.split_once('.').ok_or(InvalidCursor)?;
        let created_at = Timestamp::from_unix_millis(millis.parse().map_err(|_| InvalidCursor)?);
        let id = id.parse().map_err(|_: InvalidId| InvalidCursor)?;
        Ok(Self { created_at, id })
    }
}

serde_as_text!(Cursor);

/// The text is no cursor.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a valid cursor; expected the one that an earlier listing ended with")]
pub struct InvalidCursor;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn delivery() -> Delivery {
        let [event, endpoint] = [1, 2].map(uuid::Uuid::from_u128);
        let id = DeliveryId::new(EventId::from_uuid(event), EndpointId::from_uuid(endpoint));
        let url = "https://a.example/hooks?token=c4nary".parse().unwrap();
        let at = Timestamp::from_unix_secs(7);
        Delivery::new(id, TenantId::default(), "a.b".parse().unwrap(), url, at)
    }

    #[test]
    fn a_cursor_is_one_token_that_parses_back() {
        let text =
            "1614265330000.0192f0c1b6a97c3e8d0f5a4b3c2d1e0f.0192f0c1b6a97c3e8d0f5a4b3c2d1e10";
        assert_eq!(text.parse::<Cursor>().unwrap().to_string(), text);
        for bad in
            ["", "x", "1.x", "x.0192f0c1b6a97c3e8d0f5a4b3c2d1e0f.0192f0c1b6a97c3e8d0f5a4b3c2d1e10"]
        {
            assert_eq!(bad.parse::<Cursor>(), Err(InvalidCursor), "{bad:?}");
        }
    }

    #[test]
    fn a_limit_is_cut_to_what_a_page_may_hold() {
        assert_eq!(DeliveryQuery::new().limit(0).limit, 1);
        assert_eq!(DeliveryQuery::new().limit(usize::MAX).limit, DeliveryQuery::MAX_LIMIT);
    }

    #[test]
    fn a_page_of_something_else_goes_on_at_the_same_place() {
        let cursor = Cursor::after(&delivery());
        assert_eq!(cursor, Cursor::new(Timestamp::from_unix_secs(7), delivery().id));
        let page = Page::new(vec![1, 2], Some(cursor)).map(|item| item.to_string());
        assert_eq!(page, Page::new(vec!["1".to_owned(), "2".to_owned()], Some(cursor)));
    }

    #[test]
    fn one_of_the_filters_has_to_match() {
        let wants = |filters: &[&str], event_type: &str| {
            let filters = filters.iter().map(|filter| filter.parse().unwrap());
            DeliveryQuery::default().types(filters).wants(&event_type.parse().unwrap())
        };
        assert!(wants(&[], "a.b"));
        assert!(wants(&["c", "a.*"], "a.b"));
        assert!(!wants(&["c", "a.*"], "d"));
    }

    proptest! {
        #[test]
        fn any_text_is_a_cursor_that_prints_and_parses_to_itself_or_refused(
            text in prop_oneof![".*", "[+-]?[0-9]{1,20}[.][0-9a-f]{32}[.][0-9a-f]{32}"],
        ) {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
            }
        }
    }
}
