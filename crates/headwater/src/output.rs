//! What a command prints: a table for people, or exactly one JSON document for scripts.

use std::io::{IsTerminal as _, Write as _};

use miette::{IntoDiagnostic as _, Result};
use serde::Serialize;

/// Where and how the result of a command is printed.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
    quiet: bool,
}

impl Output {
    /// With `json`, one document on standard output and nothing else there; `quiet` hides progress.
    pub fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    /// Whether the result is a JSON document.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Whether nobody wants to hear of progress.
    pub fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Whether progress should be drawn: standard error is a terminal and nobody asked for silence.
    pub fn shows_progress(self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }

    /// Prints the result: `document` with `--json`, else what `text` gives.
    pub fn result(self, document: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        if self.json {
            let mut line = serde_json::to_string_pretty(document).into_diagnostic()?;
            line.push('\n');
            return write_out(&line);
        }
        let mut text = text();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        write_out(&text)
    }

    /// Says something on the way, on standard error.
    pub fn note(self, text: impl std::fmt::Display) {
        if !self.quiet {
            // A closed standard error is no reason to stop working.
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        }
    }
}

fn write_out(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // The reader has seen enough: `headwater models list | head -1`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.into_diagnostic(),
    }
}

/// A table with a header, its columns as wide as their widest cell; numbers stand to the right.
#[derive(Debug)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column names.
    pub fn new<'a>(header: impl IntoIterator<Item = &'a str>) -> Self {
        Self { header: header.into_iter().map(str::to_owned).collect(), rows: Vec::new() }
    }

    /// Adds a row; it has as many cells as the header.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table as text.
    pub fn render(&self) -> String {
        let columns = self.header.len();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.chain(&self.header[column..=column]).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let numeric = |column: usize| {
            let mut cells = self.rows.iter().filter_map(|row| row.get(column)).peekable();
            cells.peek().is_some() && cells.all(|cell| cell.replace(',', "").parse::<f64>().is_ok())
        };
        let layout: Vec<(usize, bool)> =
            (0..columns).map(|column| (width(column), numeric(column))).collect();
        let mut out = String::new();
        for row in std::iter::once(&self.header).chain(&self.rows) {
            let cells: Vec<String> = row
                .iter()
                .zip(&layout)
                .map(
                    |(cell, (width, right))| {
                        if *right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
                    },
                )
                .collect();
            out.push_str(cells.join("  ").trim_end());
            out.push('\n');
        }
        out
    }
}

/// 1234567 as `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number with what it counts: `1 file`, `1,200 files`.
pub fn counted(number: u64, one: &str) -> String {
    format!("{} {one}{}", thousands(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right_and_words_to_the_left() {
        let mut table = Table::new(["name", "events", "day"]);
        table.row(["a".to_owned(), "5".to_owned(), "2026-11-24".to_owned()]);
        table.row(["longer".to_owned(), "1,200".to_owned(), "today".to_owned()]);
        assert_eq!(
            table.render(),
            "name    events  day\na            5  2026-11-24\nlonger   1,200  today\n"
        );
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 1, 1_000].map(|number| counted(number, "file")), ["0 files", "1 file", "1,000 files"]);
    }
}
