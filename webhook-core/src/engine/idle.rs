//! Knowing when there is nothing left to do.

use std::time::Duration;

use crate::port::{Clock, Store, StoreError, StoreErrorKind, store::work::Backlog};

/// Interval between two reads of the backlog.
const IDLE_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Waits until the store is idle: nothing is unrouted, nothing is in flight (another process's
/// leases are waited for) and nothing pending is due within `horizon`; with no horizon, nothing is
/// pending at all. Deliveries of paused and disabled endpoints do not count. Answers what is left.
///
/// # Errors
///
/// [`StoreError`] when the store cannot be asked for a reason that does not pass by itself. One
/// that is not available for a while is asked again.
pub async fn until_idle(
    store: &dyn Store,
    clock: &dyn Clock,
    horizon: Option<Duration>,
) -> Result<Backlog, StoreError> {
    loop {
        match store.backlog().await {
            Ok(backlog) if is_idle(&backlog, horizon) => return Ok(backlog),
            Err(error) if !is_transient(&error) => return Err(error),
            _ => {}
        }
        clock.sleep(IDLE_POLL_INTERVAL).await;
    }
}

fn is_transient(error: &StoreError) -> bool {
    matches!(error.kind(), StoreErrorKind::Unavailable | StoreErrorKind::Unknown)
}

fn is_idle(backlog: &Backlog, horizon: Option<Duration>) -> bool {
    let due = match (backlog.next_due, horizon) {
        (Some(due), Some(horizon)) => due <= horizon,
        (due, _) => due.is_some(),
    };
    backlog.unrouted == 0 && backlog.in_flight == 0 && !due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let secs = |secs| Some(Duration::from_secs(secs));
        let table = [
            (Backlog::new(0, 0, 0, 0, None), None, true),
            (Backlog::new(0, 0, 0, 9, None), None, true),
            (Backlog::new(1, 0, 0, 0, None), secs(60), false),
            (Backlog::new(0, 1, 0, 0, None), secs(60), false),
            (Backlog::new(0, 0, 1, 0, secs(60)), secs(60), false),
            (Backlog::new(0, 0, 1, 0, secs(61)), secs(60), true),
            (Backlog::new(0, 0, 1, 0, secs(86_400)), None, false),
        ];
        for (backlog, horizon, expected) in table {
            assert_eq!(is_idle(&backlog, horizon), expected, "{backlog:?} within {horizon:?}");
        }
    }
}
