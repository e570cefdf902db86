//! The pure steps of a delivery, each alone: what they cost is what the rest cannot make up for.
//!
//! Two of them are measured by the nearest thing that is public: the verdict on an address by
//! `Transport::accepts`, which asks the guard about a URL's literal one; and reading rows by a page of the
//! log on SQLite, a hundred deliveries in one call.

mod steps;

use std::{fs, path::Path, time::Duration};

use criterion::Criterion;

use crate::{
    Failure,
    options::Options,
    report::{Report, Table},
};

/// Measures each step, and shows the median.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let (warm_up, time) = if options.short { (10, 20) } else { (200, 800) };
    let (fixture, folder) = (steps::StepFixture::set().await?, tempfile::tempdir()?);
    let output = folder.path().to_owned();
    // What is measured blocks, and a step may wait for a database.
    let names = tokio::task::spawn_blocking(move || {
        let mut criterion = Criterion::default()
            .without_plots()
            .output_directory(&output)
            .sample_size(20)
            .nresamples(2_000)
            .warm_up_time(Duration::from_millis(warm_up))
            .measurement_time(Duration::from_millis(time));
        fixture.run(&mut criterion)
    });
    let mut table = Table::new("steps, 20 samples each", &["ns", "a second"]);
    for name in names.await?? {
        let nanos = median_of(&folder.path().join(name))?;
        table.row(name, &[nanos, 1e9 / nanos]);
    }
    report.add(table);
    Ok(())
}

/// The median that criterion wrote down for a step, in nanoseconds.
fn median_of(folder: &Path) -> Result<f64, Failure> {
    let text = fs::read_to_string(folder.join("new").join("estimates.json"))?;
    let estimates: serde_json::Value = serde_json::from_str(&text)?;
    let median = estimates.pointer("/median/point_estimate").and_then(serde_json::Value::as_f64);
    median.ok_or_else(|| "criterion wrote no median".into())
}
