//! Stored values, read back. A database may hold anything, so every reading can fail, and says which
//! column it was; never the value, which may be a secret or a payload.

use std::{fmt, str::FromStr};

use sea_orm::{QueryResult, TryGetable, Value};
use uuid::Uuid;
use webhook_core::{EndpointId, EventId, Health, Timestamp};

use crate::db::fault::Fault;

/// A row of a query.
///
/// Identifiers are stored as the 16 bytes of the UUID: BLOB, uuid and BINARY(16) compare them in the
/// same order, they take half the room of text in every index, and `hex(id)` shows them.
pub(crate) struct Row(QueryResult);

impl Row {
    pub(crate) const fn new(row: QueryResult) -> Self {
        Self(row)
    }

    /// A value as the database has it; `Option` for a column that may be empty.
    pub(crate) fn get<T: TryGetable>(&self, column: &str) -> Result<T, Fault> {
        self.0.try_get("", column).map_err(|_| unreadable(column))
    }

    /// A value that is stored as text.
    pub(crate) fn parse<T: FromStr>(&self, column: &str) -> Result<T, Fault> {
        self.get::<String>(column)?.parse().map_err(|_| unreadable(column))
    }

    /// A value that is stored as text and may be missing.
    pub(crate) fn parse_if_any<T: FromStr>(&self, column: &str) -> Result<Option<T>, Fault> {
        let text = self.get::<Option<String>>(column)?;
        text.map(|text| text.parse()).transpose().map_err(|_| unreadable(column))
    }

    /// A number in the range of `T`.
    pub(crate) fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T, Fault> {
        T::try_from(self.get::<i64>(column)?).map_err(|_| unreadable(column))
    }

    pub(crate) fn time(&self, column: &str) -> Result<Timestamp, Fault> {
        self.get(column).map(Timestamp::from_unix_millis)
    }

    pub(crate) fn time_if_any(&self, column: &str) -> Result<Option<Timestamp>, Fault> {
        Ok(self.get::<Option<i64>>(column)?.map(Timestamp::from_unix_millis))
    }

    pub(crate) fn event(&self, column: &str) -> Result<EventId, Fault> {
        self.get::<Uuid>(column).map(EventId::from_uuid)
    }

    /// Bytes of an identifier, valid or not.
    pub(crate) fn key(&self, column: &str) -> Result<RawId, Fault> {
        let readable = self.get::<Uuid>(column).map(|id| id.as_bytes().to_vec());
        readable.or_else(|_| self.get(column)).map(RawId)
    }

    pub(crate) fn endpoint(&self, column: &str) -> Result<EndpointId, Fault> {
        self.get::<Uuid>(column).map(EndpointId::from_uuid)
    }
}

/// Bytes of an identifier, valid or not: they name a row that cannot be read.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct RawId(Vec<u8>);

impl fmt::Display for RawId {
    /// As `hex(id)` shows it, with the hyphens of a UUID if it is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Uuid::from_slice(&self.0) {
            Ok(id) => fmt::Display::fmt(&id, f),
            Err(_) => self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

/// How an endpoint is. What this version cannot read is no reason to leave it alone.
pub(crate) fn stored_health(row: &Row) -> Result<Health, Fault> {
    let text = row.get::<Option<String>>("health")?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

pub(crate) fn unreadable(column: &str) -> Fault {
    Fault::corrupt(format!("cannot read the column {column}"))
}

/// A value to store.
pub(crate) trait ToValue {
    fn to_value(&self) -> Value;
}

macro_rules! to_value {
    ($($type:ty: |$it:ident| $value:expr;)*) => {
        $(impl ToValue for $type {
            fn to_value(&self) -> Value {
                let $it = self;
                $value.into()
            }
        })*
    };
}

to_value! {
    EventId: |id| id.as_uuid();
    EndpointId: |id| id.as_uuid();
    Timestamp: |at| at.as_unix_millis();
    Health: |health| health_text(health);
    Option<webhook_core::RateLimit>: |rate| rate.map(|rate| rate.to_string());
    Option<Timestamp>: |at| at.map(Timestamp::as_unix_millis);
    webhook_core::TenantId: |tenant| tenant.as_str();
    webhook_core::EventType: |event_type| event_type.as_str();
    webhook_core::ContentType: |content_type| content_type.as_str();
    Option<webhook_core::EventKey>: |key| key.as_ref().map(|key| key.as_str().to_owned());
    Option<webhook_core::OrderingKey>: |key| key.as_ref().map(|key| key.as_str().to_owned());
    Option<webhook_core::OrderPolicy>: |policy| policy.map(|policy| policy.as_str().to_owned());
    Option<&webhook_core::WorkerName>: |name| name.map(|name| name.as_str().to_owned());
    webhook_core::EndpointUrl: |url| url.as_str();
    webhook_core::DeliveryStatus: |status| status.as_str();
    webhook_core::EndpointState: |state| state.to_string();
    webhook_core::Trigger: |trigger| trigger.as_str();
    webhook_core::store::LeaseEpoch: |epoch| stored(epoch.as_u64());
    webhook_core::Revision: |revision| stored(revision.as_u64());
    webhook_core::store::TenantVersion: |version| stored(version.as_u64());
    u32: |number| i64::from(*number);
    str: |text| text;
    bytes::Bytes: |bytes| bytes.to_vec();
    RawId: |key| match Uuid::from_slice(&key.0) {
        Ok(id) => Value::from(id),
        Err(_) => Value::from(key.0.clone()),
    };
}

/// How an endpoint is, as it is stored: nothing, while it is healthy.
fn health_text(health: &Health) -> Option<String> {
    serde_json::to_string(health).ok().filter(|_| !health.is_healthy())
}

/// A counter as the databases keep it. No counter of ours ever gets near the end.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A count, as a value for `LIMIT`.
pub(crate) fn limit(count: usize) -> Value {
    i64::try_from(count).unwrap_or(i64::MAX).into()
}
