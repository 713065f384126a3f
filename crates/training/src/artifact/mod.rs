//! Trained models as files: numbers in safetensors, the vocabulary beside them.
//!
//! The vocabulary is `items.txt` with one item id a line, in the order of the rows. Ids hold no control characters, so a
//! line break never lies within one.

mod blend;
mod content;
mod filter;
mod ials;
mod peers;
mod sparse;

use headwater_base::ItemId;
use headwater_registry::Bundle;

pub use blend::BlendArtifact;
pub use filter::FilterArtifact;
pub use ials::IalsArtifact;
pub use peers::PeersArtifact;

use crate::TrainingError;
use crate::fit::ModelKind;

const ITEMS: &str = "items.txt";

/// A trained model of any kind, read back.
#[derive(Clone, Debug)]
pub enum Artifact {
    /// The factorisation.
    Ials(IalsArtifact),
    /// The graph filter.
    Filter(FilterArtifact),
    /// People of like taste.
    Peers(PeersArtifact),
    /// Several models, fused.
    Blend(BlendArtifact),
}

impl Artifact {
    /// Reads an artifact of the kind that its manifest names.
    ///
    /// # Errors
    /// A kind that this version does not load; those of the kind.
    pub fn from_bundle(bundle: &Bundle) -> Result<Self, TrainingError> {
        match bundle.manifest.kind.parse() {
            Ok(ModelKind::Ials) => IalsArtifact::from_bundle(bundle).map(Self::Ials),
            Ok(ModelKind::Filter) => FilterArtifact::from_bundle(bundle).map(Self::Filter),
            Ok(ModelKind::Peers) => PeersArtifact::from_bundle(bundle).map(Self::Peers),
            Ok(ModelKind::Blend) => BlendArtifact::from_bundle(bundle).map(Self::Blend),
            Ok(ModelKind::Popular | ModelKind::Trending | ModelKind::Neighbours | ModelKind::Sessions)
            | Err(_) => {
                let kind = &bundle.manifest.kind;
                Err(TrainingError::Artifact(format!("this version loads no models of kind `{kind}`")))
            }
        }
    }
}

/// Refuses another kind and a newer layout.
fn check(bundle: &Bundle, expected: ModelKind, newest: u32) -> Result<(), TrainingError> {
    let (kind, format) = (&bundle.manifest.kind, bundle.manifest.format);
    if kind != expected.name() {
        return Err(TrainingError::Artifact(format!("it is of kind `{kind}`, not `{expected}`")));
    }
    if format > newest {
        return Err(TrainingError::Artifact(format!(
            "its layout is version {format}, this version reads up to {newest}: upgrade Headwater"
        )));
    }
    Ok(())
}

fn file<'a>(bundle: &'a Bundle, name: &str) -> Result<&'a [u8], TrainingError> {
    bundle.file(name).ok_or_else(|| TrainingError::Artifact(format!("it has no file {name}")))
}

/// The vocabulary as a file.
fn items_file(items: &[ItemId]) -> (String, Vec<u8>) {
    let lines: Vec<u8> = items.iter().flat_map(|id| [id.as_str().as_bytes(), b"\n"].concat()).collect();
    (ITEMS.to_owned(), lines)
}

/// The vocabulary.
fn items(bundle: &Bundle) -> Result<Vec<ItemId>, TrainingError> {
    let content = file(bundle, ITEMS)?;
    let text = std::str::from_utf8(content).map_err(broken)?;
    let mut seen = hashbrown::HashSet::new();
    let mut items = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let id = ItemId::parse(line)
            .map_err(|invalid| TrainingError::Artifact(format!("{ITEMS}, line {number}: {invalid}")))?;
        if !seen.insert(id.clone()) {
            return Err(TrainingError::Artifact(format!(
                "{ITEMS}, line {number}: `{id}` stands there twice"
            )));
        }
        items.push(id);
    }
    Ok(items)
}

fn broken(error: impl std::fmt::Display) -> TrainingError {
    TrainingError::Artifact(error.to_string())
}
