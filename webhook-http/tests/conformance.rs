//! The adapters keep the contracts of their ports.

use std::sync::Arc;

use webhook_core::transport::Transport;
use webhook_http::HttpTransport;

struct HttpHarness;

impl webhook_testkit::TransportHarness for HttpHarness {
    #[expect(clippy::unwrap_used, reason = "a test without a transport has failed")]
    fn transport() -> Arc<dyn Transport> {
        Arc::new(HttpTransport::builder().dangerous_allow_private_addresses().build().unwrap())
    }
}

mod transport {
    webhook_testkit::transport_conformance!(super::HttpHarness);
}

mod signer {
    webhook_testkit::signer_conformance!(webhook_http::RingSigner);
}

mod vault {
    use webhook_http::{RingVault, VaultKey};

    #[expect(clippy::unwrap_used, reason = "a test without a key has failed")]
    fn key(letter: &str) -> VaultKey {
        format!("{}=", letter.repeat(43)).parse().unwrap()
    }

    webhook_testkit::vault_conformance!(
        RingVault::new(key("A")),
        RingVault::new(key("E")).with_former(key("A")),
        RingVault::new(key("E")),
    );
}
