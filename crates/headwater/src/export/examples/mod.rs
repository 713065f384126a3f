//! Training examples as a table: who was shown what and where, what followed, and one column for each feature.

mod encoded;
pub(super) mod lines;
mod table;

use std::collections::BTreeMap;
use std::io::Write;

use headwater_base::{Fact, FeatureType, FeatureValue, Schema};
use headwater_log::{LogError, LogReader};
use headwater_training::examples::Example;

use super::ExportError;
pub use encoded::Encoding;
pub use lines::jsonl;
pub use table::ExampleTable;

/// The features of one schema, as columns.
#[derive(Clone, Debug, PartialEq)]
struct Logged {
    /// The place of each among all columns.
    places: Vec<usize>,
}

/// The columns that logged features need: what each is called and what form its values take.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureColumns {
    columns: Vec<(String, FeatureType)>,
    schemas: BTreeMap<u64, Logged>,
}

/// Name of the column at `place` of a schema whose names nobody remembers.
fn unnamed(schema: u64, place: usize, only: bool) -> String {
    if only { format!("feature_{place}") } else { format!("{schema:016x}.feature_{place}") }
}

impl FeatureColumns {
    /// Looks at the features that `decisions` logged. `names` gives the names of a schema's columns, where known:
    /// features of one name share a column, whichever schema they were logged under.
    ///
    /// # Errors
    /// The log's, and those of `names`.
    pub fn survey<E: From<LogError>>(
        decisions: &LogReader,
        mut names: impl FnMut(u64) -> Result<Option<Vec<String>>, E>,
    ) -> Result<Self, E> {
        let mut kinds: BTreeMap<u64, Vec<Option<FeatureType>>> = BTreeMap::new();
        for entry in decisions.events_from(decisions.start()) {
            if let Fact::Decision(decision) = entry?.1.fact
                && let Some(features) = decision.features
            {
                let columns = kinds.entry(features.schema).or_default();
                for row in &features.rows {
                    columns.resize(columns.len().max(row.len()), None);
                    for (column, value) in columns.iter_mut().zip(row) {
                        *column = both(*column, form(value));
                    }
                }
            }
        }
        let mut found = Self::default();
        let mut known: Vec<(u64, Option<Vec<String>>)> = Vec::new();
        for schema in kinds.keys() {
            known.push((*schema, names(*schema)?));
        }
        let only = known.iter().filter(|(_, names)| names.is_none()).count() == 1;
        for (schema, names) in known {
            let name = |place: usize| match names.as_ref().and_then(|names| names.get(place)) {
                Some(name) => name.clone(),
                None => unnamed(schema, place, only),
            };
            let forms = kinds.get(&schema).into_iter().flatten().enumerate();
            let places = forms.map(|(place, form)| found.column(name(place), *form)).collect();
            found.schemas.insert(schema, Logged { places });
        }
        Ok(found)
    }

    /// Adds the features of a schema whose names and forms are known without looking.
    pub fn declare<'a>(&mut self, schema: u64, columns: impl Iterator<Item = (&'a str, FeatureType)>) {
        let places = columns.map(|(name, form)| self.column(name.to_owned(), Some(form))).collect();
        self.schemas.insert(schema, Logged { places });
    }

    /// The place of the column called `name`, which holds values of this form among others.
    fn column(&mut self, name: String, form: Option<FeatureType>) -> usize {
        if let Some(place) = self.columns.iter().position(|(known, _)| *known == name) {
            let merged = both(Some(self.columns[place].1), form);
            self.columns[place].1 = merged.unwrap_or(FeatureType::Number);
            return place;
        }
        self.columns.push((name, form.unwrap_or(FeatureType::Number)));
        self.columns.len() - 1
    }

    /// The columns, in order.
    pub fn columns(&self) -> &[(String, FeatureType)] {
        &self.columns
    }

    /// The values of an example by column; `None` where its schema does not have the column.
    fn values<'a>(&self, example: &'a Example) -> Vec<Option<&'a FeatureValue>> {
        let mut values = vec![None; self.columns.len()];
        if let Some(logged) = self.schemas.get(&example.schema) {
            for (place, value) in logged.places.iter().zip(&example.features) {
                values[*place] = Some(value);
            }
        }
        values
    }
}

fn form(value: &FeatureValue) -> Option<FeatureType> {
    match value {
        FeatureValue::Missing => None,
        FeatureValue::Number(_) => Some(FeatureType::Number),
        FeatureValue::Word(_) => Some(FeatureType::Word),
        FeatureValue::Words(_) => Some(FeatureType::Words),
    }
}

/// A form that holds values of both.
fn both(a: Option<FeatureType>, b: Option<FeatureType>) -> Option<FeatureType> {
    match (a, b) {
        (None, form) | (form, None) => form,
        (Some(a), Some(b)) if a == b => Some(a),
        (Some(FeatureType::Words), _) | (_, Some(FeatureType::Words)) => Some(FeatureType::Words),
        _ => Some(FeatureType::Word),
    }
}

/// Writes examples as a Parquet table, with outcomes of the types that `schema` declares.
///
/// # Errors
/// Those of the examples, and the output's.
pub fn parquet<W: Write + Send, E: Into<ExportError>>(
    examples: &mut (dyn Iterator<Item = Result<Example, E>> + '_),
    columns: &FeatureColumns,
    schema: &Schema,
    out: W,
) -> Result<(), ExportError> {
    let mut table = ExampleTable::new(out, columns, schema)?;
    for example in examples {
        table.add(&example.map_err(Into::into)?)?;
    }
    Ok(table.finish()?)
}
