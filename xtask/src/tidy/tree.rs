//! The repository as the rules see it: paths, texts and parsed manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use toml::Table;

/// Folders that are not ours: build output, version control, data unpacked by hand.
const SKIPPED_FOLDERS: &[&str] = &["target", ".git", "data", "__pycache__", "node_modules", ".venv"];
/// Files whose text a rule may want; of all others only the path is kept.
const READ_ENDINGS: &[&str] = &["rs", "toml", "md"];

/// Paths relative to the root, with `/` between their parts, and the texts of the readable ones.
#[derive(Debug, Default)]
pub struct Tree {
    paths: BTreeSet<String>,
    folders: BTreeSet<String>,
    texts: BTreeMap<String, String>,
}

/// A crate of the workspace.
#[derive(Debug)]
pub struct Package {
    /// The name in its manifest.
    pub name: String,
    /// Its folder, relative to the root.
    pub folder: String,
    /// The path of its manifest.
    pub manifest_path: String,
    /// The parsed manifest.
    pub manifest: Table,
}

impl Tree {
    /// Reads the repository under `root`.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.walk(root, "")?;
        Ok(tree)
    }

    /// A tree made of `(path, text)` pairs, for tests.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.insert((*path).to_owned());
            tree.texts.insert((*path).to_owned(), (*text).to_owned());
        }
        tree
    }

    /// All files.
    pub fn paths(&self) -> &BTreeSet<String> {
        &self.paths
    }

    /// Whether a file or a folder of this path exists.
    pub fn exists(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        self.paths.contains(path) || self.folders.contains(path)
    }

    /// The text of a file, if it was read.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// Path and text of every file with this ending.
    pub fn texts_ending<'a>(&'a self, ending: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let files = self.texts.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        files.filter(move |(path, _)| path.rsplit_once('.').is_some_and(|(_, end)| end == ending))
    }

    /// The root manifest; an empty table where it is missing or broken (Cargo says so louder).
    pub fn workspace(&self) -> Table {
        self.text("Cargo.toml").and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    /// Every crate with a readable manifest.
    pub fn packages(&self) -> Vec<Package> {
        let manifests = self.texts.iter().filter(|(path, _)| path.ends_with("/Cargo.toml"));
        manifests
            .filter_map(|(path, text)| {
                let manifest: Table = text.parse().ok()?;
                let name = manifest.get("package")?.get("name")?.as_str()?.to_owned();
                let folder = path.trim_end_matches("/Cargo.toml").to_owned();
                Some(Package { name, folder, manifest_path: path.clone(), manifest })
            })
            .collect()
    }

    fn walk(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if !SKIPPED_FOLDERS.contains(&name.as_str()) {
                    self.walk(&entry.path(), &path)?;
                }
            } else if kind.is_file() {
                self.insert(path.clone());
                if name.rsplit_once('.').is_some_and(|(_, end)| READ_ENDINGS.contains(&end)) {
                    self.texts.insert(path, std::fs::read_to_string(entry.path())?);
                }
            }
        }
        Ok(())
    }

    fn insert(&mut self, path: String) {
        let mut folder = path.as_str();
        while let Some((parent, _)) = folder.rsplit_once('/') {
            self.folders.insert(parent.to_owned());
            folder = parent;
        }
        self.paths.insert(path);
    }
}

impl Package {
    /// Names of everything this crate depends on (also for tests, builds and single platforms).
    pub fn dependencies(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        collect_dependencies(&self.manifest, &mut names);
        let platforms = self.manifest.get("target").and_then(toml::Value::as_table);
        for platform in platforms.into_iter().flat_map(Table::values).filter_map(toml::Value::as_table) {
            collect_dependencies(platform, &mut names);
        }
        names
    }
}

fn collect_dependencies(table: &Table, names: &mut BTreeSet<String>) {
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let Some(entries) = table.get(section).and_then(toml::Value::as_table) else { continue };
        for (key, entry) in entries {
            let renamed = entry.get("package").and_then(toml::Value::as_str);
            names.insert(renamed.unwrap_or(key).to_owned());
        }
    }
}
