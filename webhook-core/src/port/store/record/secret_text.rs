//! Fields that hold secrets, sealed if the caller has a vault.
//!
//! The whole text of a field is sealed, bound to the field and the endpoint. A text that was stored
//! without a vault is JSON and stays readable, because no JSON begins like a sealed text.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use zeroize::Zeroizing;

use crate::{
    model::id::EndpointId,
    port::vault::{SEALED, SecretVault},
};

use super::record_error::RecordError;

/// Secret as JSON, sealed or plain. It is wiped from memory when dropped.
#[derive(Clone)]
pub(super) struct SecretText(Zeroizing<String>);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(redacted)")
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Zeroizing::new).map(Self)
    }
}

/// Seals and opens the secrets of one endpoint.
#[derive(Clone, Copy)]
pub(super) struct EndpointSecrets<'v> {
    pub(super) endpoint: EndpointId,
    pub(super) vault: Option<&'v dyn SecretVault>,
}

impl EndpointSecrets<'_> {
    pub(super) fn seal<T: Serialize>(
        self,
        field: &'static str,
        value: &T,
    ) -> Result<SecretText, RecordError> {
        // The reason might repeat the value.
        let plain = serde_json::to_string(value).map(Zeroizing::new);
        let plain = plain.map_err(|_| RecordError::Unreadable(field))?;
        let Some(vault) = self.vault else { return Ok(SecretText(plain)) };
        let sealed = vault.seal(plain.as_bytes(), self.associated_data(field).as_bytes());
        let sealed = sealed.map_err(|error| RecordError::NotSealed(field, error))?;
        Ok(SecretText(Zeroizing::new(sealed)))
    }

    pub(super) fn open<T: DeserializeOwned>(
        self,
        field: &'static str,
        stored: &SecretText,
    ) -> Result<T, RecordError> {
        let unreadable = |_| RecordError::Unreadable(field);
        if !stored.0.starts_with(SEALED) {
            return serde_json::from_str(&stored.0).map_err(unreadable);
        }
        let vault = self.vault.ok_or(RecordError::NoVault(field))?;
        let opened = vault.open(&stored.0, self.associated_data(field).as_bytes());
        let opened = opened.map_err(|error| RecordError::NotOpened(field, error))?;
        serde_json::from_slice(&opened).map_err(unreadable)
    }

    /// Associated data of a sealed text: its endpoint and field.
    fn associated_data(self, field: &str) -> String {
        format!("endpoint/{}/{field}", self.endpoint)
    }
}
