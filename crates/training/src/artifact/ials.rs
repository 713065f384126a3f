//! Artifacts of the factorisation.
//!
//! Layout of format 1: `weights.safetensors` with `item_factors` (items x factors), `item_gram` (factors) and
//! `user_gram` [factors, factors], all `F32`; the vocabulary.

use std::collections::HashMap;

use headwater_base::ItemId;
use headwater_models::content::ContentMap;
use headwater_models::ials::{Ials, IalsOptions, IalsParts};
use headwater_registry::{Bundle, Lineage, Manifest};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::{broken, content};
use crate::TrainingError;
use crate::fit::ModelKind;
use crate::options::TrainingOptions;

/// The layout this code writes, and the newest it reads.
pub(super) const FORMAT: u32 = 1;
pub(super) const WEIGHTS: &str = "weights.safetensors";
/// How many users it was trained on; needed to fold in items.
const USERS: &str = "users";

/// A trained factorisation with the ids of its rows.
#[derive(Clone, Debug)]
pub struct IalsArtifact {
    /// The model.
    pub model: Ials,
    /// The item of each row.
    pub items: Vec<ItemId>,
    /// Vectors for items that nobody has touched, where it has any.
    pub content: Option<ContentMap>,
    /// How it was trained.
    pub options: TrainingOptions,
}

impl IalsArtifact {
    /// The files of the artifact, with a manifest that says where it comes from.
    ///
    /// # Errors
    /// Never in practice: shapes fit by construction.
    pub fn to_bundle(&self, lineage: Lineage) -> Result<Bundle, TrainingError> {
        let manifest = Manifest {
            kind: ModelKind::Ials.name().to_owned(),
            format: FORMAT,
            options: self.options.to_map(ModelKind::Ials),
            lineage,
            ..Manifest::default()
        };
        let items = super::items_file(&self.items[..self.model.trained_items()]);
        let mut files = vec![(WEIGHTS.to_owned(), write(&self.model)?), items];
        files.extend(content::write(self.content.as_ref())?);
        Ok(Bundle { manifest, files })
    }

    /// Reads an artifact back.
    ///
    /// # Errors
    /// Another kind, a newer layout, a missing file; shapes that do not fit, numbers that are not finite, ids that are
    /// none or repeat.
    pub fn from_bundle(bundle: &Bundle) -> Result<Self, TrainingError> {
        super::check(bundle, ModelKind::Ials, FORMAT)?;
        let options = TrainingOptions::from_map(ModelKind::Ials, &bundle.manifest.options).map_err(broken)?;
        let items = super::items(bundle)?;
        let model = read(super::file(bundle, WEIGHTS)?, options.ials, items.len())?;
        let content = content::read(bundle, &options)?;
        Ok(Self { model, items, content, options })
    }
}

/// The numbers of a factorisation as a file; appended items are left out.
pub(super) fn write(model: &Ials) -> Result<Vec<u8>, TrainingError> {
    let parts = model.to_parts();
    let factors = parts.options.factors;
    let rows = parts.item_factors.len() / factors;
    let bytes = |numbers: &[f32]| numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let arrays = [
        ("item_factors", vec![rows, factors], bytes(&parts.item_factors)),
        ("item_gram", vec![factors], bytes(&parts.item_gram)),
        ("user_gram", vec![factors, factors], bytes(&parts.user_gram)),
    ];
    let mut views = Vec::with_capacity(arrays.len());
    for (name, shape, data) in &arrays {
        let view = TensorView::new(Dtype::F32, shape.clone(), data).map_err(broken)?;
        views.push((*name, view));
    }
    let metadata: HashMap<String, String> = [(USERS.to_owned(), parts.users.to_string())].into();
    safetensors::serialize(views, Some(metadata)).map_err(broken)
}

/// The factorisation of `items` items in a file.
pub(super) fn read(content: &[u8], options: IalsOptions, items: usize) -> Result<Ials, TrainingError> {
    let (_, header) = SafeTensors::read_metadata(content).map_err(broken)?;
    let users = header.metadata().as_ref().and_then(|metadata| metadata.get(USERS)?.parse().ok());
    let users =
        users.ok_or_else(|| TrainingError::Artifact(format!("{WEIGHTS} does not say how many users")))?;
    let tensors = SafeTensors::deserialize(content).map_err(broken)?;
    let factors = options.factors;
    let array = |name: &str, shape: &[usize]| {
        let view = tensors.tensor(name).map_err(broken)?;
        if view.dtype() != Dtype::F32 || view.shape() != shape {
            return Err(TrainingError::Artifact(format!(
                "{name} is {:?} of {:?}, expected F32 of {shape:?}",
                view.shape(),
                view.dtype()
            )));
        }
        let (words, _) = view.data().as_chunks::<4>();
        Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect::<Vec<f32>>())
    };
    let parts = IalsParts {
        options,
        users,
        item_factors: array("item_factors", &[items, factors])?,
        item_gram: array("item_gram", &[factors])?,
        user_gram: array("user_gram", &[factors, factors])?,
    };
    Ials::from_parts(parts).map_err(broken)
}

#[cfg(test)]
mod tests {
    use headwater_models::Retrieve as _;

    use super::*;
    use crate::fit::fit_ials;
    use crate::train::tests::two_tastes;

    fn bundle() -> Bundle {
        let split = two_tastes().everything().unwrap();
        let mut options = TrainingOptions::default();
        options.set_all(ModelKind::Ials, &["factors=4", "iterations=2"]).unwrap();
        let model = fit_ials(&split, &options, &mut |_| {}).unwrap();
        let artifact = IalsArtifact { model, items: split.items, content: None, options };
        artifact.to_bundle(Lineage { seed: 1, ..Lineage::default() }).unwrap()
    }

    fn refusal(change: impl FnOnce(&mut Bundle)) -> String {
        let mut bundle = bundle();
        change(&mut bundle);
        IalsArtifact::from_bundle(&bundle).unwrap_err().to_string()
    }

    #[test]
    fn a_bundle_makes_the_same_model_again() {
        let bundle = bundle();
        let artifact = IalsArtifact::from_bundle(&bundle).unwrap();
        assert_eq!(artifact.items.len(), artifact.model.items());
        assert_eq!(artifact.to_bundle(bundle.manifest.lineage.clone()).unwrap(), bundle);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(refusal(|b| b.manifest.kind = "dcn".into()).contains("of kind `dcn`"));
        assert!(refusal(|b| b.manifest.format = 2).contains("upgrade"));
        assert!(refusal(|b| b.files[1].1.extend(b"another\n")).contains("item_factors"));
        assert!(refusal(|b| b.files[1].1 = b"a\na\n".to_vec()).contains("line 2: `a` stands there twice"));
        assert!(refusal(|b| b.files[0].1.truncate(40)).contains("cannot be loaded"));
        assert!(refusal(|b| drop(b.files.remove(0))).contains("no file weights.safetensors"));
        let mut options = std::collections::BTreeMap::new();
        options.insert("factors".to_owned(), serde_json::json!(8));
        assert!(refusal(|b| b.manifest.options = options).contains("expected F32"));
    }

    #[test]
    fn a_weight_that_is_not_finite_is_refused() {
        let error = refusal(|b| {
            let weights = &mut b.files[0].1;
            let end = weights.len();
            weights[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        });
        assert!(error.contains("finite"), "{error}");
    }
}
