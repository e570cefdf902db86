//! Events to try things with.

use webhook_core::NewEvent;

/// An event of this type that says what it is an example of.
///
/// # Panics
///
/// When `event_type` is none.
#[expect(clippy::panic, reason = "a sample that cannot be is a mistake in the test")]
pub fn event(event_type: &str) -> NewEvent {
    match NewEvent::new(event_type, format!(r#"{{"sample":"{event_type}"}}"#)) {
        Ok(event) => event,
        Err(error) => panic!("{event_type:?}: {error}"),
    }
}
