use webhook_registry::{Cursor, Delivery, DeliveryQuery};

pub(super) fn matches(query: &DeliveryQuery, delivery: &Delivery) -> bool {
    query.tenant.as_ref().is_none_or(|tenant| delivery.tenant == *tenant)
        && query.event.is_none_or(|event| delivery.id.event == event)
        && query.endpoint.is_none_or(|endpoint| delivery.id.endpoint == endpoint)
        && query.status.is_none_or(|status| delivery.status == status)
        && query.wants(&delivery.event_type)
        && query.since.is_none_or(|since| delivery.created_at >= since)
        && query.until.is_none_or(|until| delivery.created_at < until)
        && query.cursor.is_none_or(|cursor| Cursor::after(delivery) < cursor)
}
