//! Receivers and events of the demo, with the expected results.

use webhook_registry::DeliveryStatus::{self, Failed, Pending, Success};

/// Behaviour of a receiver.
#[derive(Clone, Copy, Debug)]
pub(super) enum Behaviour {
    /// Always 200.
    Healthy,
    /// 503 to the first two attempts of each event, then 200.
    Shaky,
    /// 410: wants no more events.
    Gone,
    /// Takes the request and never answers.
    Silent,
}

/// A receiver, and the expected results of its deliveries.
#[derive(Debug)]
pub(super) struct ScriptedReceiver {
    pub(super) name: &'static str,
    pub(super) behaviour: Behaviour,
    /// Text of the behaviour, for the report.
    pub(super) behaviour_text: &'static str,
    pub(super) filters: &'static [&'static str],
    pub(super) max_in_flight: u32,
    /// Expected state of its endpoint at the end.
    pub(super) state: &'static str,
    /// Expected number of deliveries at the end, by status and number of attempts.
    pub(super) ends: &'static [(DeliveryStatus, u32, usize)],
}

pub(super) static RECEIVERS: [ScriptedReceiver; 4] = [
    ScriptedReceiver {
        name: "billing",
        behaviour: Behaviour::Healthy,
        behaviour_text: "always answers 200",
        filters: &["invoice.*", "payment.**"],
        max_in_flight: 4,
        state: "active",
        ends: &[(Success, 1, 4)],
    },
    ScriptedReceiver {
        name: "crm",
        behaviour: Behaviour::Shaky,
        behaviour_text: "answers 503 twice, then 200",
        filters: &["customer.*"],
        max_in_flight: 4,
        state: "active",
        ends: &[(Success, 3, 3)],
    },
    // One at a time, so that its first 410 is the only one.
    ScriptedReceiver {
        name: "legacy",
        behaviour: Behaviour::Gone,
        behaviour_text: "answers 410: do not call again",
        filters: &["order.*"],
        max_in_flight: 1,
        state: "disabled-gone",
        ends: &[(Failed, 1, 1), (Pending, 0, 2)],
    },
    ScriptedReceiver {
        name: "archive",
        behaviour: Behaviour::Silent,
        behaviour_text: "takes the request and never answers",
        filters: &["invoice.paid", "report.*"],
        max_in_flight: 4,
        state: "active",
        ends: &[(Failed, 3, 2)],
    },
];

/// Types and bodies of the events. No endpoint wants the last one.
pub(super) const EVENTS: [(&str, &str); 12] = [
    ("invoice.created", r#"{"invoice":"in_1","amount":"120.50","currency":"EUR"}"#),
    ("invoice.paid", r#"{"invoice":"in_1","paid_by":"Zoë Müller"}"#),
    ("invoice.voided", r#"{"invoice":"in_2","reason":"duplicate"}"#),
    ("payment.card.captured", r#"{"payment":"pay_7","amount":"120.50"}"#),
    ("customer.created", r#"{"customer":"cus_1","name":"Zoë Müller"}"#),
    ("customer.updated", r#"{"customer":"cus_1","city":"København"}"#),
    ("customer.deleted", r#"{"customer":"cus_2"}"#),
    ("order.placed", r#"{"order":"or_1","items":3}"#),
    ("order.shipped", r#"{"order":"or_1","parcels":1}"#),
    ("order.returned", r#"{"order":"or_1","items":1}"#),
    ("report.ready", r#"{"report":"2026-Q1","pages":12}"#),
    ("user.signed_in", r#"{"user":"u_1"}"#),
];
