//! Artifacts of peers.
//!
//! Layout of format 1: `peers.safetensors` with `lengths` (users, `U32`: how many items each user touched), `rows` (entries, `U32`:
//! these items, ascending) and `weights` (entries, `F32`); the vocabulary. Users have no names.

use headwater_base::ItemId;
use headwater_models::Retrieve as _;
use headwater_models::matrix::Csr;
use headwater_models::peers::{Peers, PeersOptions};
use headwater_registry::{Bundle, Lineage, Manifest};

use super::broken;
use super::sparse::SparseRows;
use crate::TrainingError;
use crate::fit::ModelKind;
use crate::options::TrainingOptions;

/// The layout this code writes, and the newest it reads.
pub(super) const FORMAT: u32 = 1;
pub(super) const WEIGHTS: &str = "peers.safetensors";

/// Peers with the ids of their items.
#[derive(Clone, Debug)]
pub struct PeersArtifact {
    /// The model.
    pub model: Peers,
    /// The item of each row.
    pub items: Vec<ItemId>,
    /// How it was trained.
    pub options: TrainingOptions,
}

impl PeersArtifact {
    /// The files of the artifact, with a manifest that says where it comes from.
    ///
    /// # Errors
    /// Never in practice: shapes fit by construction.
    pub fn to_bundle(&self, lineage: Lineage) -> Result<Bundle, TrainingError> {
        let manifest = Manifest {
            kind: ModelKind::Peers.name().to_owned(),
            format: FORMAT,
            options: self.options.to_map(ModelKind::Peers),
            lineage,
            ..Manifest::default()
        };
        let items = super::items_file(&self.items[..self.model.items()]);
        Ok(Bundle { manifest, files: vec![(WEIGHTS.to_owned(), write(&self.model)?), items] })
    }

    /// Reads an artifact back.
    ///
    /// # Errors
    /// Another kind, a newer layout, a missing file; arrays that do not fit, ids that are none or repeat.
    pub fn from_bundle(bundle: &Bundle) -> Result<Self, TrainingError> {
        super::check(bundle, ModelKind::Peers, FORMAT)?;
        let options =
            TrainingOptions::from_map(ModelKind::Peers, &bundle.manifest.options).map_err(broken)?;
        let items = super::items(bundle)?;
        let model = read(super::file(bundle, WEIGHTS)?, &options.peers, items.len())?;
        Ok(Self { model, items, options })
    }
}

/// The numbers of peers as a file.
pub(super) fn write(model: &Peers) -> Result<Vec<u8>, TrainingError> {
    let matrix = model.matrix();
    SparseRows {
        lengths: matrix.iter().map(|row| row.len() as u32).collect(),
        rows: matrix.iter().flat_map(|row| row.indices).copied().collect(),
        weights: matrix.iter().flat_map(|row| row.weights).copied().collect(),
    }
    .write()
}

/// The peers over `items` items in a file.
pub(super) fn read(content: &[u8], options: &PeersOptions, items: usize) -> Result<Peers, TrainingError> {
    let SparseRows { lengths, rows, weights } = SparseRows::read(content)?;
    let total: usize = lengths.iter().map(|length| *length as usize).sum();
    if total != rows.len() || rows.len() != weights.len() {
        let (rows, weights) = (rows.len(), weights.len());
        let told = format!("it has {total} interactions by its lengths, {rows} rows and {weights} weights");
        return Err(TrainingError::Artifact(told));
    }
    let users = (0u32..).zip(&lengths).flat_map(|(user, length)| std::iter::repeat_n(user, *length as usize));
    let entries = users.zip(rows).zip(weights).map(|((user, row), weight)| (user, row, weight));
    let matrix = Csr::from_pairs(lengths.len(), items, entries).map_err(broken)?;
    Peers::new(matrix, options).map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::fit_peers;
    use crate::train::tests::two_tastes;

    fn bundle() -> Bundle {
        let split = two_tastes().everything().unwrap();
        let mut options = TrainingOptions::default();
        options.set_all(ModelKind::Peers, &["nearest=9", "sharpness=1.5"]).unwrap();
        let model = fit_peers(&split, &options).unwrap();
        PeersArtifact { model, items: split.items, options }.to_bundle(Lineage::default()).unwrap()
    }

    fn refusal(change: impl FnOnce(&mut Bundle)) -> String {
        let mut bundle = bundle();
        change(&mut bundle);
        PeersArtifact::from_bundle(&bundle).unwrap_err().to_string()
    }

    #[test]
    fn a_bundle_makes_the_same_model_again() {
        let bundle = bundle();
        let artifact = PeersArtifact::from_bundle(&bundle).unwrap();
        assert_eq!((artifact.items.len(), artifact.model.items()), (40, 40));
        assert_eq!(artifact.model.options().nearest, 9);
        assert_eq!(artifact.to_bundle(bundle.manifest.lineage.clone()).unwrap(), bundle);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(refusal(|b| b.manifest.kind = "ials".into()).contains("of kind `ials`"));
        assert!(refusal(|b| b.manifest.format = 2).contains("upgrade"));
        assert!(refusal(|b| b.files[1].1 = b"a\n".to_vec()).contains("outside a matrix of 60 x 1"));
        assert!(refusal(|b| b.files[0].1.truncate(40)).contains("cannot be loaded"));
        assert!(refusal(|b| drop(b.files.remove(0))).contains("no file peers.safetensors"));
    }
}
