//! The places that ask for recommendations.

use std::collections::BTreeMap;

use compact_str::CompactString;
use headwater_base::feature::feature_schema;
use headwater_base::{Invalid, Schema};
use headwater_features::Plan;
use headwater_pipeline::spec::ScorerSpec;
use headwater_pipeline::{FilterSpec, SourceSpec, Surface, SurfaceFeatures, SurfaceSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problem::sentence;
use super::{Period, Settings};

/// `[surfaces.NAME]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SurfaceSettings {
    /// Where candidates come from: `ials`, `filter`, `peers` or `blend` (the trained model of that name; `model(NAME)`
    /// for another), `neighbours` (touched together with what was touched last, or with the item the request is about),
    /// `sessions` (of the latest sessions most like the one under way, or of those with that item), `trending`, `popular`.
    pub sources: Vec<String>,
    /// What is taken away: `seen`, `available`, `max_per_FIELD(N)`, `only(FIELD: WORD, ...)`, `except(FIELD: WORD, ...)`
    /// with a categorical item field.
    pub filters: Vec<String>,
    /// What orders the candidates: `source` (each source's own order, better rungs first), or a model that scores
    /// the candidates of all sources, `ials`, `filter`, `peers`, `blend` or `model(NAME)`.
    pub ranker: String,
    /// The declared features that are read for the items of this surface; all of them where it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>")]
    pub features: Option<Vec<String>>,
    /// The share of requests whose feature vectors are logged for training, 0 to 1.
    pub logged_share: f32,
    /// How long an answer may take before a worse rung of the ladder answers.
    pub deadline: Period,
    /// How many items are answered where the request does not say.
    pub limit: usize,
    /// The most items a request may ask for.
    pub max_limit: usize,
}

impl Default for SurfaceSettings {
    fn default() -> Self {
        Self {
            sources: ["ials", "neighbours", "trending", "popular"].map(str::to_owned).to_vec(),
            filters: ["seen", "available"].map(str::to_owned).to_vec(),
            ranker: "source".to_owned(),
            features: None,
            logged_share: 0.1,
            deadline: Period::millis(50),
            limit: 20,
            max_limit: 200,
        }
    }
}

impl SurfaceSettings {
    /// What exists where no surface is declared: `home` for a person, `similar` for an item.
    pub fn default_surfaces() -> BTreeMap<String, Self> {
        let similar = Self {
            sources: ["neighbours", "ials", "popular"].map(str::to_owned).to_vec(),
            filters: vec!["available".to_owned()],
            ..Self::default()
        };
        [("home".to_owned(), Self::default()), ("similar".to_owned(), similar)].into()
    }

    /// The surface as the pipeline is told about it.
    ///
    /// # Errors
    /// The first word that is none, with the key it stands in.
    pub fn spec(&self, name: &str) -> Result<SurfaceSpec, (&'static str, Invalid)> {
        let sources = self.sources.iter().map(|word| SourceSpec::parse(word)).collect::<Result<Vec<_>, _>>();
        let filters = self.filters.iter().map(|word| FilterSpec::parse(word)).collect::<Result<Vec<_>, _>>();
        Ok(SurfaceSpec {
            sources: sources.map_err(|invalid| ("sources", invalid))?,
            filters: filters.map_err(|invalid| ("filters", invalid))?,
            scorer: ScorerSpec::parse(&self.ranker).map_err(|invalid| ("ranker", invalid))?,
            deadline: self.deadline.0,
            limit: self.limit,
            max_limit: self.max_limit,
            ..SurfaceSpec::named(name)
        })
    }
}

impl Settings {
    /// The surfaces, assembled; what [`Settings::contradictions`] accepts assembles.
    ///
    /// # Errors
    /// The first surface that cannot be assembled.
    pub fn surfaces(&self, schema: &Schema, plan: &Plan) -> Result<Vec<Surface>, Invalid> {
        self.surfaces
            .iter()
            .map(|(name, surface)| {
                let spec = surface.spec(name).map_err(|(_, invalid)| invalid)?;
                let features = self.surface_features(name, surface.logged_share, plan);
                Ok(Surface::assemble(&spec, schema)?.with_features(features))
            })
            .collect()
    }

    /// What a surface reads of the features that are computed.
    fn surface_features(&self, name: &str, share: f32, plan: &Plan) -> SurfaceFeatures {
        let columns: Vec<usize> =
            self.features_of(name).into_iter().filter_map(|name| plan.find(name)).collect();
        let schema = feature_schema(plan.labels(&columns).iter().map(CompactString::as_str));
        SurfaceFeatures { columns, schema, share }
    }

    /// The lists of features that decisions of these settings log, by their number.
    pub fn feature_schemas(&self, plan: &Plan) -> BTreeMap<u64, Vec<String>> {
        let surfaces = self.surfaces.iter().map(|(name, surface)| {
            let features = self.surface_features(name, surface.logged_share, plan);
            (features.schema, plan.labels(&features.columns).iter().map(ToString::to_string).collect())
        });
        surfaces.collect()
    }

    /// The models that the surfaces use, by name in the registry.
    pub fn models(&self) -> Vec<String> {
        let specs = self.surfaces.iter().filter_map(|(name, surface)| surface.spec(name).ok());
        let mut names: Vec<String> = specs
            .flat_map(|spec| {
                let ranker = match spec.scorer {
                    ScorerSpec::Model(name) => Some(name),
                    ScorerSpec::Source => None,
                };
                let sources = spec.sources.into_iter().filter_map(|source| match source {
                    SourceSpec::Model(name) => Some(name),
                    _ => None,
                });
                sources.chain(ranker).map(|name| name.to_string()).collect::<Vec<_>>()
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

pub(super) fn contradictions(settings: &Settings) -> Vec<(String, String)> {
    let schema = settings.schema();
    let mut found = Vec::new();
    for (name, surface) in &settings.surfaces {
        let path = format!("surfaces.{name}");
        match surface.spec(name) {
            Err((key, invalid)) => found.push((format!("{path}.{key}"), sentence(&invalid))),
            Ok(spec) => {
                if let Err(invalid) = Surface::assemble(&spec, &schema) {
                    found.push((format!("{path}.{}", invalid.field), sentence(&invalid)));
                }
            }
        }
        if surface.deadline == Period::default() {
            found.push((format!("{path}.deadline"), format!("`{path}.deadline` must be longer than 0s")));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_surfaces_are_sound_and_use_the_factorisation() {
        let settings = Settings::default();
        assert_eq!(contradictions(&settings), []);
        assert_eq!(settings.models(), ["ials"]);
    }

    #[test]
    fn a_wrong_word_is_shown_at_its_key() {
        let mut settings = Settings::default();
        let wrong = SurfaceSettings { filters: vec!["sen".to_owned()], ..SurfaceSettings::default() };
        settings.surfaces.insert("home".to_owned(), wrong);
        let found = contradictions(&settings);
        assert_eq!(found[0].0, "surfaces.home.filters");
        assert!(found[0].1.starts_with("`sen` cannot be used; expected seen"), "{found:?}");
    }
}
