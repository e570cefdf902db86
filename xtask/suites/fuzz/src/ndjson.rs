//! Events as lines of JSON.

// The command's own reading: a program has no library to take it from.
#[path = "../../../../webhook-registry/cli/src/ndjson/line.rs"]
mod line;

use line::parse;
use webhook_core::{EventId, TenantId, Timestamp};

use crate::text::is_harmless;

/// A line is an event whose body stands in it byte for byte, nothing, or a mistake that can be shown.
pub fn ndjson(data: &[u8]) {
    let tenant = TenantId::default();
    match parse(data, &tenant) {
        Ok(None) => assert!(data.iter().all(|byte| !byte.is_ascii_graphic()), "a line is lost"),
        Ok(Some(event)) => {
            let body = event.body();
            assert!(!body.is_empty());
            assert!(data.windows(body.len()).any(|window| window == body), "the body was changed");
            assert!(serde_json::from_slice::<&serde_json::value::RawValue>(body).is_ok());
            let id = EventId::from_uuid(uuid::Uuid::nil());
            let event = event.into_event(|| id, Timestamp::default());
            assert_eq!(event.event_type.as_str().parse().as_ref(), Ok(&event.event_type));
            assert_eq!(event.tenant.as_str().parse().as_ref(), Ok(&event.tenant));
        }
        Err(error) => {
            let said = error.to_string();
            assert!(!said.is_empty() && said.chars().count() < 300, "{said:?}");
            assert!(is_harmless(&said), "{said:?}");
        }
    }
}
