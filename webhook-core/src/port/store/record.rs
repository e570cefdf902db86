//! Records: values of a store in a form that can be serialized.
//!
//! Each record has a version, so that a later release can read it, and an older one refuses it.

mod attempt_record;
mod delivery_record;
mod endpoint_record;
mod event_record;
mod record_error;
mod record_fields;
mod record_json;
mod secret_text;

pub use attempt_record::AttemptRecord;
pub use delivery_record::DeliveryRecord;
pub use endpoint_record::EndpointRecord;
pub use event_record::EventRecord;
pub use record_error::RecordError;
pub use record_json::record_from_json;
