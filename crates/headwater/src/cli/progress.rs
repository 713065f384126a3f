//! Progress on standard error, where that is a terminal.

use std::cell::{Cell, RefCell};
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

/// How often a rate is worked out.
const EVERY: u64 = 4096;

/// Events of a log read, and events a second.
pub struct Fold {
    bar: ProgressBar,
    what: &'static str,
    watch: Stopwatch,
    read: Cell<u64>,
    note: RefCell<String>,
}

impl Fold {
    /// For `total` of `what`.
    pub fn new(output: Output, total: u64, what: &'static str) -> Self {
        let bar = hidden_unless(output, "{bar:30} {percent}%  {msg}  {elapsed}");
        bar.set_length(total);
        Self { bar, what, watch: Stopwatch::start(), read: Cell::new(0), note: RefCell::default() }
    }

    /// One more was read.
    pub fn tick(&self) {
        self.add(1);
    }

    /// So many more were read.
    pub fn add(&self, count: u64) {
        let before = self.read.get();
        self.read.set(before + count);
        if before / EVERY == self.read.get() / EVERY || self.bar.is_hidden() {
            return;
        }
        self.bar.set_position(self.read.get());
        let (read, note) = (self.read.get(), self.note.borrow());
        self.bar.set_message(format!(
            "{} {}, {}/s{note}",
            thousands(read),
            self.what,
            thousands(self.rate())
        ));
    }

    /// What else there is to say.
    pub fn note(&self, note: impl FnOnce() -> String) {
        if !self.bar.is_hidden() {
            *self.note.borrow_mut() = format!(", {}", note());
        }
    }

    /// How many were read.
    pub fn read(&self) -> u64 {
        self.read.get()
    }

    /// How many a second.
    pub fn rate(&self) -> u64 {
        (self.read.get() as f64 / self.watch.seconds().max(1e-9)) as u64
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
