//! `headwater.toml`: one typed [`Settings`], every key documented and defaulted, nothing silently ignored.
//!
//! Reading is [`mod@load`]: find the file, compare it with the schema (all mistakes at once), deserialise, lay
//! `HEADWATER_*` overrides over it, check what one key says against another. The rest of the binary sees the typed
//! result only; what the crates below need is mapped in `platform`.

pub mod aggregate;
pub mod archive;
pub mod blend;
pub mod domain;
pub mod features;
pub mod index;
pub mod load;
pub mod neighbours;
pub mod overrides;
pub mod problem;
pub mod quantity;
pub mod render;
pub mod runtime;
pub mod shape;
pub mod surface;
pub mod templates;
pub mod training;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};

pub use aggregate::AggregateSettings;
pub use archive::ArchiveSettings;
pub use domain::{ContextSettings, DomainSettings, InteractionSettings, ItemSettings, UserSettings};
pub use features::FeatureSettings;
pub use index::{IndexKind, IndexSettings};
pub use load::{Loaded, Origin, find, load};
pub use neighbours::SessionSettings;
pub use quantity::{ByteSize, Keep, Period};
pub use runtime::{DecisionSettings, LimitSettings, LogSettings, ServerSettings, ViewSettings};
pub use surface::SurfaceSettings;
pub use training::{IalsSettings, TrainingSettings};

/// Everything `headwater.toml` can say.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "headwater.toml")]
pub struct Settings {
    /// What kind of domain this is.
    pub domain: DomainSettings,
    /// The interaction types that may be sent, by name: `[interactions.click]`.
    pub interactions: BTreeMap<String, InteractionSettings>,
    /// What items carry.
    pub items: ItemSettings,
    /// What users carry.
    pub users: UserSettings,
    /// What is sent about the moment of an interaction or a request.
    pub context: ContextSettings,
    /// What is known of users, items and moments, by name: `[features.item_ctr_1h]`. One definition, read by models
    /// online and in training.
    pub features: BTreeMap<String, FeatureSettings>,
    /// The places that ask for recommendations, by name: `[surfaces.home]`. Without any, `home` and `similar` exist.
    pub surfaces: BTreeMap<String, SurfaceSettings>,
    /// How models are trained.
    pub training: TrainingSettings,
    /// How their items are searched.
    pub index: IndexSettings,
    /// The log of events.
    pub log: LogSettings,
    /// The stream of decisions: what was recommended to whom.
    pub decisions: DecisionSettings,
    /// Both as Parquet, partitioned by day.
    pub archive: ArchiveSettings,
    /// The state folded from the log.
    pub views: ViewSettings,
    /// The HTTP server.
    pub server: ServerSettings,
    /// What one request or one key may ask for.
    pub limits: LimitSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            domain: DomainSettings::default(),
            interactions: BTreeMap::new(),
            items: ItemSettings::default(),
            users: UserSettings::default(),
            context: ContextSettings::default(),
            features: BTreeMap::new(),
            surfaces: SurfaceSettings::default_surfaces(),
            training: TrainingSettings::default(),
            index: IndexSettings::default(),
            log: LogSettings::default(),
            decisions: DecisionSettings::default(),
            archive: ArchiveSettings::default(),
            views: ViewSettings::default(),
            server: ServerSettings::default(),
            limits: LimitSettings::default(),
        }
    }
}

impl Settings {
    /// The JSON Schema of the file, for editors and for finding mistakes; sub-schemas stand where they are used.
    pub fn json_schema() -> &'static serde_json::Value {
        static SCHEMA: LazyLock<serde_json::Value> = LazyLock::new(|| {
            let mut settings = SchemaSettings::draft2020_12();
            settings.inline_subschemas = true;
            settings.into_generator().into_root_schema_for::<Settings>().to_value()
        });
        &SCHEMA
    }

    /// What is wrong between keys, as the path of the key at fault and what to say about it.
    ///
    /// Types and names were checked before; here a surface meets the models and fields it mentions, a feature its types.
    pub fn contradictions(&self) -> Vec<(String, String)> {
        let mut found = domain::contradictions(self);
        found.extend(features::contradictions(self));
        found.extend(surface::contradictions(self));
        found.extend(runtime::contradictions(self));
        found.extend(neighbours::contradictions(self));
        found.extend(archive::contradictions(self));
        found.extend(training::contradictions(self));
        found.extend(index::contradictions(self));
        found
    }

    /// A stable hash of the effective settings, logged with every decision.
    pub fn hash(&self) -> u64 {
        headwater_base::random::stable_hash(&serde_json::to_string(self).unwrap_or_default())
    }
}
