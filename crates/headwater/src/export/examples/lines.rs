//! Examples as JSON lines.

use std::io::Write;

use headwater_base::{FeatureValue, Timestamp};
use headwater_training::examples::Example;
use serde::{Serialize, Serializer};

use super::FeatureColumns;
use crate::export::{ExportError, output};

/// Writes examples as JSON lines.
///
/// # Errors
/// Those of the examples, and the output's.
pub fn jsonl<E: Into<ExportError>>(
    examples: &mut (dyn Iterator<Item = Result<Example, E>> + '_),
    columns: &FeatureColumns,
    out: &mut dyn Write,
) -> Result<(), ExportError> {
    for example in examples {
        let example = example.map_err(Into::into)?;
        serde_json::to_writer(&mut *out, &Line::of(&example, columns))
            .map_err(|error| output(error.into()))?;
        out.write_all(b"\n").map_err(output)?;
    }
    out.flush().map_err(output)
}

/// An example as it is written. Not by way of a JSON value, which would widen the numbers and print other digits.
#[derive(Serialize)]
struct Line<'a> {
    request_id: &'a str,
    surface: &'a str,
    #[serde(serialize_with = "rfc_3339")]
    time: Timestamp,
    user: Option<&'a str>,
    session: Option<&'a str>,
    item: &'a str,
    place: u32,
    propensity: f32,
    label: f32,
    weight: f32,
    sampled: Option<f32>,
    outcomes: Pairs<&'a str, Followed>,
    schema: String,
    features: Pairs<&'a str, &'a FeatureValue>,
}

#[derive(Serialize)]
struct Followed {
    /// Seconds.
    delay: f64,
    value: Option<f32>,
}

/// A JSON object in this order.
pub(in crate::export) struct Pairs<K, V>(pub(in crate::export) Vec<(K, V)>);

impl<K: Serialize, V: Serialize> Serialize for Pairs<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

fn rfc_3339<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

impl<'a> Line<'a> {
    fn of(example: &'a Example, columns: &'a FeatureColumns) -> Self {
        let outcomes = example.outcomes.iter().map(|outcome| {
            (outcome.kind.as_str(), Followed { delay: outcome.delay.as_secs_f64(), value: outcome.value })
        });
        let named = columns.columns().iter().zip(columns.values(example));
        let features = named.filter_map(|((name, _), value)| Some((name.as_str(), value?)));
        Self {
            request_id: example.request_id.as_str(),
            surface: &example.surface,
            time: example.time,
            user: example.actor.user.as_ref().map(AsRef::as_ref),
            session: example.actor.session.as_ref().map(AsRef::as_ref),
            item: example.item.as_str(),
            place: example.place,
            propensity: example.propensity,
            label: example.label,
            weight: example.weight,
            sampled: example.sampled,
            outcomes: Pairs(outcomes.collect()),
            schema: format!("{:016x}", example.schema),
            features: Pairs(features.collect()),
        }
    }
}
