//! Stalls of the machine: nothing goes on for a while, and no scenario has caused it.
//!
//! A worker that cannot record an attempt before its lease ends loses the delivery to another worker,
//! and the event is sent twice. A stall is therefore a fault that explains a repetition, like a fault
//! that a scenario causes. It never explains a loss.

use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::{ledger::now, verdict::Fault};

/// Shortest stall that may repeat an event: a worker has this long to record an attempt.
const MIN_STALL: Duration = Duration::from_secs(1);

/// Pause between two measurements.
const PULSE: Duration = Duration::from_millis(100);

/// Time after a stall within which its effects reach the receiver, in milliseconds.
const AFTERMATH_MS: u64 = 1_000;

/// Measures, on a thread of its own, whether a process is woken and a file is flushed in time.
#[derive(Debug)]
pub(crate) struct Stalls(Arc<Mutex<Vec<Fault>>>);

impl Stalls {
    /// Measures with this file until the result is dropped.
    pub(crate) fn measure(file: &Path) -> io::Result<Self> {
        let mut file = File::create(file)?;
        let faults = Arc::<Mutex<Vec<Fault>>>::default();
        let noted = Arc::downgrade(&faults);
        thread::spawn(move || {
            while let Some(faults) = noted.upgrade() {
                let (from, begin) = (now(), Instant::now());
                thread::sleep(PULSE);
                // A full disk is no stall.
                let _ = file.write_all(b".").and_then(|()| file.sync_data());
                if let Some(fault) = stall(from, begin.elapsed()) {
                    faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
                }
            }
        });
        Ok(Self(faults))
    }

    /// Stalls until now.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Fault of a measurement that began at `from` and took this long, if it was a stall.
fn stall(from: u64, took: Duration) -> Option<Fault> {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    (took >= MIN_STALL).then(|| Fault {
        cause: "stalled machine".to_owned(),
        event: None,
        victim: None,
        from,
        until: from.saturating_add(millis).saturating_add(AFTERMATH_MS),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_in_time_is_no_stall() {
        assert_eq!(stall(5, PULSE), None);
        assert_eq!(stall(5, MIN_STALL).map(|fault| (fault.from, fault.until)), Some((5, 2_005)));
    }
}
