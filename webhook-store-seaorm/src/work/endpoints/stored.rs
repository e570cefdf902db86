//! An endpoint as a row.

use std::{borrow::Cow, time::Duration};

use sea_orm::Value;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use webhook_core::{
    ClientIdentity, CustomHeaders, Endpoint, EndpointTls, EventFilter, Profile, Revision, Signing,
    SigningKey, StoreErrorKind, Timeout, Timestamp, error::InvalidTls, store::whole_millis,
};
use zeroize::Zeroizing;

use crate::db::{
    fault::Fault,
    row::{Row, ToValue, stored_health, unreadable},
    secret_columns::SecretColumns,
};

/// Columns that an edit writes, and the endpoint's identity.
pub(super) const ENDPOINT_COLUMNS: &str = "id, tenant, url, filters, signing_keys, profiles, headers, client_tls, timeout_ms, retry, \
                       max_in_flight, rate, order_policy, description, external_id, metadata, state, revision, \
                       created_at";

/// The columns that hold secrets, each a JSON text that is sealed whole.
pub(crate) const SECRET_COLUMNS: [&str; 3] = ["signing_keys", "headers", "client_tls"];

/// Column of the health: written by attempts, and by edits that reset it.
pub(super) const HEALTH_COLUMN: &str = "health";

/// A signing key as it is stored.
#[derive(Deserialize, Serialize)]
struct StoredKey<'a> {
    secret: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

impl<'a> StoredKey<'a> {
    fn of(key: &'a SigningKey) -> Self {
        Self { secret: key.secret.reveal().into(), expires_at: key.expires_at }
    }
}

/// What secures an endpoint's connections, as it is stored.
#[derive(Deserialize, Serialize)]
struct StoredTls<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<(Cow<'a, str>, Cow<'a, str>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    roots: Option<Cow<'a, str>>,
}

impl<'a> StoredTls<'a> {
    fn of(tls: &'a EndpointTls) -> Self {
        let identity = tls.identity().map(|it| (it.certificates_pem(), it.reveal_key_pem()));
        Self {
            identity: identity.map(|(certificates, key)| (certificates.into(), key.into())),
            roots: tls.roots_pem().map(Into::into),
        }
    }

    fn read(self) -> Result<EndpointTls, InvalidTls> {
        let mut tls = EndpointTls::new();
        if let Some((certificates, key)) = self.identity {
            tls = tls.with_identity(ClientIdentity::from_pem(certificates, key)?);
        }
        match self.roots {
            Some(roots) => tls.with_roots_pem(roots),
            None => Ok(tls),
        }
    }
}

/// What an edit may change, as values in the order of the columns.
pub(super) fn settings(secrets: &SecretColumns, endpoint: &Endpoint) -> Result<[Value; 15], Fault> {
    let signing = &endpoint.signing;
    let keys: Vec<_> = signing.keys().iter().map(StoredKey::of).collect();
    Ok([
        endpoint.url.to_value(),
        json(&endpoint.filters)?,
        secrets.seal(endpoint.id, "signing_keys", &text(&keys)?)?,
        json(&signing.profiles())?,
        secrets.seal(
            endpoint.id,
            "headers",
            &text(&endpoint.headers.iter().collect::<Vec<_>>())?,
        )?,
        tls(secrets, endpoint)?,
        whole_millis(endpoint.timeout.as_duration()).into(),
        endpoint.retry.to_string().into(),
        endpoint.max_in_flight.to_value(),
        endpoint.rate.to_value(),
        endpoint.order.to_value(),
        endpoint.description.as_ref().map(|text| text.as_str().to_owned()).into(),
        endpoint.external_id.as_ref().map(|id| id.as_str().to_owned()).into(),
        json(&endpoint.metadata)?,
        endpoint.state.to_value(),
    ])
}

pub(super) fn endpoint(secrets: &SecretColumns, row: &Row) -> Result<Endpoint, Fault> {
    let headers: Vec<(String, String)> = secret(secrets, row, "headers")?;
    let timeout = Duration::from_millis(row.number("timeout_ms")?);
    Ok(Endpoint::new(row.endpoint("id")?, row.parse("url")?)
        .with_tenant(row.parse("tenant")?)
        .with_filters(from_json::<Vec<EventFilter>>(row, "filters")?)
        .with_signing(signing(secrets, row)?)
        .with_headers(CustomHeaders::new(headers).map_err(|_| unreadable("headers"))?)
        .with_tls(read_tls(secrets, row)?)
        .with_timeout(Timeout::new(timeout).map_err(|_| unreadable("timeout_ms"))?)
        .with_retry(row.parse("retry")?)
        .with_max_in_flight(row.number("max_in_flight")?)
        .with_rate(row.parse_if_any("rate")?)
        .with_health(stored_health(row)?)
        .with_description(row.parse_if_any("description")?)
        .with_external_id(row.parse_if_any("external_id")?)
        .with_metadata(from_json(row, "metadata")?)
        .with_order(row.parse_if_any("order_policy")?)
        .with_state(row.parse("state")?)
        .with_revision(Revision::from_u64(row.number("revision")?))
        .with_created_at(row.time("created_at")?))
}

fn signing(secrets: &SecretColumns, row: &Row) -> Result<Signing, Fault> {
    let keys: Vec<StoredKey<'_>> = secret(secrets, row, "signing_keys")?;
    let profiles: Vec<Profile> = from_json(row, "profiles")?;
    let read = |key: StoredKey<'_>| {
        let secret = Zeroizing::new(key.secret.into_owned());
        Some(SigningKey::new(secret.parse().ok()?).with_expiry(key.expires_at))
    };
    let keys: Option<Vec<_>> = keys.into_iter().map(read).collect();
    let keys = keys.ok_or_else(|| unreadable("signing_keys"))?;
    Signing::new(keys, profiles).map_err(|_| unreadable("profiles"))
}

fn tls(secrets: &SecretColumns, endpoint: &Endpoint) -> Result<Value, Fault> {
    let Some(tls) = &endpoint.tls else { return Ok(Value::String(None)) };
    secrets.seal(endpoint.id, "client_tls", &text(&StoredTls::of(tls))?)
}

fn read_tls(secrets: &SecretColumns, row: &Row) -> Result<Option<EndpointTls>, Fault> {
    if row.get::<Option<String>>("client_tls")?.map(Zeroizing::new).is_none() {
        return Ok(None);
    }
    let stored: StoredTls<'_> = secret(secrets, row, "client_tls")?;
    stored.read().map(Some).map_err(|_| unreadable("client_tls"))
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<Value, Fault> {
    text(value).map(|text| text.as_str().into())
}

/// A value as JSON, wiped when it is no longer needed.
fn text<T: Serialize>(value: &T) -> Result<Zeroizing<String>, Fault> {
    // The reason might repeat the value.
    let text = serde_json::to_string(value).map(Zeroizing::new);
    text.map_err(|_| Fault::new(StoreErrorKind::Other, "cannot write it as JSON"))
}

/// A value from a column that may be sealed.
fn secret<T: DeserializeOwned>(
    secrets: &SecretColumns,
    row: &Row,
    column: &str,
) -> Result<T, Fault> {
    let stored = Zeroizing::new(row.get(column)?);
    let text = secrets.open(row.endpoint("id")?, column, stored)?;
    serde_json::from_str(&text).map_err(|_| unreadable(column))
}

pub(super) fn from_json<T: DeserializeOwned>(row: &Row, column: &str) -> Result<T, Fault> {
    serde_json::from_str(&row.get::<String>(column)?).map_err(|_| unreadable(column))
}
