//! Artifacts of blends, which hold their members.
//!
//! Layout of format 1: the weights of each member in the file and layout of its own kind, one vocabulary for all. The options of the
//! manifest are those of every member, `ials.factors` and so on, and `members` has what each counts.

use std::sync::Arc;

use headwater_base::ItemId;
use headwater_models::blend::{Blend, Member};
use headwater_models::content::ContentMap;
use headwater_registry::{Bundle, Lineage, Manifest};

use super::{broken, content, filter, ials, peers};
use crate::TrainingError;
use crate::fit::ModelKind;
use crate::options::TrainingOptions;

/// The layout this code writes, and the newest it reads.
const FORMAT: u32 = 1;

/// A blend with the ids of its rows.
#[derive(Clone, Debug)]
pub struct BlendArtifact {
    /// The model.
    pub model: Blend,
    /// The item of each row.
    pub items: Vec<ItemId>,
    /// Vectors for items that nobody has touched, where it has any.
    pub content: Option<ContentMap>,
    /// How it was trained; its mixture has the weights.
    pub options: TrainingOptions,
}

impl BlendArtifact {
    /// Of a model that was fitted with these options: the weights that its training chose are put into them.
    pub fn new(model: Blend, items: Vec<ItemId>, options: &TrainingOptions) -> Self {
        let options = options.weighed(&model);
        Self { model, items, content: None, options }
    }

    /// The files of the artifact, with a manifest that says where it comes from.
    ///
    /// # Errors
    /// A member that is not as it serves.
    pub fn to_bundle(&self, lineage: Lineage) -> Result<Bundle, TrainingError> {
        let mut files = Vec::with_capacity(self.model.members().len() + 1);
        for (member, _) in self.model.members() {
            let (name, content) = match member {
                Member::Ials(model) => (ials::WEIGHTS, ials::write(model)?),
                Member::Filter(model) => (filter::WEIGHTS, filter::write(model)?),
                Member::Peers(model) => (peers::WEIGHTS, peers::write(model)?),
                Member::WholeFilter(_) => {
                    return Err(TrainingError::Artifact("a whole filter is not stored".to_owned()));
                }
            };
            files.push((name.to_owned(), content));
        }
        files.push(super::items_file(&self.items));
        files.extend(content::write(self.content.as_ref())?);
        let manifest = Manifest {
            kind: ModelKind::Blend.name().to_owned(),
            format: FORMAT,
            options: self.options.to_map(ModelKind::Blend),
            lineage,
            ..Manifest::default()
        };
        Ok(Bundle { manifest, files })
    }

    /// Reads an artifact back.
    ///
    /// # Errors
    /// Another kind, a newer layout, a missing file; members without weights; those of the members' kinds.
    pub fn from_bundle(bundle: &Bundle) -> Result<Self, TrainingError> {
        super::check(bundle, ModelKind::Blend, FORMAT)?;
        let options =
            TrainingOptions::from_map(ModelKind::Blend, &bundle.manifest.options).map_err(broken)?;
        let items = super::items(bundle)?;
        let weights = options.mixture.weights();
        let weights = weights.ok_or_else(|| TrainingError::Artifact("its members have no weights".into()))?;
        let file = |name: &str| super::file(bundle, name);
        let member = |kind| {
            Ok(match kind {
                ModelKind::Filter => {
                    let model = filter::read(file(filter::WEIGHTS)?, options.filter, items.len())?;
                    Member::Filter(Arc::new(model))
                }
                ModelKind::Peers => {
                    let model = peers::read(file(peers::WEIGHTS)?, &options.peers, items.len())?;
                    Member::Peers(Arc::new(model))
                }
                // The last of the kinds that a mixture can have.
                _ => Member::Ials(Box::new(ials::read(file(ials::WEIGHTS)?, options.ials, items.len())?)),
            })
        };
        let members = options.mixture.kinds().into_iter().map(member);
        let members = members.collect::<Result<Vec<_>, TrainingError>>()?;
        let model = Blend::new(options.blend, members.into_iter().zip(weights).collect()).map_err(broken)?;
        let content = content::read(bundle, &options)?;
        Ok(Self { model, items, content, options })
    }
}

#[cfg(test)]
mod tests {
    use headwater_models::{Past, Query, Retrieve as _};

    use super::*;
    use crate::blend::fit_blend;
    use crate::train::tests::two_tastes;

    fn artifact() -> BlendArtifact {
        let split = two_tastes().everything().unwrap();
        let mut options = TrainingOptions::default();
        let settings = ["ials.factors=4", "filter.components=4", "peers.nearest=20", "depth=5"];
        options.set_all(ModelKind::Blend, &settings).unwrap();
        let fitted = fit_blend(&split, &options, &mut |_| {}).unwrap();
        BlendArtifact::new(fitted.served, split.items, &options)
    }

    #[test]
    fn a_bundle_makes_the_same_model_again() {
        let artifact = artifact();
        let bundle = artifact.to_bundle(Lineage::default()).unwrap();
        let again = BlendArtifact::from_bundle(&bundle).unwrap();
        assert_eq!(again.options, artifact.options);
        assert_eq!(again.to_bundle(Lineage::default()).unwrap(), bundle);
        let history = [3, 7].map(|row| Past { row, weight: 1.0, age: 0.0 });
        let query = Query { history: &history, item: None };
        let found = artifact.model.retrieve(&query, 10, &|_| true);
        assert_eq!((found.len(), again.model.retrieve(&query, 10, &|_| true)), (10, found));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let bundle = artifact().to_bundle(Lineage::default()).unwrap();
        let refusal = |change: &dyn Fn(&mut Bundle)| {
            let mut bundle = bundle.clone();
            change(&mut bundle);
            BlendArtifact::from_bundle(&bundle).unwrap_err().to_string()
        };
        assert!(refusal(&|b| b.manifest.format = 2).contains("upgrade"));
        let unweighed = serde_json::json!("ials, filter");
        assert!(
            refusal(&|b| drop(b.manifest.options.insert("members".into(), unweighed.clone())))
                .contains("no weights")
        );
        for file in ["weights", "filter", "peers"] {
            let name = format!("{file}.safetensors");
            let missing = refusal(&|b| b.files.retain(|(file, _)| *file != name));
            assert!(missing.contains(&format!("no file {name}")), "{missing}");
        }
    }
}
