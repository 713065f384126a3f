//! Artifacts of the graph filter.
//!
//! Layout of format 1: `filter.safetensors` with `lengths` (items, `U32`: how many entries each item has), `rows` (entries,
//! `U32`) and `weights` (entries, `F32`); the vocabulary.

use headwater_base::ItemId;
use headwater_models::Retrieve as _;
use headwater_models::filter::{Filter, FilterOptions, FilterParts};
use headwater_registry::{Bundle, Lineage, Manifest};

use super::broken;
use super::sparse::SparseRows;
use crate::TrainingError;
use crate::fit::ModelKind;
use crate::options::TrainingOptions;

/// The layout this code writes, and the newest it reads.
pub(super) const FORMAT: u32 = 1;
pub(super) const WEIGHTS: &str = "filter.safetensors";

/// A trained filter with the ids of its rows.
#[derive(Clone, Debug)]
pub struct FilterArtifact {
    /// The model.
    pub model: Filter,
    /// The item of each row.
    pub items: Vec<ItemId>,
    /// How it was trained.
    pub options: TrainingOptions,
}

impl FilterArtifact {
    /// The files of the artifact, with a manifest that says where it comes from.
    ///
    /// # Errors
    /// Never in practice: shapes fit by construction.
    pub fn to_bundle(&self, lineage: Lineage) -> Result<Bundle, TrainingError> {
        let manifest = Manifest {
            kind: ModelKind::Filter.name().to_owned(),
            format: FORMAT,
            options: self.options.to_map(ModelKind::Filter),
            lineage,
            ..Manifest::default()
        };
        let items = super::items_file(&self.items[..self.model.items()]);
        Ok(Bundle { manifest, files: vec![(WEIGHTS.to_owned(), write(&self.model)?), items] })
    }

    /// Reads an artifact back.
    ///
    /// # Errors
    /// Another kind, a newer layout, a missing file; arrays that do not fit, numbers that are not finite, ids that are none
    /// or repeat.
    pub fn from_bundle(bundle: &Bundle) -> Result<Self, TrainingError> {
        super::check(bundle, ModelKind::Filter, FORMAT)?;
        let options =
            TrainingOptions::from_map(ModelKind::Filter, &bundle.manifest.options).map_err(broken)?;
        let items = super::items(bundle)?;
        let model = read(super::file(bundle, WEIGHTS)?, options.filter, items.len())?;
        Ok(Self { model, items, options })
    }
}

/// The numbers of a filter as a file.
pub(super) fn write(model: &Filter) -> Result<Vec<u8>, TrainingError> {
    let FilterParts { lengths, rows, weights, .. } = model.to_parts();
    SparseRows { lengths, rows, weights }.write()
}

/// The filter of `items` items in a file.
pub(super) fn read(content: &[u8], options: FilterOptions, items: usize) -> Result<Filter, TrainingError> {
    let SparseRows { lengths, rows, weights } = SparseRows::read(content)?;
    if lengths.len() != items {
        let told = format!("it has {} items and {items} ids", lengths.len());
        return Err(TrainingError::Artifact(told));
    }
    Filter::from_parts(FilterParts { options, lengths, rows, weights }).map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::fit_filter;
    use crate::train::tests::two_tastes;

    fn bundle() -> Bundle {
        let split = two_tastes().everything().unwrap();
        let mut options = TrainingOptions::default();
        options.set_all(ModelKind::Filter, &["components=4", "neighbours=7"]).unwrap();
        let (model, _) = fit_filter(&split, &options, &mut |_| {}).unwrap();
        FilterArtifact { model, items: split.items, options }.to_bundle(Lineage::default()).unwrap()
    }

    fn refusal(change: impl FnOnce(&mut Bundle)) -> String {
        let mut bundle = bundle();
        change(&mut bundle);
        FilterArtifact::from_bundle(&bundle).unwrap_err().to_string()
    }

    #[test]
    fn a_bundle_makes_the_same_model_again() {
        let bundle = bundle();
        let artifact = FilterArtifact::from_bundle(&bundle).unwrap();
        assert_eq!(artifact.items.len(), artifact.model.items());
        assert!(artifact.model.entries() > 40);
        assert_eq!(artifact.to_bundle(bundle.manifest.lineage.clone()).unwrap(), bundle);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(refusal(|b| b.manifest.kind = "ials".into()).contains("of kind `ials`"));
        assert!(refusal(|b| b.manifest.format = 2).contains("upgrade"));
        assert!(refusal(|b| b.files[1].1.extend(b"another\n")).contains("40 items and 41 ids"));
        assert!(refusal(|b| b.files[0].1.truncate(40)).contains("cannot be loaded"));
        assert!(refusal(|b| drop(b.files.remove(0))).contains("no file filter.safetensors"));
        // The last array of the file, by name as safetensors sorts those of one type: the weights lie before it.
        let error = refusal(|b| {
            let numbers = &mut b.files[0].1;
            let end = numbers.len();
            numbers[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        });
        assert!(error.contains("do not fit"), "{error}");
    }
}
