//! What is wrong with the settings, pointing at the place in the file.

use std::ops::Range;

use headwater_base::Invalid;
use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode};
use thiserror::Error;

/// One thing wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: bytes of the file; `None` for an override, which has no file.
    pub span: Option<Range<usize>>,
    /// What, naming the key by its full path.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

impl Problem {
    /// A problem at `span`.
    pub fn at(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span: Some(span), message: message.into(), help: None }
    }

    /// The same problem with advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Settings that cannot be used: every problem found, each shown in its place.
#[derive(Debug, Error)]
#[error("{name} has {}", count(.problems.len()))]
pub struct InvalidSettings {
    name: String,
    source_code: NamedSource<String>,
    problems: Vec<Problem>,
}

fn count(problems: usize) -> String {
    if problems == 1 { "a problem".to_owned() } else { format!("{problems} problems") }
}

impl InvalidSettings {
    /// `name` is how the file is called in the report; `text` is what it held.
    pub fn new(name: &str, text: &str, problems: Vec<Problem>) -> Self {
        Self { name: name.to_owned(), source_code: NamedSource::new(name, text.to_owned()), problems }
    }

    /// What is wrong.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl Diagnostic for InvalidSettings {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new("invalid_settings"))
    }

    fn severity(&self) -> Option<Severity> {
        Some(Severity::Error)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        let mut lines: Vec<&str> =
            self.problems.iter().filter_map(|problem| problem.help.as_deref()).collect();
        lines.dedup();
        if lines.is_empty() { None } else { Some(Box::new(lines.join("\n"))) }
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.problems.iter().any(|problem| problem.span.is_some()).then_some(&self.source_code)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let labels = self.problems.iter().filter_map(|problem| {
            let span = problem.span.clone()?;
            Some(LabeledSpan::new(Some(problem.message.clone()), span.start, span.len()))
        });
        Some(Box::new(labels))
    }
}

/// What a crate below refused, as it is said beside the key at fault.
pub(super) fn sentence(invalid: &Invalid) -> String {
    if invalid.value.is_empty() {
        format!("expected {}", invalid.expected)
    } else {
        format!("`{}` cannot be used; expected {}", invalid.value, invalid.expected)
    }
}
