//! Structured logs on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use super::args::GlobalArgs;

/// Starts logging as the flags say; a filter that cannot be read falls back to `info` and says so.
pub fn start(global: &GlobalArgs) {
    let parsed = EnvFilter::try_new(&global.log);
    let problem = parsed.as_ref().err().map(ToString::to_string);
    let started = tracing_subscriber::fmt()
        .with_env_filter(parsed.unwrap_or_else(|_| EnvFilter::new("info")))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    // Tests run several commands in one process; the first one's subscriber stays.
    if started.is_ok()
        && let Some(problem) = problem
    {
        tracing::warn!(filter = %global.log, %problem, "the log filter cannot be read; using `info`");
    }
}
