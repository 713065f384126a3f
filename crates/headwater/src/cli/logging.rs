//! Structured logs on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging by this filter; one that cannot be read falls back to `info` and says so.
pub fn start(filter: &str) {
    // Levels by target, not the richer filter by span: that one brings a regular expression engine.
    let parsed = filter.parse::<Targets>();
    let problem = parsed.as_ref().err().map(ToString::to_string);
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let targets = parsed.unwrap_or_else(|_| Targets::new().with_default(tracing::Level::INFO));
    let started = tracing_subscriber::registry().with(lines).with(targets).try_init();
    // Tests run several commands in one process; the first one's subscriber stays.
    if started.is_ok()
        && let Some(problem) = problem
    {
        tracing::warn!(filter, %problem, "the log filter cannot be read; using `info`");
    }
}
