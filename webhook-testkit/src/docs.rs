//! Guides. Each example in them is compiled and run with the tests of this crate.
//!
//! | you want to | read |
//! |---|---|
//! | see what your service does when a receiver is down, gone, slow or rude | [`test_your_webhooks`] |
//! | know that nothing is lost whatever goes wrong at once | [`simulate_your_own`] |
//! | keep deliveries in another database | [`write_a_store`] |
//! | send by another HTTP client, or by no HTTP at all | [`write_a_transport`] |
//! | leave keys with a key service | [`write_a_signer`] |

pub mod test_your_webhooks {
    #![doc = include_str!("docs/test_your_webhooks.md")]
}

pub mod simulate_your_own {
    #![doc = include_str!("docs/simulate_your_own.md")]
}

pub mod write_a_store {
    #![doc = include_str!("docs/write_a_store.md")]
}

pub mod write_a_transport {
    #![doc = include_str!("docs/write_a_transport.md")]
}

pub mod write_a_signer {
    #![doc = include_str!("docs/write_a_signer.md")]
}
