//! Progress on standard error, where that is a terminal.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::clock::Stopwatch;
use crate::import::feed::Reached;
use crate::output::{Output, thousands};

/// How often a bar is drawn anew while nothing happens.
const TICK: Duration = Duration::from_millis(200);

/// Bytes read of a file, and rows a second.
pub struct Bar {
    bar: ProgressBar,
    reached: Arc<Reached>,
    watch: Stopwatch,
}

impl Bar {
    /// Shows `reached` where `output` shows progress at all.
    pub fn new(output: Output, reached: Arc<Reached>) -> Self {
        let bar = hidden_unless(output, "{bar:30} {bytes}/{total_bytes}  {msg}  {elapsed}");
        Self { bar, reached, watch: Stopwatch::start() }
    }

    /// Draws the bar with `rows` rows read.
    pub fn show(&self, rows: u64) {
        let (bytes, total) = self.reached.get();
        self.bar.set_length(total.max(bytes));
        self.bar.set_position(bytes);
        let rate = rows as f64 / self.watch.seconds().max(1e-9);
        self.bar.set_message(format!("{} rows, {}/s", thousands(rows), thousands(rate as u64)));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A bar of steps with a message, for training and evaluation.
pub fn steps(output: Output) -> ProgressBar {
    let bar = hidden_unless(output, "{bar:30} {pos}/{len}  {msg}  {elapsed}");
    bar.enable_steady_tick(TICK);
    bar
}

fn hidden_unless(output: Output, template: &str) -> ProgressBar {
    if !output.shows_progress() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    // The templates are constants of this file; the plain style is as good where one has a slip.
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
