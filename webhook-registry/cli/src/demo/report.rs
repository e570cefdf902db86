//! Messages of the demo while it runs.

use std::{path::Path, time::Instant};

use http::StatusCode;
use webhook_registry::Deliveries;

use super::{
    expectations::{Check, Record},
    script::{EVENTS, ScriptedReceiver},
};
use crate::{error::Error, escape::harmless, output::Output};

/// Prints progress for people. With `--json` only the records are printed.
#[derive(Clone, Copy)]
pub(super) struct DemoReport {
    output: Output,
    began: Instant,
}

impl DemoReport {
    pub(super) fn begin(output: Output) -> Self {
        Self { output, began: Instant::now() }
    }

    pub(super) fn opening(self, file: &Path, is_temporary: bool) -> Result<(), Error> {
        let fate = if is_temporary { "removed at the end; --keep DIR keeps it" } else { "kept" };
        self.output.message(&format!("A fresh database: {} ({fate}).", file.display()))?;
        self.output.message("\nFour receivers on this machine, each registered as an endpoint:\n")
    }

    pub(super) fn registered(self, script: &ScriptedReceiver) -> Result<(), Error> {
        let filters = script.filters.join(", ");
        self.output
            .message(&format!("  {:<9}wants {filters:<24}{}", script.name, script.behaviour_text))
    }

    pub(super) fn publishing(self) -> Result<(), Error> {
        let count = EVENTS.len();
        self.output.message(&format!(
            "\n{count} events, stored with a delivery for each endpoint that wants them:\n"
        ))
    }

    pub(super) fn published(self, event_type: &str, deliveries: Deliveries) -> Result<(), Error> {
        let count = match deliveries {
            Deliveries::Routed(0) => "nobody wants it".to_owned(),
            Deliveries::Routed(1) => "1 delivery".to_owned(),
            Deliveries::Routed(count) => format!("{count} deliveries"),
            Deliveries::Later => "to be routed".to_owned(),
            Deliveries::AlreadyPublished => "published before".to_owned(),
        };
        self.output.message(&format!("  {event_type:<23}{count}"))
    }

    pub(super) fn delivering(self) -> Result<(), Error> {
        self.output.message(
            "\nNow they are sent: 3 attempts each, half a second for an answer, 200 and 400 ms between\n\
             (in production: 10 attempts over three days). What the receivers see:\n",
        )
    }

    /// Prints a request that a receiver has seen. The receiver cannot return an error, so it is
    /// dropped.
    pub(super) fn received(
        self,
        script: &ScriptedReceiver,
        event_type: &str,
        time: u32,
        status: Option<StatusCode>,
        verified: bool,
    ) {
        let at = self.began.elapsed().as_secs_f32();
        let answer = status.map_or("no answer".to_owned(), |status| status.as_u16().to_string());
        let signature = if verified { "signature verified" } else { "SIGNATURE WRONG" };
        let (name, event_type) = (script.name, harmless(event_type));
        let _ = self.output.message(&format!(
            "  {at:5.2} s  {name:<9}{event_type:<23}attempt {time}  {signature}  {answer}"
        ));
    }

    pub(super) fn table(self, records: &[Record]) -> Result<(), Error> {
        self.output.message("\nWhat the database has on record, a line for each delivery:\n")?;
        self.output.list(records)
    }

    pub(super) fn checks(self, checks: &[Check]) -> Result<(), Error> {
        self.output.message("\nIs all of this as it should be?\n")?;
        for check in checks {
            let mark = if check.holds { "yes" } else { "NO " };
            self.output.message(&format!("  {mark}  {}", check.text))?;
        }
        Ok(())
    }

    pub(super) fn closing(self, kept: Option<&Path>) -> Result<(), Error> {
        let seconds = self.began.elapsed().as_secs_f32();
        self.output.message(&format!("\nDone in {seconds:.1} s."))?;
        let Some(file) = kept else { return Ok(()) };
        let file = file.display();
        self.output.message(&format!("Look around: webhook --db sqlite://{file} delivery list"))
    }
}
