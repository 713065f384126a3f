//! `headwater features`: what is declared, every definition it has had, and whether what was served holds.

mod backfill;
mod check;
mod export;
mod list;
mod present;
mod show;
mod values;

use clap::{Args, Subcommand};
use headwater_base::FeatureValue;
use headwater_features::declared::{Aggregate, AggregateSpec, Definition, TimeFeature};

use super::context::Context;
use super::failure::Failure;
use crate::settings::Period;

/// Flags of `features`.
#[derive(Debug, Args)]
pub struct FeaturesArgs {
    #[command(subcommand)]
    action: FeaturesAction,
}

#[derive(Debug, Subcommand)]
enum FeaturesAction {
    /// List the declared features: what they are, and which surfaces read them.
    List,
    /// Show every version of a feature with its definition.
    Show(show::ShowArgs),
    /// Show what the features of an entity are now, or were at a moment.
    ///
    /// `values user u1` shows what the user alone decides, `values user u1 --with item=i1` also what the item and the pair do.
    /// Reads the newest checkpoint and the log, beside a running server as well.
    Values(values::ValuesArgs),
    /// Write the features of every user, item, session or word of a field as a table, one row each.
    Export(export::ExportArgs),
    /// Compute the features over the whole history, so that a server need not: for features that are new or were edited.
    ///
    /// Folds the log with the features that the settings declare now, and leaves a checkpoint. The next server that starts with
    /// these settings goes on from there, and replays only what came later. May be run while a server still works with the
    /// settings before: change the settings, backfill, then restart it. With --output, writes a table for offline
    /// analysis instead: what the features were just before each interaction, without anything received later.
    Backfill(backfill::BackfillArgs),
    /// Prove that what was served is what training reads: replay the log, and compare every logged value bit by bit.
    ///
    /// May be run beside a server. Exit code 1 where a value differs, or where nothing could be compared.
    Check(check::CheckArgs),
}

pub(super) fn run(context: &Context, args: &FeaturesArgs) -> Result<(), Failure> {
    match &args.action {
        FeaturesAction::List => list::run(context),
        FeaturesAction::Show(args) => show::run(context, args),
        FeaturesAction::Values(args) => values::run(context, args),
        FeaturesAction::Export(args) => export::run(context, args),
        FeaturesAction::Backfill(args) => backfill::run(context, args),
        FeaturesAction::Check(args) => check::run(context, args),
    }
}

/// A definition in the words of the settings, part by part; empty where a part says nothing.
#[derive(Default)]
struct Words {
    entity: String,
    aggregate: String,
    types: String,
    window: String,
    decay: String,
    conditions: String,
}

impl Words {
    fn of(definition: &Definition) -> Self {
        match definition {
            Definition::Field(field) => Self { aggregate: format!("field {field}"), ..Self::default() },
            Definition::Time(time) => {
                Self { aggregate: format!("time {}", time_name(*time)), ..Self::default() }
            }
            Definition::Aggregate(spec) => Self::of_aggregate(spec),
        }
    }

    fn of_aggregate(spec: &AggregateSpec) -> Self {
        let entity: Vec<String> = spec.entity.iter().map(ToString::to_string).collect();
        let period =
            |period: Option<std::time::Duration>| period.map_or_else(String::new, |p| Period(p).to_string());
        let types = match &spec.aggregate {
            Aggregate::Rate { total, .. } => format!("{} / {}", words(&spec.types), words(total)),
            _ => words(&spec.types),
        };
        Self {
            entity: entity.join(" x "),
            aggregate: aggregate(&spec.aggregate),
            types,
            window: period(spec.window),
            decay: period(spec.decay),
            conditions: conditions(spec),
        }
    }
}

fn aggregate(aggregate: &Aggregate) -> String {
    let name = aggregate.name();
    match aggregate {
        Aggregate::Last(of) | Aggregate::Distinct(of) => format!("{name} {of}"),
        Aggregate::Quantile(at) => format!("{name} {at}"),
        Aggregate::TopK { of, k } => format!("{name} {k} {of}"),
        Aggregate::LastN { of, n } => format!("{name} {n} {of}"),
        Aggregate::Rate { prior: (hits, total), .. } => format!("{name} prior {hits}/{total}"),
        _ => name.to_owned(),
    }
}

fn conditions(spec: &AggregateSpec) -> String {
    let conditions = &spec.conditions;
    let mut all = Vec::new();
    all.extend(conditions.min_value.map(|min| format!("value >= {min}")));
    all.extend(conditions.max_value.map(|max| format!("value <= {max}")));
    all.extend(conditions.context.iter().map(|(field, of)| format!("context.{field} is {}", of.join("|"))));
    all.join(", ")
}

fn words(types: &[impl AsRef<str>]) -> String {
    let types: Vec<&str> = types.iter().map(AsRef::as_ref).collect();
    if types.is_empty() { "*".to_owned() } else { types.join("|") }
}

fn time_name(time: TimeFeature) -> &'static str {
    TimeFeature::ALL.iter().find(|(_, other)| *other == time).map_or("", |(name, _)| name)
}

/// A value for people; nothing for a missing one.
fn shown(value: &FeatureValue) -> Option<String> {
    match value {
        FeatureValue::Missing => None,
        FeatureValue::Number(number) => Some(number.to_string()),
        FeatureValue::Word(word) => Some(word.to_string()),
        FeatureValue::Words(words) => Some(format!("[{}]", words.join(", "))),
    }
}

/// Whether a window of it is a difference of two running totals; nothing for what is no aggregate.
fn subtractable(definition: &Definition) -> Option<bool> {
    match definition {
        Definition::Aggregate(spec) => Some(spec.aggregate.subtractable()),
        Definition::Field(_) | Definition::Time(_) => None,
    }
}
