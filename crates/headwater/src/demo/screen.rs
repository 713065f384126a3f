//! The live view of a run: a table drawn over itself on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

/// Between two lines where there is no terminal.
const QUIET: Duration = Duration::from_secs(5);

/// Where the live view goes: standard error, so that the result alone is on standard output.
#[derive(Debug)]
pub struct Screen {
    shown: bool,
    terminal: bool,
    drawn: usize,
    last: Option<Duration>,
}

impl Screen {
    /// A screen; nothing is drawn unless `shown`.
    pub fn new(shown: bool) -> Self {
        Self { shown, terminal: std::io::stderr().is_terminal(), drawn: 0, last: None }
    }

    /// Says one thing that stays.
    pub fn say(&mut self, text: &str) {
        self.write(&format!("{text}\n"));
        self.drawn = 0;
    }

    /// Draws the table in place of the last one, or says `line` where there is no terminal and it is time again.
    pub fn draw(&mut self, at: Duration, line: &str, table: &str) {
        if self.terminal {
            let up = if self.drawn > 0 { format!("\x1b[{}A\x1b[J", self.drawn) } else { String::new() };
            self.write(&format!("{up}{table}"));
            self.drawn = table.lines().count();
        } else if self.last.is_none_or(|last| at.saturating_sub(last) >= QUIET) {
            self.last = Some(at);
            self.write(&format!("{line}\n"));
        }
    }

    fn write(&self, text: &str) {
        if self.shown {
            // A closed standard error is no reason to stop.
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        }
    }
}

/// Numbers as bars of eight heights, the tallest for `top`.
pub fn bars(values: &[f64], top: f64) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let bar = |value: &f64| BARS[((value / top.max(1e-9) * 7.0).round() as usize).min(7)];
    values.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_reach_from_nothing_to_the_top() {
        assert_eq!(bars(&[0.0, 0.5, 1.0, 2.0], 1.0), "▁▅██");
        assert_eq!(bars(&[0.0], 0.0), "▁");
    }
}
