//! Decisions about stored deliveries, as functions of values.
//!
//! A store loads a value, calls one of these functions with its own time, and stores the result in
//! the transaction of the call. No function here reads a clock, waits or fails, so every store that
//! uses them behaves in the same way.
//!
//! ```text
//! enqueued --> pending --claimed--> in flight --finished--> success | failed
//!                 ^                  |   | ^
//!                 +-- retry, released+   +-+ lease ended: claimed again
//!
//! pending | in flight --cancelled--> cancelled
//! success | failed | cancelled | missed --redelivered--> pending
//! ```
//!
//! | decision | function |
//! |---|---|
//! | state of a new delivery | [`DeliveryState::enqueued`] |
//! | due time, end of the lease | [`DeliveryState::claimable_at`], [`DeliveryState::is_expired`] |
//! | claim | [`DeliveryState::claimed`] |
//! | outcome of a claim | [`DeliveryState::finished`], [`DeliveryState::released`] |
//! | operations of a user | [`DeliveryState::cancelled`], [`DeliveryState::redelivered`] |
//! | order per key | [`OrderQueue`], [`leaves_queue`] |
//! | effect on the endpoint | [`endpoint_change`], [`edited_endpoint`] |
//! | new and unrouted events | [`intake`], [`enqueued_again`], [`claim_unrouted_first`] |

mod delivery_state;
mod endpoint_change;
mod event_rules;
mod order_queue;
mod transition;
mod unrouted_claim;

pub use delivery_state::DeliveryState;
pub use endpoint_change::{EndpointChange, edited_endpoint, endpoint_change};
pub use event_rules::{Intake, enqueued_again, intake};
pub use order_queue::{OrderQueue, leaves_queue};
pub use transition::{DeliveryChange, Transition};
pub use unrouted_claim::{UnroutedEntry, claim_unrouted_first};
