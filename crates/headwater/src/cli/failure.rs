//! How a command fails: with an exit code, and a report that says what to do next.

use std::io::Write as _;
use std::process::ExitCode;

use headwater_registry::RegistryError;
use miette::{Report, miette};
use serde_json::json;

/// A command that did not work.
#[derive(Debug)]
pub struct Failure {
    exit: u8,
    report: Report,
}

impl From<Report> for Failure {
    fn from(report: Report) -> Self {
        Self { exit: 1, report }
    }
}

/// The command was asked wrongly: exit code 2.
pub fn usage(message: impl std::fmt::Display, help: &str) -> Failure {
    Failure { exit: 2, report: miette!(code = "usage", help = help, "{message}") }
}

/// An error of a crate below, with what to do about it.
pub fn failed(code: &'static str, error: impl std::fmt::Display, help: &str) -> Failure {
    Failure { exit: 1, report: miette!(code = code, help = help, "{error}") }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        let help = match &error {
            RegistryError::UnknownModel { .. } => "`headwater models list` shows what is registered",
            RegistryError::UnknownVersion { .. } => "`headwater models list` shows the versions",
            RegistryError::Damaged { .. } => "restore the file from a backup, or promote another version",
            RegistryError::Invalid(_) => return usage(error, "see --help for what is accepted"),
            _ => "look at the data folder named by --data-dir: does it exist, and may this user write there?",
        };
        failed("registry", error, help)
    }
}

impl Failure {
    /// Prints the report on standard error, and with `json` a document on standard output; gives the exit code.
    pub fn report(self, json: bool) -> ExitCode {
        // Where the streams are closed there is nobody to tell; the exit code still says it.
        let _ = writeln!(std::io::stderr().lock(), "{:?}", self.report);
        if json {
            let _ = writeln!(std::io::stdout().lock(), "{:#}", self.document());
        }
        ExitCode::from(self.exit)
    }

    fn document(&self) -> serde_json::Value {
        let text = |value: Option<Box<dyn std::fmt::Display + '_>>| value.map(|value| value.to_string());
        let problems: Vec<String> = self
            .report
            .labels()
            .into_iter()
            .flatten()
            .filter_map(|label| label.label().map(str::to_owned))
            .collect();
        json!({
            "error": {
                "code": text(self.report.code()).unwrap_or_else(|| "failed".to_owned()),
                "message": self.report.chain().map(ToString::to_string).collect::<Vec<_>>().join(": "),
                "problems": problems,
                "help": text(self.report.help()),
            }
        })
    }
}
