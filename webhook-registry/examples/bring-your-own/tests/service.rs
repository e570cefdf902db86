//! The three together, as a service would use them: no network, and no time passes.

use std::time::Duration;

use bring_your_own::{SmallStore, SpoolTransport, TokioClock};
use webhook_registry::{
    DeliveryStatus, DispatcherConfig, NewEndpoint, Webhooks, store::DeliveryQuery,
};
use webhook_testkit::{PlainSigner, SequenceIds};

/// The store knows no tenant shares: a tenant may have all attempts in flight.
fn config() -> DispatcherConfig {
    DispatcherConfig::new().tenant_share(DispatcherConfig::CONCURRENCY)
}

#[tokio::test(start_paused = true)]
async fn an_event_ends_as_a_signed_letter_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TokioClock::new();
    let webhooks = Webhooks::builder()
        .store(SmallStore::new(clock))
        .transport(SpoolTransport::into_folder(folder.path()))
        .signer(PlainSigner::new())
        .clock(clock)
        .dispatcher(config())
        .ids(SequenceIds::new())
        .build()
        .unwrap();

    webhooks
        .add_endpoint(NewEndpoint::new("https://billing.example/hooks").events(["invoice.*"]))
        .await
        .unwrap();
    let event = webhooks.publish_json("invoice.paid", &[42]).await.unwrap().event;
    webhooks.run_until_idle(None, std::future::pending()).await.unwrap();

    let letter = std::fs::read_to_string(folder.path().join(event.to_string())).unwrap();
    assert!(letter.starts_with("POST https://billing.example/hooks\r\n"), "{letter}");
    assert!(letter.contains("x-event-type: invoice.paid\r\n"), "{letter}");
    assert!(letter.contains("webhook-signature: v1,"), "{letter}");
    assert!(letter.ends_with("\r\n\r\n[42]"), "{letter}");
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_is_missing_is_our_own_fault_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("later");
    let clock = TokioClock::new();
    let webhooks = Webhooks::builder()
        .store(SmallStore::new(clock))
        .transport(SpoolTransport::into_folder(&missing))
        .signer(PlainSigner::new())
        .clock(clock)
        .dispatcher(config())
        .ids(SequenceIds::new())
        .build()
        .unwrap();

    webhooks
        .add_endpoint(NewEndpoint::new("https://billing.example/hooks").retry("none"))
        .await
        .unwrap();
    webhooks.publish_json("invoice.paid", &[42]).await.unwrap();
    webhooks.run_until_idle(Some(Duration::from_secs(1)), std::future::pending()).await.unwrap();
    std::fs::create_dir(&missing).unwrap();
    webhooks.run_until_idle(None, std::future::pending()).await.unwrap();

    let delivery =
        webhooks.operator().deliveries(DeliveryQuery::new()).await.unwrap().items.remove(0);
    assert_eq!((delivery.status, delivery.attempts), (DeliveryStatus::Success, 2));
}
