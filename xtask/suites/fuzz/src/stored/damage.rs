//! What an input does to the rows.

use webhook_store_seaorm::sea_orm::Value;

/// Tables, the columns in them that get other values, and which row.
const COLUMNS: [(&str, &str, &[&str]); 6] = [
    ("tenants", "id = 'acme'", &["version", "restricted_until"]),
    (
        "endpoints",
        "id = x'00000000000000000000000000000001'",
        &[
            "url",
            "filters",
            "signing_keys",
            "profiles",
            "headers",
            "timeout_ms",
            "retry",
            "max_in_flight",
            "rate",
            "order_policy",
            "description",
            "external_id",
            "metadata",
            "state",
            "revision",
            "created_at",
            "removed_at",
            "health",
            "cools_down_until",
            "rate_used",
            "tenant",
            "id",
        ],
    ),
    (
        "events",
        "tenant = 'acme'",
        &[
            "event_type",
            "occurred_at",
            "content_type",
            "body",
            "event_key",
            "ordering_key",
            "created_at",
            "route_due_at",
        ],
    ),
    (
        "deliveries",
        "event_id = x'00000000000000000000000000000001'",
        &[
            "event_type",
            "url",
            "status",
            "epoch",
            "attempts",
            "recorded",
            "budget_from",
            "forgiven",
            "cause",
            "due_at",
            "claimed_at",
            "claimed_before",
            "claimed_by",
            "last_error",
            "created_at",
            "finished_at",
            "tenant",
            "event_id",
        ],
    ),
    (
        "attempts",
        "event_id = x'00000000000000000000000000000001'",
        &[
            "number",
            "triggered_by",
            "epoch",
            "started_at",
            "duration_ms",
            "status",
            "failure_kind",
            "failure_text",
            "response_body",
        ],
    ),
    ("notices", "tenant = 'acme'", &["id", "noticed_at", "endpoint_id", "kind"]),
];

/// Maximum number of values that one input sets.
const MAX_DAMAGED_VALUES: usize = 8;

/// One column gets one value.
pub(super) struct Damage<'a> {
    pub(super) table: &'static str,
    pub(super) column: &'static str,
    pub(super) row: &'static str,
    kind: u8,
    value: &'a [u8],
}

impl Damage<'_> {
    /// How the value stands in a statement: text may hold what is no UTF-8.
    pub(super) const fn spelled(&self) -> &'static str {
        if self.kind == 4 { "CAST(? AS TEXT)" } else { "?" }
    }

    pub(super) fn value(&self) -> Value {
        match self.kind {
            0 => Value::String(None),
            1 => self.number().into(),
            2 => String::from_utf8_lossy(self.value).into_owned().into(),
            3 | 4 => self.value.to_vec().into(),
            _ => f64::from_bits(self.number().cast_unsigned()).into(),
        }
    }

    fn number(&self) -> i64 {
        let mut bytes = [0; 8];
        bytes.iter_mut().zip(self.value).for_each(|(to, from)| *to = *from);
        i64::from_le_bytes(bytes)
    }
}

/// Column, kind and length in a byte each, then the value; and again.
pub(super) fn damages(data: &[u8]) -> impl Iterator<Item = Damage<'_>> {
    let mut rest = data;
    let next = move || {
        let (&[column, kind, len], tail) = rest.split_first_chunk()?;
        let (value, tail) = tail.split_at(usize::from(len).min(tail.len()));
        rest = tail;
        let (table, row, column) = place(column);
        Some(Damage { table, column, row, kind: kind % 6, value })
    };
    std::iter::from_fn(next).take(MAX_DAMAGED_VALUES)
}

fn place(number: u8) -> (&'static str, &'static str, &'static str) {
    let all = COLUMNS.iter().flat_map(|(table, row, columns)| {
        columns.iter().map(move |column| (*table, *row, *column))
    });
    let count = COLUMNS.iter().map(|(_, _, columns)| columns.len()).sum::<usize>();
    let mut wanted = all.skip(usize::from(number) % count);
    wanted.next().expect("less than there are")
}
