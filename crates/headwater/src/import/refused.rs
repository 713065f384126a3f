//! What was refused: counted by reason, every row kept in a side file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use super::ImportError;
use super::feed::Refusal;

/// Refusals of one reason.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Reason {
    /// How many rows.
    pub rows: u64,
    /// Line of the first one.
    pub first_line: u64,
    /// What was wrong with the first one.
    pub example: String,
}

/// Everything that was refused.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Refused {
    /// How many rows.
    pub rows: u64,
    /// Why, by code.
    pub reasons: BTreeMap<&'static str, Reason>,
    /// Where the rows are kept, if there are any.
    pub file: Option<PathBuf>,
}

/// Counts refusals and writes them to a file that is made with the first one.
pub struct Refusals {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    reasons: BTreeMap<&'static str, Reason>,
    rows: u64,
}

impl Refusals {
    /// Refusals of the file `source`, kept as `refused/NAME.refused.jsonl` within `data_dir`. What an earlier import
    /// of the same name left there is removed.
    ///
    /// # Errors
    /// The earlier file cannot be removed.
    pub fn new(source: &Path, data_dir: &Path) -> Result<Self, ImportError> {
        let name = source.file_name().map_or_else(|| "import".into(), std::ffi::OsStr::to_string_lossy);
        let path = data_dir.join("refused").join(format!("{name}.refused.jsonl"));
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(ImportError::Write { path, source });
            }
            _ => {}
        }
        Ok(Self { path, file: None, reasons: BTreeMap::new(), rows: 0 })
    }

    /// Counts and writes one.
    ///
    /// # Errors
    /// The side file cannot be written.
    pub fn add(&mut self, refusal: &Refusal) -> Result<(), ImportError> {
        self.rows += 1;
        let reason = self.reasons.entry(refusal.code).or_default();
        if reason.rows == 0 {
            reason.first_line = refusal.line;
            reason.example = refusal.reason.clone();
        }
        reason.rows += 1;
        let mut line = json!({ "line": refusal.line, "code": refusal.code, "reason": refusal.reason, "text": refusal.text });
        if let Some(invalid) = &refusal.invalid {
            line["field"] = invalid.field.as_str().into();
            line["value"] = invalid.value.as_str().into();
            line["expected"] = invalid.expected.as_str().into();
        }
        self.write(&line).map_err(|source| ImportError::Write { path: self.path.clone(), source })
    }

    fn write(&mut self, line: &serde_json::Value) -> std::io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                if let Some(folder) = self.path.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                self.file.insert(BufWriter::new(File::create(&self.path)?))
            }
        };
        writeln!(file, "{line}")
    }

    /// Flushes the side file.
    ///
    /// # Errors
    /// The side file cannot be written.
    pub fn finish(mut self) -> Result<Refused, ImportError> {
        let written = self.file.is_some();
        if let Some(mut file) = self.file.take() {
            file.flush().map_err(|source| ImportError::Write { path: self.path.clone(), source })?;
        }
        Ok(Refused { rows: self.rows, reasons: self.reasons, file: written.then_some(self.path) })
    }
}
