//! `headwater features backfill`: features over the whole history, before a server needs them or as a table.

mod checkpoint;
mod table;

use std::path::PathBuf;

use clap::Args;

use super::super::context::Context;
use super::super::failure::{Failure, failed};

/// Flags of `features backfill`.
#[derive(Debug, Args)]
pub(super) struct BackfillArgs {
    /// Write a table instead: for each interaction of the log, what the features were just before it. By the name's end:
    /// .parquet, .csv or .jsonl.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Of the table, only these features; several with commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "output")]
    only: Vec<String>,
}

pub(super) fn run(context: &Context, args: &BackfillArgs) -> Result<(), Failure> {
    match &args.output {
        Some(output) => table::run(context, output, &args.only),
        None => checkpoint::run(context),
    }
}

fn no_features() -> Failure {
    failed(
        "no_features",
        "no feature is declared",
        "declare features in the settings, as in `[features.NAME]`: docs/features.md",
    )
}
