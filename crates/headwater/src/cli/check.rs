//! `headwater check`: are the settings sound, and what is in effect.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::failure::Failure;
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
    };
    let text = render::effective(&loaded)?;
    context.output.note(format!("{} is sound.", path.as_deref().unwrap_or("The settings")));
    Ok(context.output.result(&checked, || text)?)
}
