//! Models and surfaces of one moment, behind one swapped pointer.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::CompactString;
use headwater_base::schema::one_of;

use crate::error::PipelineError;
use crate::model::LoadedModel;
use crate::surface::Surface;

/// What a request reads of the control plane. Immutable: a change publishes another snapshot.
#[derive(Clone, Default)]
pub struct Snapshot {
    /// Surfaces by name.
    pub surfaces: BTreeMap<CompactString, Arc<Surface>>,
    /// The champions by name.
    pub models: BTreeMap<CompactString, Arc<LoadedModel>>,
    /// Hash of the effective settings, logged with each decision.
    pub settings: u64,
    /// Grows with each published snapshot; part of every cache key. Set by the engine.
    pub generation: u64,
}

impl Snapshot {
    /// With these surfaces and models.
    pub fn new(
        surfaces: impl IntoIterator<Item = Surface>,
        models: impl IntoIterator<Item = Arc<LoadedModel>>,
        settings: u64,
    ) -> Self {
        let surfaces =
            surfaces.into_iter().map(|surface| (surface.name().clone(), Arc::new(surface))).collect();
        let models = models.into_iter().map(|model| (model.name().into(), model)).collect();
        Self { surfaces, models, settings, generation: 0 }
    }

    /// The surface of this name.
    pub fn surface(&self, name: &str) -> Result<&Arc<Surface>, PipelineError> {
        self.surfaces.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.surfaces.keys().map(CompactString::as_str).collect();
            PipelineError::UnknownSurface { name: name.into(), expected: one_of(&names, name) }
        })
    }
}
