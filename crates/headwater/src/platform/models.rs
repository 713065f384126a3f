//! Champions of the registry, loaded to serve.

use std::sync::Arc;

use compact_str::CompactString;
use headwater_base::FeatureType;
use headwater_features::Plan;
use headwater_log::Position;
use headwater_pipeline::{LoadedModel, Snapshot};
use headwater_registry::{ModelVersion, Registry};
use headwater_training::{Artifact, encoded};

/// Loads the champion of every name that has one, for a store that computes the features of `plan`. In the place of one
/// that cannot be loaded, which is logged, stays what serves under its name in the snapshot `now`, if anything does.
pub(super) fn champions(
    registry: &Registry,
    names: &[String],
    plan: &Plan,
    now: &Snapshot,
) -> Vec<Arc<LoadedModel>> {
    let champion = |name: &String| match champion(registry, name, plan) {
        Ok(model) => model,
        Err(problem) => {
            let serving = now.models.get(name.as_str()).cloned();
            let instead = serving.as_ref().map_or("nothing", |model| model.label());
            tracing::error!(model = %name, %problem, serving = instead, "the champion cannot be loaded");
            serving
        }
    };
    names.iter().filter_map(champion).collect()
}

fn champion(registry: &Registry, name: &str, plan: &Plan) -> Result<Option<Arc<LoadedModel>>, String> {
    match registry.champion(name).map_err(|error| error.to_string())? {
        Some(version) => load(registry, &version, plan).map(|model| Some(Arc::new(model))),
        None => Ok(None),
    }
}

fn load(registry: &Registry, version: &ModelVersion, plan: &Plan) -> Result<LoadedModel, String> {
    let bundle = registry.load(&version.name, version.version).map_err(|error| error.to_string())?;
    let provided: Vec<(&CompactString, FeatureType)> = plan.columns().collect();
    encoded::load(&bundle, &provided).map_err(|error| error.to_string())?;
    let trained_to = Position(bundle.manifest.lineage.log_to.clone());
    let (name, version) = (version.name.as_str(), version.version);
    let mut content = None;
    let loaded = match Artifact::from_bundle(&bundle).map_err(|error| error.to_string())? {
        Artifact::Ials(artifact) => {
            content = artifact.content;
            LoadedModel::ials(name, version, artifact.model, artifact.items, trained_to)
        }
        Artifact::Filter(artifact) => {
            LoadedModel::filter(name, version, artifact.model, artifact.items, trained_to)
        }
        Artifact::Peers(artifact) => {
            LoadedModel::peers(name, version, artifact.model, artifact.items, trained_to)
        }
        Artifact::Blend(artifact) => {
            content = artifact.content;
            LoadedModel::blend(name, version, artifact.model, artifact.items, trained_to)
        }
    };
    loaded.and_then(|model| model.with_content(content)).map_err(|error| error.to_string())
}
