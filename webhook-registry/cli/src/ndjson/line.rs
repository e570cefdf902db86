//! Parser of one line, as a function of its bytes.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use webhook_registry::{EventKey, EventType, NewEvent, OrderingKey, TenantId};

/// Maximum number of characters of an error.
const MAX_ERROR_CHARS: usize = 200;

/// Reason why a line is not an event.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoEvent {
    #[error("not UTF-8")]
    NotUtf8,
    #[error("{0}")]
    Json(String),
}

/// Fields of a line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventLine<'a> {
    #[serde(rename = "type")]
    event_type: EventType,
    /// Kept as it is spelled: order of keys, numbers, blanks.
    #[serde(borrow)]
    data: &'a RawValue,
    tenant: Option<TenantId>,
    key: Option<EventKey>,
    ordering_key: Option<OrderingKey>,
}

/// Parses the event of a line; None for an empty line.
pub(crate) fn parse(content: &[u8], tenant: &TenantId) -> Result<Option<NewEvent>, NoEvent> {
    let text = std::str::from_utf8(content).map_err(|_| NoEvent::NotUtf8)?.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let line: EventLine<'_> =
        serde_json::from_str(text).map_err(|error| NoEvent::Json(place(&error)))?;
    let body = Bytes::copy_from_slice(line.data.get().as_bytes());
    let tenant = line.tenant.unwrap_or_else(|| tenant.clone());
    let mut event = NewEvent::from_type(line.event_type, body).tenant(tenant);
    if let Some(key) = line.key {
        event = event.with_key(key);
    }
    if let Some(key) = line.ordering_key {
        event = event.with_ordering_key(key);
    }
    Ok(Some(event))
}

/// Returns the error with its column; the caller adds the number of the line. The error may repeat
/// a name from the line, so it is cut and its control characters are removed.
fn place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(end.as_str()) {
        Some(what) => format!("{} at column {}", harmless(what), error.column()),
        None => harmless(&text),
    }
}

fn harmless(text: &str) -> String {
    text.chars().take(MAX_ERROR_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
