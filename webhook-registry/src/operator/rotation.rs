//! A new secret for an endpoint, without a moment in which its receiver trusts nothing.

use std::time::Duration;

use webhook_core::{EndpointId, Secret, Signing};

use super::Operator;
use crate::{error::EndpointError, new_endpoint::InvalidEndpoint, webhooks::Registered};

/// How to replace the secret of an endpoint.
///
/// Unless told otherwise a new one is made, and the former ones sign beside it for a day.
///
/// ```
/// use webhook_registry::Rotation;
///
/// // The secret has leaked: from now on nothing is signed with it.
/// let at_once = Rotation::new().overlap(std::time::Duration::ZERO);
/// # let _ = at_once;
/// ```
#[derive(Clone, Debug)]
pub struct Rotation {
    secret: Option<Secret>,
    overlap: Duration,
}

impl Rotation {
    /// A new secret, and a day in which the former ones sign as well.
    pub const fn new() -> Self {
        Self { secret: None, overlap: Signing::OVERLAP }
    }

    /// Takes this secret instead of a new one.
    #[must_use]
    pub fn secret(mut self, secret: Secret) -> Self {
        self.secret = Some(secret);
        self
    }

    /// Sets for how long the former secrets go on signing: at most 7 days.
    #[must_use]
    pub const fn overlap(mut self, overlap: Duration) -> Self {
        self.overlap = overlap;
        self
    }
}

impl Default for Rotation {
    fn default() -> Self {
        Self::new()
    }
}

/// Secrets.
impl Operator<'_> {
    /// Replaces the secret of an endpoint, and answers the new one, to be shown to its owner once.
    /// The next attempt of every delivery signs with it, in every process, and with the former ones
    /// until the overlap is over: bring it to the receiver meanwhile.
    ///
    /// An endpoint without a secret signs from now on.
    ///
    /// # Errors
    ///
    /// [`EndpointError::Invalid`] when the secret does not serve the endpoint's profiles, the
    /// overlap is too long or five secrets sign already; [`EndpointError::Stale`] when the endpoint
    /// was changed meanwhile, [`EndpointError::NotFound`] when it is gone.
    pub async fn rotate_secret(
        &self,
        id: EndpointId,
        rotation: Rotation,
    ) -> Result<Registered, EndpointError> {
        let endpoint = self.endpoint(id).await?;
        let secret = match rotation.secret {
            Some(secret) => secret,
            None => self.engine.signer.generate_secret()?,
        };
        let now = self.engine.clock.now();
        let signing = endpoint
            .signing
            .rotated(secret.clone(), now, rotation.overlap)
            .map_err(InvalidEndpoint::Signing)?;
        let endpoint = self.store(endpoint.with_signing(signing)).await?;
        Ok(Registered { endpoint, secret: Some(secret) })
    }
}
