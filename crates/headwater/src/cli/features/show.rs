//! `headwater features show`.

use clap::Args;
use headwater_features::declared::{Definition, FeatureSpec};
use headwater_registry::Registry;
use serde::Serialize;

use super::super::context::Context;
use super::super::failure::{Failure, usage};
use super::{Words, subtractable};
use crate::declared;

/// Flags of `features show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The feature's name.
    name: String,
}

#[derive(Serialize)]
struct Shown {
    name: String,
    versions: Vec<ShownVersion>,
}

#[derive(Serialize)]
struct ShownVersion {
    version: u32,
    /// When something first ran with it; nothing for what the settings say and nothing has run with.
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    /// Whether it is what the settings say now.
    current: bool,
    /// What form its values take.
    #[serde(rename = "type")]
    value_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subtractable: Option<bool>,
    definition: Definition,
}

pub(super) fn run(context: &Context, args: &ShowArgs) -> Result<(), Failure> {
    let loaded = context.settings()?;
    let registry = context.existing_registry()?;
    let resolved = declared::resolve(registry.as_ref(), &loaded.settings)?;
    let current = resolved.into_iter().find(|one| one.spec.name == args.name);
    let schema = loaded.settings.schema();
    let shown = |spec: FeatureSpec, created: Option<String>| ShownVersion {
        version: spec.version,
        created,
        current: current.as_ref().is_some_and(|current| current.spec.version == spec.version),
        value_type: spec.definition.feature_type(&schema).as_str(),
        subtractable: subtractable(&spec.definition),
        definition: spec.definition,
    };
    let mut versions = Vec::new();
    for (spec, created) in defined(registry.as_ref(), &args.name)? {
        versions.push(shown(spec, Some(created)));
    }
    if let Some(new) = current.as_ref().filter(|current| !current.is_defined) {
        versions.push(shown(new.spec.clone(), None));
    }
    if versions.is_empty() {
        let names: Vec<&str> = loaded.settings.features.keys().map(String::as_str).collect();
        let expected = headwater_base::schema::one_of(&names, &args.name);
        return Err(usage(
            format!("no feature `{}` is declared or ever was; expected {expected}", args.name),
            "`headwater features list` shows what is declared",
        ));
    }
    let shown = Shown { name: args.name.clone(), versions };
    Ok(context.output.result(&shown, || text(&shown))?)
}

/// Every version that was written down, with its time.
fn defined(registry: Option<&Registry>, name: &str) -> Result<Vec<(FeatureSpec, String)>, Failure> {
    let Some(registry) = registry else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for version in registry.definitions()?.into_iter().filter(|version| version.name == name) {
        let spec = declared::spec(&version).map_err(headwater_registry::RegistryError::from)?;
        found.push((spec, version.created.to_string()));
    }
    Ok(found)
}

fn text(shown: &Shown) -> String {
    let blocks: Vec<String> = shown.versions.iter().map(|version| block(&shown.name, version)).collect();
    blocks.join("\n\n")
}

fn block(name: &str, version: &ShownVersion) -> String {
    let state = match (&version.created, version.current) {
        (Some(created), true) => format!("since {created}, current"),
        (Some(created), false) => format!("since {created}"),
        (None, _) => "new: nothing has run with it yet".to_owned(),
    };
    let mut lines = vec![format!("{name}@{}  {state}", version.version)];
    let Words { entity, aggregate, types, window, decay, conditions } = Words::of(&version.definition);
    let parts = [
        ("entity", entity),
        ("aggregate", aggregate),
        ("types", types),
        ("window", window),
        ("decay", decay),
        ("where", conditions),
        ("type", version.value_type.to_owned()),
        ("window by", cost(version.subtractable).to_owned()),
    ];
    for (key, value) in parts.into_iter().filter(|(_, value)| !value.is_empty()) {
        lines.push(format!("{key:<9} {value}"));
    }
    lines.join("\n")
}

fn cost(subtractable: Option<bool>) -> &'static str {
    match subtractable {
        Some(true) => "subtracting one running total from another",
        Some(false) => "merging its tiles",
        None => "",
    }
}
