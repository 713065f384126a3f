//! The places that ask for recommendations.

use std::collections::BTreeMap;

use headwater_base::schema::one_of;
use headwater_base::value::FieldType;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Period, Settings};

/// `[surfaces.NAME]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SurfaceSettings {
    /// Where candidates come from: `ials` (a trained model), `neighbours` (of what was touched last, or of the item
    /// the request is about), `trending`, `popular`.
    pub sources: Vec<String>,
    /// What is taken away, in this order: `seen`, `available`, `max_per_FIELD(N)` for a categorical item field.
    pub filters: Vec<String>,
    /// How long an answer may take before a worse rung of the ladder answers.
    pub deadline: Period,
}

impl Default for SurfaceSettings {
    fn default() -> Self {
        Self {
            sources: ["ials", "neighbours", "trending", "popular"].map(str::to_owned).to_vec(),
            filters: ["seen", "available"].map(str::to_owned).to_vec(),
            deadline: Period::millis(50),
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
}

/// The sources there are.
pub const SOURCES: [&str; 4] = ["ials", "neighbours", "popular", "trending"];

/// What a filter's text says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterText<'a> {
    /// Items the actor already interacted with.
    Seen,
    /// Items that are not available.
    Available,
    /// All but the best `limit` of each value of a categorical item field.
    MaxPer {
        /// The field.
        field: &'a str,
        /// How many of each value stay.
        limit: usize,
    },
}

/// Reads one filter; `Err` says what is wrong.
pub fn parse_filter(text: &str) -> Result<FilterText<'_>, String> {
    match text {
        "seen" => return Ok(FilterText::Seen),
        "available" => return Ok(FilterText::Available),
        _ => {}
    }
    let per = text
        .strip_prefix("max_per_")
        .and_then(|rest| rest.strip_suffix(')'))
        .and_then(|rest| rest.split_once('('));
    match per {
        Some((field, limit)) => match limit.trim().parse() {
            Ok(limit) if limit > 0 => Ok(FilterText::MaxPer { field, limit }),
            _ => Err(format!(
                "`{text}` needs a number of at least 1 in its brackets, as in max_per_{field}(3)"
            )),
        },
        None => Err(format!(
            "unknown filter `{text}`; expected {} or max_per_FIELD(N)",
            one_of(&["available", "seen"], text)
        )),
    }
}

pub(super) fn contradictions(settings: &Settings) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, surface) in &settings.surfaces {
        let path = format!("surfaces.{name}");
        let sources = format!("{path}.sources");
        if surface.sources.is_empty() {
            found.push((sources.clone(), format!("`{sources}` must name at least one source")));
        }
        for (index, source) in surface.sources.iter().enumerate() {
            if !SOURCES.contains(&source.as_str()) {
                found.push((
                    sources.clone(),
                    format!("unknown source `{source}` in `{path}`; expected {}", one_of(&SOURCES, source)),
                ));
            }
            if surface.sources[..index].contains(source) {
                found.push((sources.clone(), format!("`{path}` names the source `{source}` twice")));
            }
        }
        for filter in &surface.filters {
            let filters = format!("{path}.filters");
            match parse_filter(filter) {
                Err(problem) => found.push((filters, problem)),
                Ok(FilterText::MaxPer { field, .. }) => match settings.items.fields.get(field) {
                    Some(FieldType::Categorical) => {}
                    Some(_) => found
                        .push((filters, format!("`{filter}` needs a categorical field; `{field}` is not"))),
                    None => {
                        let categorical: Vec<&str> = settings
                            .items
                            .fields
                            .iter()
                            .filter(|(_, kind)| **kind == FieldType::Categorical)
                            .map(|(name, _)| name.as_str())
                            .collect();
                        found.push((
                            filters,
                            format!(
                                "`{filter}` speaks of an item field that is not declared; expected {}",
                                one_of(&categorical, field)
                            ),
                        ));
                    }
                },
                Ok(FilterText::Seen | FilterText::Available) => {}
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
    fn filters_are_read_from_their_text() {
        assert_eq!(parse_filter("seen"), Ok(FilterText::Seen));
        assert_eq!(
            parse_filter("max_per_category(3)"),
            Ok(FilterText::MaxPer { field: "category", limit: 3 })
        );
        assert!(parse_filter("max_per_category(0)").is_err());
        assert!(parse_filter("sen").unwrap_err().contains("expected seen or available"));
    }
}
