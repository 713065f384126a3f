//! What an artifact is: a manifest and named files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Describes an artifact: what it is, how it came to be, how good it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The kind of model: `ials`.
    pub kind: String,
    /// Version of the layout of the files, counted by the kind.
    pub format: u32,
    /// How it was trained, by option name.
    pub options: BTreeMap<String, Value>,
    /// How good it was when it was trained: `{ "ndcg@10": 0.14 }`; empty where it was not measured.
    #[serde(default)]
    pub metrics: BTreeMap<String, Value>,
    /// The declared features it reads, by name and version (`item_ctr_1h@2`), in the order of its columns; empty for a
    /// model that reads none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// Where it comes from.
    pub lineage: Lineage,
    /// The files with their checksums; the registry fills this in.
    #[serde(default)]
    pub files: Vec<FileEntry>,
}

/// Where an artifact comes from: enough to make it again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lineage {
    /// First offset of the log it was trained on, one per partition.
    pub log_from: Vec<u64>,
    /// The offset after the last, one per partition.
    pub log_to: Vec<u64>,
    /// Hash of the settings in effect, in hexadecimal.
    pub settings: String,
    /// Seed of every random choice.
    pub seed: u64,
    /// Version of the code that trained it.
    pub code: String,
}

/// One file of an artifact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its name within the artifact's folder.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its content, in hexadecimal.
    pub sha256: String,
}

/// An artifact in memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bundle {
    /// Its description.
    pub manifest: Manifest,
    /// File names with their content.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Bundle {
    /// The content of a file.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.iter().find(|(file, _)| file == name).map(|(_, content)| content.as_slice())
    }
}
