//! `headwater features export`.

use std::fs::File;
use std::io::{BufWriter, IsTerminal as _, Write};
use std::path::PathBuf;

use clap::Args;
use headwater_base::FeatureType;
use headwater_features::entity::Named;
use miette::{IntoDiagnostic as _, WrapErr as _};
use serde::Serialize;

use super::super::context::Context;
use super::super::failure::{Failure, usage};
use super::super::progress::Fold;
use super::present::{Present, PresentArgs};
use crate::export::ExportError;
use crate::export::values::{Format, ValueColumns, ValueTable};
use crate::output::counted;

/// Flags of `features export`.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Of which kind of entity: user, session, item, or a categorical field such as item.category.
    entity: String,
    /// Where to write, by the name's end: .parquet, .csv or .jsonl [default: standard output, as JSON lines].
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    present: PresentArgs,
}

#[derive(Serialize)]
struct Report<'a> {
    output: Option<&'a PathBuf>,
    entity: &'a str,
    time: String,
    rows: u64,
    features: Vec<String>,
}

pub(super) fn run(context: &Context, args: &ExportArgs) -> Result<(), Failure> {
    let format = format(context, args.output.as_ref())?;
    let present = Present::of(context, &args.present)?;
    let part = present.part(&args.entity)?;
    let named = present.named_with(&args.present, Named::default())?;
    let columns = named.clone().with(&part, "").columns(&present.options.plan);
    let declared: Vec<(String, FeatureType)> =
        present.options.plan.columns().map(|(label, form)| (label.to_string(), form)).collect();
    let features: Vec<_> = columns.iter().map(|column| declared[*column].clone()).collect();
    let report = Report {
        output: args.output.as_ref(),
        entity: &args.entity,
        time: present.time.to_string(),
        rows: 0,
        features: features.iter().map(|(label, _)| label.clone()).collect(),
    };
    let table = ValueColumns { ids: vec![args.entity.clone()], features };
    let write = |out: &mut (dyn Write + Send)| -> Result<u64, ExportError> {
        let mut table = ValueTable::new(out, format, table.clone())?;
        let ids = present.replay.entities(&part);
        let bar = Fold::new(context.output, ids.len() as u64, "rows");
        for id in &ids {
            let values = present.replay.values(&named.clone().with(&part, id), &columns, present.time);
            table.add(&[Some(id)], present.time, &values)?;
            bar.tick();
        }
        table.finish()?;
        bar.finish();
        Ok(bar.read())
    };
    let Some(path) = &args.output else {
        let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout());
        return match write(&mut out) {
            // The reader has seen enough: `headwater features export user | head`.
            Err(ExportError::Write { source, .. }) if source.kind() == std::io::ErrorKind::BrokenPipe => {
                Ok(())
            }
            Err(error) => Err(error.into()),
            Ok(rows) => {
                if std::io::stderr().is_terminal() {
                    context.output.note(describe(&Report { rows, ..report }));
                }
                Ok(())
            }
        };
    };
    let cannot = || format!("cannot write {}", path.display());
    let file = File::create(path).into_diagnostic().wrap_err_with(cannot)?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let rows = write(&mut out)?;
    out.flush().into_diagnostic().wrap_err_with(cannot)?;
    let report = Report { rows, ..report };
    Ok(context.output.result(&report, || describe(&report))?)
}

/// The format of an output; JSON lines on standard output.
pub(super) fn format(context: &Context, output: Option<&PathBuf>) -> Result<Format, Failure> {
    let Some(path) = output else {
        if context.output.is_json() {
            return Err(usage(
                "--json prints its document where the values would go",
                "write the values to a file with `--output FILE`",
            ));
        }
        return Ok(Format::Jsonl);
    };
    Format::of(path).ok_or_else(|| {
        let told = format!("cannot tell the format from the name {}", path.display());
        usage(told, "end it in .parquet, .csv or .jsonl")
    })
}

fn describe(report: &Report<'_>) -> String {
    let mut text = format!(
        "Exported {} by {}, {}",
        counted(report.features.len() as u64, "feature"),
        report.entity,
        counted(report.rows, "row")
    );
    if let Some(path) = report.output {
        text += &format!(" to {}", path.display());
    }
    text + &format!(", as of {}.", report.time)
}
