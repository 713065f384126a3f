//! The declared domain: interaction types and the typed fields of items, users and contexts.

use std::collections::BTreeMap;

use headwater_base::Schema;
use headwater_base::id::validate_id;
use headwater_base::schema::{InteractionType, RESERVED_TYPES};
use headwater_base::value::FieldType;
use schemars::{JsonSchema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::Settings;

/// `[domain]`
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DomainSettings {
    /// Whether people come back to items they already had. `true` for a shop, where bought things are bought again;
    /// `false` for films and news, where items already interacted with are not recommended.
    pub repeats: bool,
}

/// `[interactions.NAME]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InteractionSettings {
    /// How much one interaction of this type counts when taste is learnt. 0 stores it without learning from it.
    pub weight: f32,
}

impl Default for InteractionSettings {
    fn default() -> Self {
        Self { weight: 1.0 }
    }
}

/// Field names and their types.
pub type FieldSettings = BTreeMap<String, FieldType>;

/// `[items]`
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ItemSettings {
    /// The fields an item may carry, and their types: `category = "categorical"`.
    #[schemars(schema_with = "field_types")]
    pub fields: FieldSettings,
}

/// `[users]`
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UserSettings {
    /// The fields a user may carry, and their types: `country = "categorical"`.
    #[schemars(schema_with = "field_types")]
    pub fields: FieldSettings,
}

/// `[context]`
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ContextSettings {
    /// The fields an interaction or a request may carry about its moment, and their types: `device = "categorical"`.
    #[schemars(schema_with = "field_types")]
    pub fields: FieldSettings,
}

fn field_types(_: &mut SchemaGenerator) -> schemars::Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": {
            "description": "The type of the field.",
            "type": "string",
            "enum": ["categorical", "numeric", "tags", "text", "time", "vector"],
        },
    })
}

impl Settings {
    /// The domain as the rest of Headwater knows it.
    pub fn schema(&self) -> Schema {
        let fields = |declared: &FieldSettings| {
            declared.iter().map(|(name, kind)| (name.as_str().into(), *kind)).collect()
        };
        Schema {
            interactions: self
                .interactions
                .iter()
                .map(|(name, declared)| (name.as_str().into(), InteractionType { weight: declared.weight }))
                .collect(),
            items: fields(&self.items.fields),
            users: fields(&self.users.fields),
            context: fields(&self.context.fields),
            repeats: self.domain.repeats,
        }
    }
}

pub(super) fn contradictions(settings: &Settings) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if settings.interactions.is_empty() {
        found.push((
            "interactions".to_owned(),
            "no interaction type is declared: add at least one, such as `[interactions.click]`".to_owned(),
        ));
    }
    for (name, declared) in &settings.interactions {
        let path = format!("interactions.{name}");
        if RESERVED_TYPES.contains(&name.as_str()) {
            found.push((
                path.clone(),
                format!("`{name}` is reserved: choose another name for this interaction type"),
            ));
        }
        if validate_id("type", name).is_err() {
            found.push((path.clone(), format!("`{name}` is not a usable name for an interaction type")));
        }
        if !declared.weight.is_finite() || declared.weight < 0.0 {
            found.push((
                format!("{path}.weight"),
                format!("`{path}.weight` must be a finite number of at least 0"),
            ));
        }
    }
    if !settings.interactions.is_empty()
        && settings.interactions.values().all(|declared| declared.weight == 0.0)
    {
        found.push((
            "interactions".to_owned(),
            "every interaction type has weight 0, so nothing can be learnt: give at least one a positive weight"
                .to_owned(),
        ));
    }
    if settings.items.fields.contains_key("available") {
        found.push((
            "items.fields.available".to_owned(),
            "`available` is built in and says whether an item may be recommended: it is not declared"
                .to_owned(),
        ));
    }
    found
}
