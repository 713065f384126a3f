//! The time that the calling thread was on a core: what "on one core" means on a machine with other work to do.

use crate::bench::BenchError;
use crate::clock::Stopwatch;

/// Runs from its start.
pub(in crate::bench) struct CoreTime {
    nanoseconds: u64,
    clock: Stopwatch,
}

impl CoreTime {
    pub(in crate::bench) fn start() -> Result<Self, BenchError> {
        Ok(Self { nanoseconds: on_core()?, clock: Stopwatch::start() })
    }

    /// Seconds on a core, and by the clock.
    pub(in crate::bench) fn seconds(&self) -> Result<(f64, f64), BenchError> {
        let clock = self.clock.seconds();
        Ok(((on_core()? - self.nanoseconds) as f64 / 1e9, clock))
    }
}

fn on_core() -> Result<u64, BenchError> {
    let path = "/proc/thread-self/schedstat";
    let text = std::fs::read_to_string(path).map_err(BenchError::io(format!("reading {path}")))?;
    let first = text.split_ascii_whitespace().next().and_then(|number| number.parse().ok());
    first.ok_or_else(|| BenchError::Answer(format!("{path} says {text:?}")))
}

/// A line of the process's status in bytes: `VmRSS`, `VmHWM`.
pub(super) fn memory(name: &str) -> Result<f64, BenchError> {
    let path = "/proc/self/status";
    let bytes = headwater_training::memory::line(path, name).map(|bytes| bytes as f64);
    bytes.ok_or_else(|| BenchError::Answer(format!("{path} says nothing of {name}")))
}

/// Begins the peak (`VmHWM`) anew.
pub(super) fn forget_peak() -> Result<(), BenchError> {
    std::fs::write("/proc/self/clear_refs", "5").map_err(BenchError::io("writing /proc/self/clear_refs"))
}
