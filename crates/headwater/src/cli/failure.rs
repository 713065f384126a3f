//! How a command fails: with an exit code, and a report that says what to do next.

use std::io::Write as _;
use std::process::ExitCode;

use headwater_base::ErrorKind;
use headwater_features::FeaturesError;
use headwater_log::LogError;
use headwater_log::archive::ArchiveError;
use headwater_registry::RegistryError;
use headwater_training::TrainingError;
use miette::{Report, miette};
use serde_json::json;

use crate::erasure::ErasureError;
use crate::export::ExportError;
use crate::import::ImportError;
use crate::platform::PlatformError;

/// Exit code of a command that a signal stopped.
const INTERRUPTED: u8 = 130;

/// A command that did not work.
#[derive(Debug)]
pub struct Failure {
    exit: u8,
    report: Report,
    /// Whether standard output already has its document.
    printed: bool,
}

impl From<Report> for Failure {
    fn from(report: Report) -> Self {
        Self { exit: 1, report, printed: false }
    }
}

/// The command was asked wrongly: exit code 2.
pub fn usage(message: impl std::fmt::Display, help: &str) -> Failure {
    Failure { exit: 2, report: miette!(code = "usage", help = help, "{message}"), printed: false }
}

/// A signal stopped the command.
pub fn interrupted(message: impl std::fmt::Display, help: &str) -> Failure {
    Failure {
        exit: INTERRUPTED,
        report: miette!(code = "interrupted", help = help, "{message}"),
        printed: false,
    }
}

/// An error of a crate below, with what to do about it.
pub fn failed(code: &'static str, error: impl std::fmt::Display, help: &str) -> Failure {
    Failure { exit: 1, report: miette!(code = code, help = help, "{error}"), printed: false }
}

/// The command worked and printed its result, which is a bad one: exit code 1, and no other document.
pub fn found_wrong(message: impl std::fmt::Display, help: &str) -> Failure {
    Failure { exit: 1, report: miette!(code = "found_wrong", help = help, "{message}"), printed: true }
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

/// What to do about an error of this kind where nothing more is known.
fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Caller => "mend what was given and run the command again",
        ErrorKind::Retry => "try again",
        ErrorKind::Report => "nothing was changed by this; look at the disk and at the log above",
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        let (code, help) = match &error {
            LogError::Locked { .. } => (
                "locked",
                "a server or another command works on this data folder: stop it, send events to it over HTTP (POST /v1/events), or use another folder with --data-dir",
            ),
            LogError::Damaged { .. } => {
                ("damaged", "restore the file from a backup; events before the damage can still be exported")
            }
            LogError::NewerFormat { .. } => {
                ("newer_format", "use the newer version of Headwater that wrote it")
            }
            other => ("log", advice(other.kind())),
        };
        failed(code, error, help)
    }
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        let help = match &error {
            ArchiveError::Log(error) => return error.clone().into(),
            ArchiveError::Busy { .. } => {
                "a server or another command is archiving: run this again when it is done"
            }
            ArchiveError::Ahead { .. } => {
                "name the folder that belongs to this log in `archive.folder`, or an empty one"
            }
            ArchiveError::Damaged { .. } => "restore the file from a backup; others can still be read",
            ArchiveError::NewerFormat { .. } => "use the newer version of Headwater that wrote it",
            other => advice(other.kind()),
        };
        failed("archive", error, help)
    }
}

impl From<PlatformError> for Failure {
    fn from(error: PlatformError) -> Self {
        match error {
            PlatformError::Log(error) | PlatformError::Views(FeaturesError::Log(error)) => error.into(),
            PlatformError::Registry(error) => error.into(),
            PlatformError::Archive(error) => error.into(),
            PlatformError::Erasure(error) => error.into(),
            PlatformError::Folder { .. } => {
                failed("data_dir", error, "choose a folder that this user may write to, with --data-dir DIR")
            }
            other => failed("platform", &other, advice(other.kind())),
        }
    }
}

impl From<ErasureError> for Failure {
    fn from(error: ErasureError) -> Self {
        match error {
            ErasureError::Log(error) | ErasureError::Views(FeaturesError::Log(error)) => error.into(),
            other => failed(
                "erasure",
                &other,
                "the users are out of every answer, but not out of all files: see to what is said above, and run `headwater erase` to go on",
            ),
        }
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Log(error) => error.into(),
            ImportError::Columns(_) => usage(error, "see `headwater import --help`"),
            ImportError::Interrupted => interrupted(error, "run the same command to go on"),
            other => failed("import", &other, advice(other.kind())),
        }
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Log(error) => error.into(),
            ExportError::Examples(error) => error.into(),
            ExportError::Archive(error) => error.into(),
            other => failed("export", &other, advice(other.kind())),
        }
    }
}

impl From<TrainingError> for Failure {
    fn from(error: TrainingError) -> Self {
        match error {
            TrainingError::Log(error) => error.into(),
            TrainingError::Invalid(invalid) => usage(invalid, "see --help for what is accepted"),
            other => failed("training", &other, advice(other.kind())),
        }
    }
}

impl Failure {
    /// A signal stopped the command; what it did until then stays.
    pub fn interrupted(message: &str) -> Self {
        let report = miette!(code = "interrupted", help = "run the same command to go on", "{message}");
        Self { exit: INTERRUPTED, report, printed: false }
    }

    /// Prints the report on standard error, and with `json` a document on standard output; gives the exit code.
    pub fn report(self, json: bool) -> ExitCode {
        // Where the streams are closed there is nobody to tell; the exit code still says it.
        let _ = writeln!(std::io::stderr().lock(), "{:?}", self.report);
        if json && !self.printed {
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
