//! `headwater init`: writes a commented settings file to start from.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use miette::{IntoDiagnostic as _, WrapErr as _};
use serde::Serialize;

use super::context::Context;
use super::failure::{Failure, failed, usage};
use crate::settings::templates::{TEMPLATES, template};

/// Flags of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The domain to start from.
    #[arg(long, value_name = "NAME", default_value = "shop",
          value_parser = PossibleValuesParser::new(TEMPLATES.map(|(name, _)| name)))]
    template: String,
    /// Where to write it.
    #[arg(long, short, value_name = "FILE", default_value = "headwater.toml")]
    output: PathBuf,
    /// Replace a file that exists.
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
struct Written {
    path: PathBuf,
    template: String,
}

pub(super) fn run(context: &Context, args: &InitArgs) -> Result<(), Failure> {
    let text = template(&args.template).ok_or_else(|| {
        usage(format!("no template is called {}", args.template), "try `headwater init --help`")
    })?;
    if args.output.exists() && !args.force {
        return Err(failed(
            "file_exists",
            format!("{} exists", args.output.display()),
            "replace it with --force, or write elsewhere with --output FILE",
        ));
    }
    std::fs::write(&args.output, text)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot write {}", args.output.display()))?;
    let written = Written { path: args.output.clone(), template: args.template.clone() };
    context.output.result(&written, || {
        format!(
            "Wrote {} for the domain `{}`. Change it to your own interactions and fields, then run `headwater check`.",
            written.path.display(),
            written.template
        )
    })?;
    Ok(())
}
