//! Champions of the registry, loaded to serve.

use std::sync::Arc;

use headwater_log::Position;
use headwater_pipeline::LoadedModel;
use headwater_registry::{ModelVersion, Registry};
use headwater_training::artifact::IalsArtifact;

/// Loads the champion of every name that has one. One that cannot be loaded is logged and left out.
pub(super) fn champions(registry: &Registry, names: &[String]) -> Vec<Arc<LoadedModel>> {
    names
        .iter()
        .filter_map(|name| match champion(registry, name) {
            Ok(model) => model,
            Err(problem) => {
                tracing::error!(model = %name, %problem, "the champion cannot be loaded; answers go without it");
                None
            }
        })
        .collect()
}

fn champion(registry: &Registry, name: &str) -> Result<Option<Arc<LoadedModel>>, String> {
    match registry.champion(name).map_err(|error| error.to_string())? {
        Some(version) => load(registry, &version).map(|model| Some(Arc::new(model))),
        None => Ok(None),
    }
}

fn load(registry: &Registry, version: &ModelVersion) -> Result<LoadedModel, String> {
    let bundle = registry.load(&version.name, version.version).map_err(|error| error.to_string())?;
    let trained_to = Position(bundle.manifest.lineage.log_to.clone());
    let artifact = IalsArtifact::from_bundle(&bundle).map_err(|error| error.to_string())?;
    LoadedModel::ials(version.name.as_str(), version.version, artifact.model, artifact.items, trained_to)
        .map_err(|error| error.to_string())
}
