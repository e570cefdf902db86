//! Fields that several records share.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Present version of all records.
pub(super) const RECORD_VERSION: u32 = 1;

/// Version of a record. Another version is an error that names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordVersion;

impl Serialize for RecordVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(RECORD_VERSION)
    }
}

impl<'de> Deserialize<'de> for RecordVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = u32::deserialize(deserializer)?;
        if found != RECORD_VERSION {
            let text = format!("unknown version {found} of a record: expected {RECORD_VERSION}");
            return Err(D::Error::custom(text));
        }
        Ok(Self)
    }
}

/// Bytes as base64. `Debug` shows their number alone: they belong to publishers and receivers.
#[derive(Clone)]
pub(super) struct RecordBytes(pub(super) Bytes);

impl fmt::Debug for RecordBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Serialize for RecordBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for RecordBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // The reason would repeat a part of the text.
        let bytes = STANDARD.decode(text).map_err(|_| D::Error::custom("invalid base64"))?;
        Ok(Self(bytes.into()))
    }
}

/// Serde of a URL as its whole text: the text that is shown has no query.
pub(super) mod whole_url {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    use crate::model::url::EndpointUrl;

    pub(in super::super) fn serialize<S: Serializer>(
        url: &EndpointUrl,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(url.as_str())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<EndpointUrl, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
