//! Who plays, what happens, and how it has to end.

use webhook_registry::DeliveryStatus::{self, Failed, Pending, Success};

/// How a receiver behaves.
#[derive(Clone, Copy, Debug)]
pub(super) enum Manner {
    /// Always 200.
    Healthy,
    /// 503 to the first two attempts of each event, then 200.
    Shaky,
    /// 410: wants nothing more.
    Gone,
    /// Takes the request and never answers.
    Silent,
}

/// A receiver, and what becomes of its deliveries.
#[derive(Debug)]
pub(super) struct Role {
    pub(super) name: &'static str,
    pub(super) manner: Manner,
    /// What it does, for the story.
    pub(super) habit: &'static str,
    pub(super) filters: &'static [&'static str],
    pub(super) max_in_flight: u32,
    /// Its state at the end.
    pub(super) state: &'static str,
    /// Its deliveries at the end, by status and number of attempts.
    pub(super) ends: &'static [(DeliveryStatus, u32, usize)],
}

pub(super) static CAST: [Role; 4] = [
    Role {
        name: "billing",
        manner: Manner::Healthy,
        habit: "always answers 200",
        filters: &["invoice.*", "payment.**"],
        max_in_flight: 4,
        state: "active",
        ends: &[(Success, 1, 4)],
    },
    Role {
        name: "crm",
        manner: Manner::Shaky,
        habit: "answers 503 twice, then 200",
        filters: &["customer.*"],
        max_in_flight: 4,
        state: "active",
        ends: &[(Success, 3, 3)],
    },
    // One at a time, so that its first 410 is the only one.
    Role {
        name: "legacy",
        manner: Manner::Gone,
        habit: "answers 410: do not call again",
        filters: &["order.*"],
        max_in_flight: 1,
        state: "disabled-gone",
        ends: &[(Failed, 1, 1), (Pending, 0, 2)],
    },
    Role {
        name: "archive",
        manner: Manner::Silent,
        habit: "takes the request and never answers",
        filters: &["invoice.paid", "report.*"],
        max_in_flight: 4,
        state: "active",
        ends: &[(Failed, 3, 2)],
    },
];

/// A dozen events. The last one is for nobody.
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
