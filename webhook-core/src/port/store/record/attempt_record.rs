//! Record of an attempt.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{
    attempt::{Attempt, Failure, FailureKind},
    time::Timestamp,
    trigger::Trigger,
};

use super::{
    record_error::RecordError,
    record_fields::{RecordBytes, RecordVersion},
};

/// Record of an attempt, with the beginning of the response's body as base64. `Debug` does not show
/// the body.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct AttemptRecord {
    v: RecordVersion,
    number: u32,
    trigger: Trigger,
    started_at: Timestamp,
    duration: Duration,
    status: Option<u16>,
    failure: Option<FailureRecord>,
    response_body: RecordBytes,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct FailureRecord {
    kind: FailureKind,
    text: String,
}

impl AttemptRecord {
    /// Creates the record of `attempt`.
    pub fn of(attempt: &Attempt) -> Self {
        // Each field by name: one that is added later cannot be forgotten here.
        let Attempt { number, trigger, started_at, duration, status, failure, response_body } =
            attempt.clone();
        Self {
            v: RecordVersion,
            number,
            trigger,
            started_at,
            duration,
            status,
            failure: failure.map(|Failure { kind, text }| FailureRecord { kind, text }),
            response_body: RecordBytes(response_body),
        }
    }

    /// Returns the attempt.
    ///
    /// # Errors
    ///
    /// [`RecordError::Unreadable`] if the number of the attempt is 0: the first one has number 1.
    pub fn into_attempt(self) -> Result<Attempt, RecordError> {
        if self.number == 0 {
            return Err(RecordError::Unreadable("number"));
        }
        Ok(Attempt {
            number: self.number,
            trigger: self.trigger,
            started_at: self.started_at,
            duration: self.duration,
            status: self.status,
            failure: self.failure.map(|failure| Failure::new(failure.kind, failure.text)),
            response_body: self.response_body.0,
        })
    }
}
