//! What is kept as Parquet, where, and for how long.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Keep, Period, Settings};

/// `[archive]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ArchiveSettings {
    /// Whether a running server archives events and decisions: each day once it is over, and what fills a file before.
    /// While it does, the log deletes nothing by age that is not archived.
    pub enabled: bool,
    /// The folder of the archive; one that is not absolute is within the data folder.
    pub folder: String,
    /// How long archived days are kept, by receive time.
    pub retention: Keep,
}

impl Default for ArchiveSettings {
    fn default() -> Self {
        Self { enabled: false, folder: "archive".to_owned(), retention: Keep::Forever }
    }
}

impl Settings {
    /// Where the archive of the data folder `data_dir` is.
    pub fn archive_folder(&self, data_dir: &Path) -> PathBuf {
        data_dir.join(&self.archive.folder)
    }
}

/// The folders of a data folder that an archive may not be, nor be in.
const TAKEN: [&str; 4] = ["events", "decisions", "views", "models"];

pub(super) fn contradictions(settings: &Settings) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let folder = &settings.archive.folder;
    let first = Path::new(folder).components().next();
    let taken = first.is_none_or(|first| TAKEN.iter().any(|taken| first.as_os_str() == *taken));
    if taken {
        let rule = format!("must be a folder other than {}, and not \"{folder}\"", TAKEN.join(", "));
        found.push(("archive.folder".to_owned(), format!("`archive.folder` {rule}")));
    }
    if let Keep::For(period) = settings.archive.retention
        && period < Period::days(1)
    {
        found.push((
            "archive.retention".to_owned(),
            "`archive.retention` must be at least 1d: whole days are deleted".to_owned(),
        ));
    }
    found
}
