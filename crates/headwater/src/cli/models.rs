//! `headwater models`: what is registered, what serves, and how it came to be.

use clap::{Args, Subcommand};
use headwater_registry::models::CHAMPION;
use headwater_registry::{AliasChange, ModelVersion, Registry};
use serde::Serialize;

use super::context::Context;
use super::failure::{Failure, usage};
use crate::output::{Table, thousands};

/// Flags of `models`.
#[derive(Debug, Args)]
pub struct ModelsArgs {
    #[command(subcommand)]
    action: ModelsAction,
}

#[derive(Debug, Subcommand)]
enum ModelsAction {
    /// List every version of every model.
    List,
    /// Show one version: options, metrics, lineage, files and the history of its aliases.
    Show {
        /// `NAME` for the champion (or else the newest version), `NAME@VERSION` for another.
        model: String,
    },
    /// Make a version the champion: a running server takes it within a second.
    Promote {
        /// `NAME@VERSION`, or `NAME` for the newest version.
        model: String,
    },
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    version: ModelVersion,
    history: Vec<AliasChange>,
}

pub(super) fn run(context: &Context, args: &ModelsArgs) -> Result<(), Failure> {
    let registry = context.registry()?;
    match &args.action {
        ModelsAction::List => list(context, &registry),
        ModelsAction::Show { model } => show(context, &registry, model),
        ModelsAction::Promote { model } => promote(context, &registry, model),
    }
}

fn list(context: &Context, registry: &Registry) -> Result<(), Failure> {
    let versions = registry.list()?;
    Ok(context.output.result(&serde_json::json!({ "models": versions }), || {
        if versions.is_empty() {
            return "No model is registered: `headwater train --model ials` makes one.".to_owned();
        }
        let mut table = Table::new(["model", "version", "aliases", "kind", "created", "bytes"]);
        for version in &versions {
            let bytes: u64 = version.manifest.files.iter().map(|file| file.bytes).sum();
            table.row([
                version.name.clone(),
                version.version.to_string(),
                version.aliases.join(" "),
                version.manifest.kind.clone(),
                version.created.to_string(),
                thousands(bytes),
            ]);
        }
        table.render()
    })?)
}

fn show(context: &Context, registry: &Registry, model: &str) -> Result<(), Failure> {
    let (name, version) = parse(model)?;
    let version = match version {
        Some(version) => registry.show(name, version)?,
        None => match registry.champion(name)? {
            Some(champion) => champion,
            None => registry.show(name, newest(registry, name)?)?,
        },
    };
    let history = registry.history(name)?;
    let shown = Shown { version, history };
    Ok(context.output.result(&shown, || describe(&shown))?)
}

fn describe(shown: &Shown) -> String {
    let ModelVersion { name, version, created, status, aliases, manifest } = &shown.version;
    let mut lines = vec![
        format!(
            "{name}@{version}  {}",
            if aliases.is_empty() { "(no alias)".to_owned() } else { aliases.join(" ") }
        ),
        format!("kind      {} (format {})", manifest.kind, manifest.format),
        format!("created   {created}, {status}"),
        format!(
            "lineage   log offsets {:?} to {:?}, settings {}, seed {}, code {}",
            manifest.lineage.log_from,
            manifest.lineage.log_to,
            manifest.lineage.settings,
            manifest.lineage.seed,
            manifest.lineage.code
        ),
    ];
    lines.extend(manifest.options.iter().map(|(option, value)| format!("option    {option} = {value}")));
    lines.extend(manifest.features.iter().map(|label| format!("reads     {label}")));
    lines.extend(manifest.metrics.iter().map(|(metric, value)| format!("metric    {metric} = {value}")));
    lines.extend(
        manifest
            .files
            .iter()
            .map(|file| format!("file      {} ({} bytes)", file.name, thousands(file.bytes))),
    );
    lines.extend(shown.history.iter().map(|change| {
        let before = change.before.map_or_else(|| "nothing".to_owned(), |version| format!("@{version}"));
        format!(
            "history   {} {}: {before} to @{} by {}",
            change.changed, change.alias, change.after, change.who
        )
    }));
    lines.join("\n")
}

fn promote(context: &Context, registry: &Registry, model: &str) -> Result<(), Failure> {
    let (name, version) = parse(model)?;
    let version = match version {
        Some(version) => version,
        None => newest(registry, name)?,
    };
    let change = registry.promote(name, version, "headwater models promote")?;
    Ok(context.output.result(&change, || match change.before {
        Some(before) if before == version => format!("{name}@{version} was the {CHAMPION} already."),
        Some(before) => format!("{name}@{version} is the {CHAMPION}; before it was @{before}."),
        None => format!("{name}@{version} is the {CHAMPION}."),
    })?)
}

/// The newest version; the registry's own error, which names what there is, where the model is unknown.
fn newest(registry: &Registry, name: &str) -> Result<u64, Failure> {
    match registry.latest(name)? {
        Some(version) => Ok(version),
        None => Ok(registry.show(name, 1).map(|version| version.version)?),
    }
}

fn parse(model: &str) -> Result<(&str, Option<u64>), Failure> {
    let Some((name, version)) = model.split_once('@') else { return Ok((model, None)) };
    match version.parse() {
        Ok(version) => Ok((name, Some(version))),
        Err(_) => Err(usage(
            format!("`{model}` is no model: `{version}` is not a version"),
            "write NAME@VERSION, as in ials@3",
        )),
    }
}
