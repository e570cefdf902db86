//! Signing keys and profiles of an endpoint.

use std::{fmt, str::FromStr, time::Duration};

use crate::model::{secret::Secret, text::serde_as_text, time::Timestamp};

/// Named way to sign a request.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Profile {
    /// Standard Webhooks v1: HMAC-SHA256 of id, timestamp and body under the decoded key.
    Standard,
    /// HMAC-SHA256 of the body under the secret's whole text, in hexadecimal.
    BodyHmac,
}

impl Profile {
    /// The profiles an endpoint signs with unless told otherwise, as far as its secret serves them.
    pub const DEFAULT: [Self; 2] = [Self::Standard, Self::BodyHmac];

    /// The profile's name in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::BodyHmac => "body-hmac",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Profile {
    type Err = InvalidSigning;

    fn from_str(name: &str) -> Result<Self, InvalidSigning> {
        Self::DEFAULT
            .into_iter()
            .find(|profile| profile.as_str() == name)
            .ok_or(InvalidSigning::UnknownProfile)
    }
}

serde_as_text!(Profile);

/// Secret with an optional end of its use.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SigningKey {
    /// The secret.
    pub secret: Secret,
    /// Time at which the key stops signing; `None` if it never does.
    pub expires_at: Option<Timestamp>,
}

impl SigningKey {
    /// Creates a key that does not expire.
    pub const fn new(secret: Secret) -> Self {
        Self { secret, expires_at: None }
    }

    /// Sets the time at which the key stops signing.
    #[must_use]
    pub const fn with_expiry(mut self, at: Option<Timestamp>) -> Self {
        self.expires_at = at;
        self
    }

    pub(crate) fn is_active(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|at| now < at)
    }
}

/// Keys and profiles of an endpoint; the first key is the current one.
///
/// Always consistent: a key without the `whsec_` prefix never meets the profile `standard`.
#[derive(Clone, Debug, Default)]
pub struct Signing {
    keys: Vec<SigningKey>,
    profiles: Vec<Profile>,
}

impl Signing {
    /// The most keys that an endpoint may have: each makes a signature, and a header has to end.
    pub const MAX_KEYS: usize = 5;

    /// How long former keys go on signing after a rotation, unless told otherwise: a day to bring the
    /// new secret to every receiver.
    pub const OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);

    /// The longest such time: a secret that is replaced should end some day.
    pub const MAX_OVERLAP: Duration = Duration::from_secs(7 * 24 * 60 * 60);

    /// No secret, no signature headers.
    pub const fn unsigned() -> Self {
        Self { keys: Vec::new(), profiles: Vec::new() }
    }

    /// Signs with `secret` in every default profile that it serves: both for a `whsec_` secret,
    /// `body-hmac` alone for any other.
    pub fn with_secret(secret: Secret) -> Self {
        let profiles =
            Profile::DEFAULT.into_iter().filter(|&profile| serves(&secret, profile)).collect();
        Self { keys: vec![SigningKey::new(secret)], profiles }
    }

    /// Signs with `keys` in exactly `profiles`.
    ///
    /// # Errors
    ///
    /// [`InvalidSigning`] when a key cannot sign in one of the profiles, keys have no profile or profiles
    /// no key, or there are more than [`MAX_KEYS`](Self::MAX_KEYS).
    pub fn new(keys: Vec<SigningKey>, profiles: Vec<Profile>) -> Result<Self, InvalidSigning> {
        if keys.is_empty() && !profiles.is_empty() {
            return Err(InvalidSigning::NoSecret);
        }
        if profiles.is_empty() && !keys.is_empty() {
            return Err(InvalidSigning::NoProfile);
        }
        if keys.len() > Self::MAX_KEYS {
            return Err(InvalidSigning::TooManyKeys);
        }
        let served =
            |key: &SigningKey| profiles.iter().all(|&profile| serves(&key.secret, profile));
        if keys.iter().all(served) {
            Ok(Self { keys, profiles })
        } else {
            Err(InvalidSigning::NeedsPrefix)
        }
    }

    /// Returns these settings with `secret` as the current key. Former keys continue to sign for
    /// `overlap`, or until their own end if that is earlier; expired keys are removed. With an
    /// overlap of zero, `secret` is the only key.
    ///
    /// In the profile `standard` every key signs, so that a receiver may know any of them. The headers
    /// of `body-hmac` hold one signature, which the new key makes.
    ///
    /// ```
    /// use webhook_core::{Secret, Signing, Timestamp};
    ///
    /// let (old, new): (Secret, Secret) = (
    ///     "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?,
    ///     "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".parse()?,
    /// );
    /// let now = Timestamp::from_unix_secs(1_700_000_000);
    /// let signing = Signing::with_secret(old).rotated(new, now, Signing::OVERLAP)?;
    /// assert_eq!(signing.keys().len(), 2);
    /// assert_eq!(signing.keys()[1].expires_at, Some(now.after(Signing::OVERLAP)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidSigning`] when the secret cannot sign in one of the profiles, the overlap is longer
    /// than [`MAX_OVERLAP`](Self::MAX_OVERLAP), or [`MAX_KEYS`](Self::MAX_KEYS) sign already.
    pub fn rotated(
        &self,
        secret: Secret,
        now: Timestamp,
        overlap: Duration,
    ) -> Result<Self, InvalidSigning> {
        if overlap > Self::MAX_OVERLAP {
            return Err(InvalidSigning::LongOverlap);
        }
        if self.keys.is_empty() {
            return Ok(Self::with_secret(secret));
        }
        let end = now.after(overlap);
        let former = self.keys.iter().cloned().map(|mut key| {
            key.expires_at = Some(key.expires_at.map_or(end, |at| at.min(end)));
            key
        });
        let former = former.filter(|key| key.is_active(now));
        let keys = [SigningKey::new(secret)].into_iter().chain(former).collect();
        Self::new(keys, self.profiles.clone())
    }

    /// The keys, the current one first.
    pub fn keys(&self) -> &[SigningKey] {
        &self.keys
    }

    /// The profiles, in the order they were named.
    pub fn profiles(&self) -> &[Profile] {
        &self.profiles
    }
}

fn serves(secret: &Secret, profile: Profile) -> bool {
    match profile {
        Profile::Standard => secret.is_standard(),
        Profile::BodyHmac => true,
    }
}

/// Keys and profiles that do not fit together.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSigning {
    /// `standard` was asked for with a secret that cannot serve it.
    #[error(
        "the profile standard needs a secret that starts with whsec_; use body-hmac, or another secret"
    )]
    NeedsPrefix,
    /// Profiles without a secret.
    #[error("a signing profile needs a secret")]
    NoSecret,
    /// A secret without a profile to sign with.
    #[error(
        "a secret needs a signing profile; name standard or body-hmac, or leave out the secret"
    )]
    NoProfile,
    /// More keys than may sign at once.
    #[error(
        "five secrets sign for this endpoint already; wait until one of them ends, or rotate with an overlap of 0s"
    )]
    TooManyKeys,
    /// Former keys would sign for too long.
    #[error("former secrets can sign for at most 7 days more; choose a shorter overlap")]
    LongOverlap,
    /// No profile has this name.
    #[error("unknown signing profile; expected standard or body-hmac")]
    UnknownProfile,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_have_stable_names() {
        for (profile, name) in [(Profile::Standard, "standard"), (Profile::BodyHmac, "body-hmac")] {
            assert_eq!(profile.to_string(), name);
            assert_eq!(name.parse(), Ok(profile));
        }
        assert_eq!("none".parse::<Profile>(), Err(InvalidSigning::UnknownProfile));
    }
}
