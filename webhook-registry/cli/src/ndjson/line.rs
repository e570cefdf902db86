//! What one line says, as a function of its bytes.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use webhook_registry::{EventKey, EventType, NewEvent, OrderingKey, TenantId};

/// The most characters of a mistake.
const MAX_TOLD: usize = 200;

/// Why a line is no event.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoEvent {
    #[error("not UTF-8")]
    NotUtf8,
    #[error("{0}")]
    Json(String),
}

/// What a line says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said<'a> {
    #[serde(rename = "type")]
    event_type: EventType,
    /// Kept as it is spelled: order of keys, numbers, blanks.
    #[serde(borrow)]
    data: &'a RawValue,
    tenant: Option<TenantId>,
    key: Option<EventKey>,
    ordering_key: Option<OrderingKey>,
}

/// The event that a line says, or nothing for an empty one.
pub(crate) fn parse(content: &[u8], tenant: &TenantId) -> Result<Option<NewEvent>, NoEvent> {
    let text = std::str::from_utf8(content).map_err(|_| NoEvent::NotUtf8)?.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let said: Said<'_> =
        serde_json::from_str(text).map_err(|error| NoEvent::Json(place(&error)))?;
    let body = Bytes::copy_from_slice(said.data.get().as_bytes());
    let tenant = said.tenant.unwrap_or_else(|| tenant.clone());
    let mut event = NewEvent::from_type(said.event_type, body).tenant(tenant);
    if let Some(key) = said.key {
        event = event.with_key(key);
    }
    if let Some(key) = said.ordering_key {
        event = event.with_ordering_key(key);
    }
    Ok(Some(event))
}

/// The mistake and its column: the line is ours to number. It may repeat a name from the line, which must
/// neither play with the terminal nor fill it.
fn place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(end.as_str()) {
        Some(what) => format!("{} at column {}", harmless(what), error.column()),
        None => harmless(&text),
    }
}

fn harmless(text: &str) -> String {
    text.chars().take(MAX_TOLD).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
