//! What `features check` tells.

use std::collections::BTreeMap;
use std::path::Path;

use headwater_base::FeatureValue;
use headwater_features::agreement::{Agreement, FeatureAgreement};
use headwater_log::Offset;
use serde::Serialize;

use super::survey::Survey;
use crate::output::{Table, thousands};

#[derive(Serialize)]
pub(super) struct Report<'a> {
    pub(super) data_dir: &'a Path,
    pub(super) seconds: f64,
    /// Events folded.
    pub(super) replayed: u64,
    /// The first offset that the log holds.
    pub(super) log_start: Offset,
    /// Where the checkpoint stands from which the replay went on, since the log's beginning is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from_checkpoint: Option<Offset>,
    #[serde(flatten)]
    pub(super) survey: Survey,
    /// Why features are not computed, by name and version.
    pub(super) reasons: BTreeMap<String, String>,
    #[serde(flatten)]
    pub(super) found: Agreement,
}

pub(super) fn describe(report: &Report<'_>) -> String {
    let found = &report.found;
    let mut text = table(&found.features);
    text += &format!(
        "\n{} values of {} decisions compared with a replay of {} events: {} differ.\n",
        thousands(found.compared),
        thousands(found.decisions),
        thousands(report.replayed),
        if found.different == 0 { "none".to_owned() } else { thousands(found.different) },
    );
    if let Some(from) = report.from_checkpoint {
        text += &format!(
            "The log starts at offset {}; the replay went on from a checkpoint at offset {from}.\n",
            report.log_start
        );
    }
    let skipped = &found.skipped;
    let told = [
        (
            report.survey.logged - report.survey.sampled,
            "decisions with logged features are not in the sample",
        ),
        (report.survey.erased_decisions, "decisions were for users who were erased since"),
        (skipped.before_log, "decisions were skipped: the log no longer holds what came before them"),
        (skipped.ahead_of_log, "decisions were skipped: the log does not hold everything that they had seen"),
        (skipped.overtaken, "decisions were skipped: they were written long after others that had seen more"),
        (skipped.unknown_schema, "decisions were skipped: nobody remembers which features they logged"),
        (skipped.unfitting, "decisions were skipped: what they logged does not fit what they showed"),
        (
            found.erased,
            "values differ and are not counted: records that may have been part of them were erased since",
        ),
    ];
    for (count, told) in told.into_iter().filter(|(count, _)| *count > 0) {
        text += &format!("{} {told}.\n", thousands(count));
    }
    for (feature, reason) in &report.reasons {
        text += &format!("{feature} was not compared: {reason}.\n");
    }
    if !found.differences.is_empty() {
        text += &format!("\n{}", differences(report));
    }
    text
}

fn table(features: &[FeatureAgreement]) -> String {
    let mut table = Table::new(["feature", "compared", "different", "missing", "extra", "symmetric error"]);
    for one in features {
        let counts = [one.compared, one.different, one.missing, one.extra].map(thousands);
        let error = one.symmetric_error.map_or_else(String::new, |error| format!("{error:.6}"));
        table.row(std::iter::once(one.feature.to_string()).chain(counts).chain([error]));
    }
    table.render()
}

fn differences(report: &Report<'_>) -> String {
    let mut table = Table::new(["feature", "served", "replayed", "offset", "time", "request", "item"]);
    for one in &report.found.differences {
        table.row([
            one.feature.to_string(),
            shown(&one.served),
            shown(&one.replayed),
            one.position.to_string(),
            one.time.to_string(),
            one.request_id.to_string(),
            one.item.to_string(),
        ]);
    }
    table.render()
}

fn shown(value: &FeatureValue) -> String {
    super::super::shown(value).unwrap_or_else(|| "missing".to_owned())
}
