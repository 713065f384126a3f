//! `headwater check`: are the settings sound, and what is in effect.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::failure::Failure;
use crate::declared;
use crate::settings::{Settings, render};

/// Flags of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Print the JSON Schema of the settings file instead.
    #[arg(long)]
    schema: bool,
}

#[derive(Serialize)]
struct Checked<'a> {
    path: Option<String>,
    settings: &'a Settings,
    overridden: &'a BTreeMap<String, String>,
    hash: String,
    warnings: Vec<String>,
}

pub(super) fn run(context: &Context, args: &CheckArgs) -> Result<(), Failure> {
    if args.schema {
        let schema = Settings::json_schema();
        return Ok(context.output.result(schema, || format!("{schema:#}"))?);
    }
    let loaded = context.settings()?;
    let path = loaded.path.as_ref().map(|path| path.display().to_string());
    let checked = Checked {
        path: path.clone(),
        settings: &loaded.settings,
        overridden: loaded.overridden(),
        hash: format!("{:016x}", loaded.settings.hash()),
        warnings: warnings(context, &loaded.settings)?,
    };
    let text = render::effective(&loaded)?;
    context.output.note(format!("{} is sound.", path.as_deref().unwrap_or("The settings")));
    for warning in &checked.warnings {
        context.output.note(format!("warning: {warning}"));
    }
    Ok(context.output.result(&checked, || text)?)
}

/// What is no mistake and yet hardly meant.
fn warnings(context: &Context, settings: &Settings) -> Result<Vec<String>, Failure> {
    let needed = match context.existing_registry()? {
        Some(registry) => declared::needed(&registry, settings)?,
        None => Vec::new(),
    };
    let unread = settings.unread_features(&needed);
    Ok(unread
        .into_iter()
        .map(|name| {
            format!(
                "nobody reads the feature `{name}`: no surface that logs vectors lists it, and no champion needs it"
            )
        })
        .collect())
}
