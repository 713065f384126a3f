//! Vectors for items that nobody has touched, learnt beside a factorisation from the attributes of the items it was trained on.

use headwater_models::Row;
use headwater_models::content::{Attributes, Content, ContentMap, Example};
use headwater_models::ials::Ials;

use crate::TrainingError;
use crate::dataset::Split;
use crate::options::TrainingOptions;

/// With this many interactions an item teaches half as much as with any number: few make a vector of little worth.
const HALF: f32 = 5.0;

/// Learns from the items of the training data, with their fields at the cut; `None` where no fields are asked for or no item has any.
///
/// # Errors
/// Options outside their range.
pub fn fit_content(
    split: &Split,
    factors: &Ials,
    options: &TrainingOptions,
) -> Result<Option<ContentMap>, TrainingError> {
    let (fields, options) = (&options.content_fields, &options.content);
    if fields.is_empty() || split.fields.is_empty() {
        return Ok(None);
    }
    let mut counts = vec![0f32; split.items.len()];
    for entry in &split.entries {
        counts[entry.item as usize] += 1.0;
    }
    let attributes: Vec<Attributes> =
        split.fields.iter().map(|of_item| Attributes::new(of_item, fields, options.buckets)).collect();
    if attributes.iter().all(Attributes::is_empty) {
        return Ok(None);
    }
    let examples =
        attributes.iter().zip(&counts).zip(0..).filter_map(|((attributes, count), row): (_, Row)| {
            Some(Example { attributes, vector: factors.index().row(row)?, weight: count / (count + HALF) })
        });
    let content = Content::train(&examples.collect::<Vec<_>>(), factors.options().factors, options)?;
    Ok(Some(ContentMap { fields: fields.clone(), content }))
}
