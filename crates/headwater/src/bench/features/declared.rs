//! The features that are benchmarked, as settings would declare them.

use std::sync::Arc;

use headwater_base::Schema;
use headwater_features::declared::FeatureSpec;
use headwater_features::{Plan, ViewsOptions};

use crate::bench::BenchError;
use crate::settings::load::Loaded;

/// Interaction types in the order of their numbers in a [`super::moments::Moment`].
pub(super) const KINDS: [&str; 3] = ["impression", "click", "purchase"];

/// The domain.
pub(super) const DOMAIN: &str = r#"
[interactions.impression]
weight = 0.1
[interactions.click]
weight = 1.0
[interactions.purchase]
weight = 5.0

[items.fields]
category = "categorical"
"#;

/// Twenty features over users, items, categories and pairs of user and category.
pub(super) const TWENTY: &str = include_str!("twenty.toml");

/// The five that a peer computes by joins as well.
pub(super) const FIVE: &str = r#"
[features.user_clicks_1d]
entity = "user"
aggregate = { count = "click" }
window = "1d"
[features.user_spent_7d]
entity = "user"
aggregate = { sum = "purchase" }
window = "7d"
[features.item_clicks_1h]
entity = "item"
aggregate = { count = "click" }
window = "1h"
[features.item_ctr_1d]
entity = "item"
aggregate = { rate = ["click", ["click", "impression"]], prior = [1, 20] }
window = "1d"
[features.user_category_clicks_7d]
entity = ["user", "item.category"]
aggregate = { count = "click" }
window = "7d"
"#;

/// Declared features, compiled.
pub(super) struct Declared {
    pub(super) schema: Schema,
    pub(super) options: ViewsOptions,
    /// By column.
    pub(super) names: Vec<String>,
}

impl Declared {
    /// Compiles the `features` of the domain.
    pub(super) fn compile(features: &str) -> Result<Self, BenchError> {
        let loaded = Loaded::built_in(&format!("{DOMAIN}{features}"))
            .map_err(|error| BenchError::Answer(format!("the benchmark's settings: {error}")))?;
        let refused = |invalid| BenchError::Answer(format!("the benchmark's features: {invalid}"));
        let specs = loaded.settings.features().map_err(refused)?;
        Self::of(&specs, loaded.settings.schema()).map_err(refused)
    }

    fn of(specs: &[FeatureSpec], schema: Schema) -> Result<Self, headwater_base::Invalid> {
        let plan = Arc::new(Plan::new(specs, &schema)?);
        let options = ViewsOptions { plan, threads: 1, ..ViewsOptions::default() };
        Ok(Self { names: specs.iter().map(|spec| spec.name.to_string()).collect(), schema, options })
    }

    /// All columns.
    pub(super) fn columns(&self) -> Vec<usize> {
        (0..self.names.len()).collect()
    }
}
