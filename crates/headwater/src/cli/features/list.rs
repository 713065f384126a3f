//! `headwater features list`.

use headwater_features::declared::Definition;
use serde::Serialize;

use super::super::context::Context;
use super::super::failure::Failure;
use super::{Words, subtractable};
use crate::declared;
use crate::output::Table;
use crate::settings::Settings;

#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    version: u32,
    /// Whether the version is written down; it is once something runs with these settings.
    defined: bool,
    definition: &'a Definition,
    /// What form its values take.
    #[serde(rename = "type")]
    value_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subtractable: Option<bool>,
    surfaces: Vec<&'a str>,
    /// Champions were trained on this version or an older one.
    needed: Vec<String>,
}

pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let loaded = context.settings()?;
    let settings = &loaded.settings;
    let registry = context.existing_registry()?;
    let resolved = declared::resolve(registry.as_ref(), settings)?;
    let needed = match &registry {
        Some(registry) => declared::needed(registry, settings)?,
        None => Vec::new(),
    };
    let schema = settings.schema();
    let listed: Vec<Listed<'_>> = resolved
        .iter()
        .map(|one| {
            let name = one.spec.name.as_str();
            let of_this = |label: &&String| label.split_once('@').is_some_and(|(of, _)| of == name);
            Listed {
                name,
                version: one.spec.version,
                defined: one.is_defined,
                definition: &one.spec.definition,
                value_type: one.spec.definition.feature_type(&schema).as_str(),
                subtractable: subtractable(&one.spec.definition),
                surfaces: surfaces(settings, name),
                needed: needed.iter().filter(of_this).cloned().collect(),
            }
        })
        .collect();
    Ok(context.output.result(&serde_json::json!({ "features": listed }), || text(&listed))?)
}

/// The surfaces that read the feature, by name.
fn surfaces<'a>(settings: &'a Settings, feature: &str) -> Vec<&'a str> {
    let names = settings.surfaces.keys().map(String::as_str);
    names.filter(|surface| settings.features_of(surface).contains(&feature)).collect()
}

fn text(listed: &[Listed<'_>]) -> String {
    if listed.is_empty() {
        return "No feature is declared: docs/features.md says how to declare one.".to_owned();
    }
    let mut table = Table::new([
        "feature",
        "entity",
        "aggregate",
        "types",
        "window",
        "decay",
        "where",
        "type",
        "subtractable",
        "surfaces",
    ]);
    for one in listed {
        let Words { entity, aggregate, types, window, decay, conditions } = Words::of(one.definition);
        let new = if one.defined { "" } else { " (new)" };
        let subtractable = match one.subtractable {
            Some(true) => "yes",
            Some(false) => "no",
            None => "",
        };
        table.row([
            format!("{}@{}{new}", one.name, one.version),
            entity,
            aggregate,
            types,
            window,
            decay,
            conditions,
            one.value_type.to_owned(),
            subtractable.to_owned(),
            one.surfaces.join(" "),
        ]);
    }
    table.render()
}
