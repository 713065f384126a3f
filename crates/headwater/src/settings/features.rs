//! Declared features: `[features.NAME]`, and what it says in the words of the feature store.
//!
//! Written for people, the table has one key for each aggregate and a word or a list where either will do. Here it
//! becomes a [`Definition`] in one canonical form, so that two ways to write one feature are one version.

use std::collections::BTreeMap;

use compact_str::CompactString;
use headwater_base::schema::one_of;
use headwater_base::{Invalid, Schema};
use headwater_features::EncoderSpec;
use headwater_features::declared::{
    AggregateSpec, Conditions, Definition, FeatureSpec, FieldRef, Part, Plan, TimeFeature, check,
};
use schemars::{JsonSchema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::aggregate::AggregateSettings;
use super::problem::sentence;
use super::{Period, Settings};

/// `[features.NAME]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FeatureSettings {
    /// Whose interactions are aggregated: `user`, `session`, `item`, a categorical field such as `item.category`,
    /// `user.country` or `context.device`, or a pair such as `["user", "item.category"]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Words")]
    pub entity: Option<Words>,
    /// What becomes of the interactions, as `{ count = "click" }`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AggregateSettings")]
    pub aggregate: Option<AggregateSettings>,
    /// How far back interactions count, from 5m to 730d. Everything counts where it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Period")]
    pub window: Option<Period>,
    /// Half-life after which an interaction counts half; for `count`, `sum`, `mean` and `rate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Period")]
    pub decay: Option<Period>,
    /// What interactions must satisfy besides, as `{ value = { min = 1.0 }, context = { device = "mobile" } }`.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "WhereSettings")]
    pub conditions: Option<WhereSettings>,
    /// Instead of an aggregate: a field as it is at the moment, such as `item.price`, `user.country`, `context.device`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub field: Option<String>,
    /// Instead of an aggregate: something about the moment itself. Hours and days are UTC; `session_length` counts the
    /// interactions of the session so far, `session_seconds` and `item_age` count seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time_features")]
    pub time: Option<TimeFeature>,
    /// How models read it, as `log1p`, `quantile_bins(16)`, `one_hot(50, min_count=5)` or `hashed(1024)`; see
    /// docs/features.md. No part of the definition: each trained model keeps the encoders it was trained with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub encode: Option<EncoderSpec>,
}

/// What interactions must satisfy to count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WhereSettings {
    /// Which values count; an interaction without a value does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ValueSettings")]
    pub value: Option<ValueSettings>,
    /// Categorical context fields and the word, or the words, that they may have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, Words>,
}

/// Bounds of the values that count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ValueSettings {
    /// Smallest value that counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f32")]
    pub min: Option<f32>,
    /// Largest value that counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f32")]
    pub max: Option<f32>,
}

/// A word, or a list of words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Words {
    /// `"click"`
    One(String),
    /// `["click", "purchase"]`
    Several(Vec<String>),
}

impl Words {
    /// The words as they were written.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let words = match self {
            Self::One(word) => std::slice::from_ref(word),
            Self::Several(words) => words.as_slice(),
        };
        words.iter().map(String::as_str)
    }

    /// The words in order; one that is there twice stays twice, to be refused.
    pub(super) fn sorted(&self) -> Vec<CompactString> {
        let mut words: Vec<CompactString> = self.iter().map(CompactString::from).collect();
        words.sort_unstable();
        words
    }
}

impl JsonSchema for Words {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Words".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> schemars::Schema {
        json_schema!({ "type": ["string", "array"], "items": { "type": "string" } })
    }
}

fn time_features(_: &mut SchemaGenerator) -> schemars::Schema {
    json_schema!({ "type": "string", "enum": TimeFeature::ALL.map(|(name, _)| name) })
}

impl FeatureSettings {
    /// What the table says, in canonical form. The words are known to be words; whether they fit is
    /// [`FeatureSpec::check`]'s to say.
    ///
    /// # Errors
    /// A word that is none, a key that is missing, or one that belongs elsewhere; named by its path in the table.
    pub fn definition(&self, schema: &Schema) -> Result<Definition, Invalid> {
        let kinds = "`entity` with `aggregate`, or `field`, or `time`";
        match (&self.aggregate, &self.field, self.time) {
            (Some(aggregate), None, None) => self.aggregate(aggregate, schema).map(Definition::Aggregate),
            (None, Some(field), None) => {
                self.alone("field")?;
                FieldRef::parse(field)
                    .map(Definition::Field)
                    .ok_or_else(|| check::unknown("field", field, &check::known_fields(schema)))
            }
            (None, None, Some(time)) => {
                self.alone("time")?;
                Ok(Definition::Time(time))
            }
            (None, None, None) if self.entity.is_some() => {
                Err(Invalid::missing("aggregate", "an aggregate, as in { count = \"click\" }"))
            }
            (None, None, None) => Err(Invalid::missing("", kinds)),
            (aggregate, field, _) => {
                let both = match (aggregate, field) {
                    (Some(_), Some(_)) => "aggregate and field",
                    (Some(_), None) => "aggregate and time",
                    _ => "field and time",
                };
                Err(Invalid::new("ambiguous", "", both, format!("one kind of feature: {kinds}")))
            }
        }
    }

    /// Refuses the keys of an aggregate beside `kind`.
    fn alone(&self, kind: &str) -> Result<(), Invalid> {
        let beside = [
            ("entity", self.entity.is_some()),
            ("window", self.window.is_some()),
            ("decay", self.decay.is_some()),
            ("where", self.conditions.is_some()),
        ];
        match beside.into_iter().find(|(_, is_there)| *is_there) {
            Some((key, _)) => {
                Err(Invalid::new("misplaced", key, key, format!("it with an `aggregate`, not with `{kind}`")))
            }
            None => Ok(()),
        }
    }

    fn aggregate(&self, aggregate: &AggregateSettings, schema: &Schema) -> Result<AggregateSpec, Invalid> {
        let Some(entity) = &self.entity else {
            let expected = "whose interactions are meant, as in entity = \"item\"";
            return Err(Invalid::missing("entity", expected));
        };
        let part = |word: &str| {
            Part::parse(word).ok_or_else(|| check::unknown("entity", word, &check::known_parts(schema)))
        };
        let mut entity = entity.iter().map(part).collect::<Result<Vec<_>, _>>()?;
        // A pair means the same either way round.
        entity.sort_unstable();
        let (types, aggregate) = aggregate.read(schema)?;
        let conditions = self.conditions.as_ref().map(WhereSettings::conditions).transpose()?;
        Ok(AggregateSpec {
            entity,
            aggregate,
            types,
            window: self.window.map(|window| window.0),
            decay: self.decay.map(|decay| decay.0),
            conditions: conditions.unwrap_or_default(),
        })
    }
}

impl WhereSettings {
    fn conditions(&self) -> Result<Conditions, Invalid> {
        if self.value.is_none() && self.context.is_empty() {
            return Err(Invalid::missing("where", "a condition, as in { value = { min = 1.0 } }"));
        }
        let value = self.value.clone().unwrap_or_default();
        let context = self.context.iter().map(|(name, words)| (name.as_str().into(), words.sorted()));
        Ok(Conditions { min_value: value.min, max_value: value.max, context: context.collect() })
    }
}

impl Settings {
    /// The declared features by name, each as version 0: the control database gives the versions.
    ///
    /// # Errors
    /// The first feature that cannot be; what [`Settings::contradictions`] accepts can.
    pub fn features(&self) -> Result<Vec<FeatureSpec>, Invalid> {
        let schema = self.schema();
        self.features.iter().map(|(name, feature)| spec(name, feature, &schema)).collect()
    }

    /// The encoders of features by name, where one is named; the others have [`EncoderSpec::default_for`] their values.
    pub fn encoders(&self) -> BTreeMap<&str, EncoderSpec> {
        self.features.iter().filter_map(|(name, feature)| Some((name.as_str(), feature.encode?))).collect()
    }

    /// The names of the features that a surface reads, sorted: those it lists, or else all that are declared.
    pub fn features_of(&self, surface: &str) -> Vec<&str> {
        let listed = self.surfaces.get(surface).and_then(|surface| surface.features.as_ref());
        let mut names: Vec<&str> = match listed {
            Some(listed) => listed.iter().map(String::as_str).collect(),
            None => self.features.keys().map(String::as_str).collect(),
        };
        names.sort_unstable();
        names
    }

    /// Declared features that nobody reads: no surface that logs vectors lists them, and none of the `needed` labels
    /// (`NAME@VERSION`, what the champions were trained on) names them.
    pub fn unread_features(&self, needed: &[String]) -> Vec<&str> {
        let surfaces = self.surfaces.iter().filter(|(_, surface)| surface.logged_share > 0.0);
        let mut read: Vec<&str> = surfaces.flat_map(|(name, _)| self.features_of(name)).collect();
        read.extend(needed.iter().filter_map(|label| label.split_once('@')).map(|(name, _)| name));
        self.features.keys().map(String::as_str).filter(|name| !read.contains(name)).collect()
    }
}

fn spec(name: &str, feature: &FeatureSettings, schema: &Schema) -> Result<FeatureSpec, Invalid> {
    let spec = FeatureSpec { name: name.into(), version: 0, definition: feature.definition(schema)? };
    spec.check(schema)?;
    if let Some(encoder) = &feature.encode {
        let form = spec.definition.feature_type(schema);
        if !encoder.takes(form) {
            let default = EncoderSpec::default_for(form);
            let expected = format!("an encoder of {} values, such as {default}", form.as_str());
            return Err(Invalid::new("wrong_encoder", "encode", encoder, expected));
        }
    }
    Ok(spec)
}

pub(super) fn contradictions(settings: &Settings) -> Vec<(String, String)> {
    let schema = settings.schema();
    let mut found = Vec::new();
    for (name, feature) in &settings.features {
        let path = format!("features.{name}");
        if let Err(invalid) = spec(name, feature, &schema) {
            let key = match invalid.field.as_str() {
                "" | "name" => path,
                field => format!("{path}.{field}"),
            };
            found.push((key, sentence(&invalid)));
        }
    }
    if found.is_empty() {
        found.extend(too_many(settings, &schema));
    }
    let names: Vec<&str> = settings.features.keys().map(String::as_str).collect();
    for (surface, declared) in &settings.surfaces {
        let path = format!("surfaces.{surface}");
        let listed = declared.features.as_deref().unwrap_or_default();
        for (index, name) in listed.iter().enumerate() {
            if !names.contains(&name.as_str()) {
                let problem = format!("`{name}` is no declared feature; expected {}", one_of(&names, name));
                found.push((format!("{path}.features"), problem));
            } else if listed[..index].contains(name) {
                found.push((format!("{path}.features"), format!("`{name}` is listed twice")));
            }
        }
        if !(0.0..=1.0).contains(&declared.logged_share) {
            let key = format!("{path}.logged_share");
            let problem = format!("`{key}` must be a share between 0 and 1, not {}", declared.logged_share);
            found.push((key, problem));
        }
    }
    found
}

/// What all features together ask too much of.
fn too_many(settings: &Settings, schema: &Schema) -> Option<(String, String)> {
    let compiled = settings.features().and_then(|specs| Plan::new(&specs, schema));
    compiled.err().map(|invalid| (invalid.field.to_string(), sentence(&invalid)))
}

#[cfg(test)]
mod tests;
