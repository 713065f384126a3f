//! `headwater features values`.

use std::collections::BTreeMap;

use clap::Args;
use headwater_base::FeatureValue;
use headwater_features::entity::Named;
use serde::Serialize;

use super::super::context::Context;
use super::super::failure::Failure;
use super::present::{Present, PresentArgs};
use super::shown;
use crate::output::Table;

/// Flags of `features values`.
#[derive(Debug, Args)]
pub(super) struct ValuesArgs {
    /// What kind of entity: user, session, item, or a categorical field such as item.category.
    entity: String,
    /// Its id, or the word of the field.
    id: String,
    #[command(flatten)]
    present: PresentArgs,
}

#[derive(Serialize)]
struct Document<'a> {
    entity: &'a str,
    id: &'a str,
    time: String,
    /// The offset after the last event that is in the values.
    offset: u64,
    /// The first offset of which anything is known.
    begun: u64,
    features: Vec<Value>,
    /// Features that depend on what was not named, and on what.
    unnamed: BTreeMap<String, Vec<String>>,
}

#[derive(Serialize)]
struct Value {
    /// By name and version.
    feature: String,
    #[serde(rename = "type")]
    form: &'static str,
    value: FeatureValue,
}

pub(super) fn run(context: &Context, args: &ValuesArgs) -> Result<(), Failure> {
    let present = Present::of(context, &args.present)?;
    let named = present.name(Named::default(), &present.part(&args.entity)?, &args.id)?;
    let named = present.named_with(&args.present, named)?;
    let plan = &present.options.plan;
    let columns = named.columns(plan);
    let values = present.replay.values(&named, &columns, present.time);
    let declared: Vec<_> = plan.columns().collect();
    let features = columns.iter().zip(values).map(|(column, value)| {
        let (label, form) = declared[*column];
        Value { feature: label.to_string(), form: form.as_str(), value }
    });
    let unnamed = (0..declared.len()).filter(|column| !columns.contains(column)).map(|column| {
        let needs = plan.needs(column).into_iter().filter(|part| !named.has(part));
        (declared[column].0.to_string(), needs.map(|part| part.to_string()).collect())
    });
    let document = Document {
        entity: &args.entity,
        id: &args.id,
        time: present.time.to_string(),
        offset: crate::beside::next(&present.replay),
        begun: present.begun,
        features: features.collect(),
        unnamed: unnamed.collect(),
    };
    Ok(context.output.result(&document, || text(&document))?)
}

fn text(document: &Document<'_>) -> String {
    let mut table = Table::new(["feature", "value"]);
    for one in &document.features {
        let value = shown(&one.value).unwrap_or_else(|| "missing".to_owned());
        table.row([one.feature.clone(), value]);
    }
    let mut text = format!("{}\nas of {}\n", table.render(), document.time);
    let mut wanted: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (feature, needs) in &document.unnamed {
        wanted.entry(needs.join(" and ")).or_default().push(feature);
    }
    for (needs, features) in wanted {
        text += &format!("not known without {needs} (--with ENTITY=ID): {}\n", features.join(", "));
    }
    text
}
