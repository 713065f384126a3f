//! A server with a real data set imported and a factorisation trained and promoted, for the benches that ask.

use std::path::Path;

use headwater_training::presets::Preset;

use super::BenchError;
use super::interactions::{Traffic, traffic};
use super::workspace::Workspace;

/// A filled data folder.
#[derive(Debug)]
pub struct Loaded {
    /// The folder.
    pub workspace: Workspace,
    /// Who and what is in it.
    pub traffic: Traffic,
    /// A key that may ask and send.
    pub key: String,
}

/// Settings of a server that answers `home` from the factorisation alone, leaving out what was seen.
pub fn settings(preset: Preset, cache: bool) -> String {
    let cache = if cache { "" } else { "cached_answers = 0\n" };
    format!(
        "{}\n[surfaces.home]\nsources = [\"ials\"]\nfilters = [\"seen\", \"available\"]\n\n\
         [server]\nlisten = \"127.0.0.1:0\"\n{cache}",
        preset.settings()
    )
}

/// Imports the data set, trains and promotes.
pub fn load(preset: Preset, data: &Path, factors: usize, cache: bool) -> Result<Loaded, BenchError> {
    let traffic = traffic(preset, data)?;
    let workspace = Workspace::create(&settings(preset, cache))?;
    let data = data.display().to_string();
    workspace.run(&["import", "--preset", preset.name(), &data])?;
    workspace.run(&["train", "--model", "ials", "--promote", "--set", &format!("factors={factors}")])?;
    let key = workspace.key()?;
    Ok(Loaded { workspace, traffic, key })
}
