//! A [mockall](https://docs.rs/mockall) mock of every port, for those who prefer expectations to
//! fakes.
//!
//! ```
//! use webhook_core::{Clock, Timestamp};
//! use webhook_testkit::mock::MockClock;
//!
//! let mut clock = MockClock::new();
//! clock.expect_now().return_const(Timestamp::from_unix_secs(7));
//! assert_eq!(clock.now(), Timestamp::from_unix_secs(7));
//! ```

#![allow(missing_docs, reason = "generated; the ports themselves are documented")]

mod store;

use std::time::Duration;

use async_trait::async_trait;
use mockall::mock;
use uuid::Uuid;
use webhook_core::{
    Clock, EndpointTls, EndpointUrl, Ids, Timestamp,
    signing::{Signer, SignerError},
    store::{SecretVault, VaultError},
    transport::{Request, Response, Transport, TransportError},
};
use zeroize::Zeroizing;

pub use store::{MockStore, MockStoreCalls};

mock! {
    /// A mock of [`Transport`].
    #[derive(Debug)]
    pub Transport {}

    #[async_trait]
    impl Transport for Transport {
        async fn send(&self, request: Request) -> Result<Response, TransportError>;
        fn accepts(&self, url: &EndpointUrl) -> Result<(), TransportError>;
        fn accepts_tls(&self, tls: &EndpointTls) -> Result<(), TransportError>;
    }
}

mock! {
    /// A mock of [`Signer`].
    #[derive(Debug)]
    pub Signer {}

    impl Signer for Signer {
        fn hmac_sha256<'a>(&self, key: &[u8], content: &[&'a [u8]]) -> Result<[u8; 32], SignerError>;
        fn verify_hmac_sha256<'a>(&self, key: &[u8], content: &[&'a [u8]], tag: &[u8]) -> bool;
        fn fill_random(&self, bytes: &mut [u8]) -> Result<(), SignerError>;
    }
}

mock! {
    /// A mock of [`SecretVault`].
    #[derive(Debug)]
    pub SecretVault {}

    impl SecretVault for SecretVault {
        fn seal(&self, plain: &[u8], context: &[u8]) -> Result<String, VaultError>;
        fn open(&self, sealed: &str, context: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError>;
        fn is_current(&self, sealed: &str) -> bool;
    }
}

mock! {
    /// A mock of [`Clock`].
    #[derive(Debug)]
    pub Clock {}

    #[async_trait]
    impl Clock for Clock {
        fn now(&self) -> Timestamp;
        fn monotonic(&self) -> Duration;
        async fn sleep(&self, wait: Duration);
    }
}

mock! {
    /// A mock of [`Ids`].
    #[derive(Debug)]
    pub Ids {}

    impl Ids for Ids {
        fn next_id(&self) -> Uuid;
    }
}
