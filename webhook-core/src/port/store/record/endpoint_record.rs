//! Record of an endpoint.

use std::{borrow::Cow, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    model::{
        endpoint::{Endpoint, Timeout},
        endpoint_state::EndpointState,
        filter::EventFilter,
        header::CustomHeaders,
        health::Health,
        id::{EndpointId, Revision, TenantId},
        metadata::{Description, ExternalId, Metadata},
        order::OrderPolicy,
        rate::RateLimit,
        retry::RetryPolicy,
        signing::{Profile, Signing, SigningKey},
        time::Timestamp,
        tls::{ClientIdentity, EndpointTls, InvalidTls},
        url::EndpointUrl,
    },
    port::vault::SecretVault,
};

use super::{
    record_error::RecordError,
    record_fields::{RecordVersion, whole_url},
    secret_text::{EndpointSecrets, SecretText},
};

const SIGNING_KEYS: &str = "signing_keys";
const HEADERS: &str = "headers";
const CLIENT_TLS: &str = "client_tls";

/// Record of an endpoint: its settings, state and health.
///
/// Signing keys, custom headers and the TLS settings are sealed by the vault of the caller, each
/// bound to its field and endpoint. Without a vault they are plain text in the record. `Debug` does
/// not show them, nor the query of the URL.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct EndpointRecord {
    v: RecordVersion,
    id: EndpointId,
    tenant: TenantId,
    #[serde(with = "whole_url")]
    url: EndpointUrl,
    filters: Vec<EventFilter>,
    signing_keys: SecretText,
    profiles: Vec<Profile>,
    headers: SecretText,
    client_tls: Option<SecretText>,
    timeout: Duration,
    retry: RetryPolicy,
    max_in_flight: u32,
    rate: Option<RateLimit>,
    description: Option<Description>,
    external_id: Option<ExternalId>,
    metadata: Metadata,
    order: Option<OrderPolicy>,
    state: EndpointState,
    revision: Revision,
    created_at: Timestamp,
    health: Health,
}

impl EndpointRecord {
    /// Creates the record of `endpoint`, its secrets sealed by `vault`.
    ///
    /// # Errors
    ///
    /// [`RecordError::NotSealed`] if the vault fails.
    pub fn of(endpoint: &Endpoint, vault: Option<&dyn SecretVault>) -> Result<Self, RecordError> {
        // Each field by name: a setting that is added later cannot be forgotten here.
        let Endpoint {
            id,
            tenant,
            url,
            filters,
            signing,
            headers,
            tls,
            timeout,
            retry,
            max_in_flight,
            rate,
            description,
            external_id,
            metadata,
            order,
            state,
            revision,
            created_at,
            health,
        } = endpoint.clone();
        let secrets = EndpointSecrets { endpoint: id, vault };
        let keys: Vec<_> = signing.keys().iter().map(KeyRecord::of).collect();
        let tls = tls.map(|tls| secrets.seal(CLIENT_TLS, &TlsRecord::of(&tls)));
        Ok(Self {
            v: RecordVersion,
            id,
            tenant,
            url,
            filters,
            signing_keys: secrets.seal(SIGNING_KEYS, &keys)?,
            profiles: signing.profiles().to_vec(),
            headers: secrets.seal(HEADERS, &headers.iter().collect::<Vec<_>>())?,
            client_tls: tls.transpose()?,
            timeout: timeout.as_duration(),
            retry,
            max_in_flight,
            rate,
            description,
            external_id,
            metadata,
            order,
            state,
            revision,
            created_at,
            health,
        })
    }

    /// Returns the endpoint, its secrets opened by `vault`.
    ///
    /// # Errors
    ///
    /// [`RecordError`] names the field that cannot be read or opened.
    pub fn into_endpoint(self, vault: Option<&dyn SecretVault>) -> Result<Endpoint, RecordError> {
        let secrets = EndpointSecrets { endpoint: self.id, vault };
        let timeout = Timeout::new(self.timeout).map_err(|_| RecordError::Unreadable("timeout"))?;
        Ok(Endpoint {
            signing: self.signing(secrets)?,
            headers: self.headers(secrets)?,
            tls: self.tls(secrets)?.map(Arc::new),
            id: self.id,
            tenant: self.tenant,
            url: self.url,
            filters: self.filters,
            timeout,
            retry: self.retry,
            max_in_flight: self.max_in_flight,
            rate: self.rate,
            description: self.description,
            external_id: self.external_id,
            metadata: self.metadata,
            order: self.order,
            state: self.state,
            revision: self.revision,
            created_at: self.created_at,
            health: self.health,
        })
    }

    fn signing(&self, secrets: EndpointSecrets<'_>) -> Result<Signing, RecordError> {
        let keys: Vec<KeyRecord<'_>> = secrets.open(SIGNING_KEYS, &self.signing_keys)?;
        let keys: Option<Vec<_>> = keys.into_iter().map(KeyRecord::into_key).collect();
        let keys = keys.ok_or(RecordError::Unreadable(SIGNING_KEYS))?;
        let profiles = self.profiles.clone();
        Signing::new(keys, profiles).map_err(|_| RecordError::Unreadable("profiles"))
    }

    fn headers(&self, secrets: EndpointSecrets<'_>) -> Result<CustomHeaders, RecordError> {
        let pairs: Vec<(String, String)> = secrets.open(HEADERS, &self.headers)?;
        CustomHeaders::new(pairs).map_err(|_| RecordError::Unreadable(HEADERS))
    }

    fn tls(&self, secrets: EndpointSecrets<'_>) -> Result<Option<EndpointTls>, RecordError> {
        let Some(stored) = &self.client_tls else { return Ok(None) };
        let tls: TlsRecord<'_> = secrets.open(CLIENT_TLS, stored)?;
        tls.into_tls().map(Some).map_err(|_| RecordError::Unreadable(CLIENT_TLS))
    }
}

#[derive(Deserialize, Serialize)]
struct KeyRecord<'a> {
    secret: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

impl<'a> KeyRecord<'a> {
    fn of(key: &'a SigningKey) -> Self {
        Self { secret: key.secret.reveal().into(), expires_at: key.expires_at }
    }

    fn into_key(self) -> Option<SigningKey> {
        let secret = Zeroizing::new(self.secret.into_owned());
        Some(SigningKey::new(secret.parse().ok()?).with_expiry(self.expires_at))
    }
}

#[derive(Deserialize, Serialize)]
struct TlsRecord<'a> {
    /// Certificates and private key of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<(Cow<'a, str>, Cow<'a, str>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    roots: Option<Cow<'a, str>>,
}

impl<'a> TlsRecord<'a> {
    fn of(tls: &'a EndpointTls) -> Self {
        let identity = tls
            .identity()
            .map(|identity| (identity.certificates_pem().into(), identity.reveal_key_pem().into()));
        Self { identity, roots: tls.roots_pem().map(Into::into) }
    }

    fn into_tls(self) -> Result<EndpointTls, InvalidTls> {
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
