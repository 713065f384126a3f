//! The map from attributes to vectors within an artifact: `content.safetensors` with `map` (buckets x factors, `F32`). The options of the
//! manifest say which fields it reads. Artifacts of models that learnt none have no such file.

use headwater_models::content::{Content, ContentMap, ContentOptions};
use headwater_registry::Bundle;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::broken;
use crate::TrainingError;
use crate::options::TrainingOptions;

const FILE: &str = "content.safetensors";

pub(super) fn write(map: Option<&ContentMap>) -> Result<Option<(String, Vec<u8>)>, TrainingError> {
    let Some(ContentMap { content, .. }) = map else { return Ok(None) };
    let bytes: Vec<u8> = content.map().iter().flat_map(|x| x.to_le_bytes()).collect();
    let shape = vec![content.options().buckets, content.dimensions()];
    let view = TensorView::new(Dtype::F32, shape, &bytes).map_err(broken)?;
    let file = safetensors::serialize([("map", view)], None).map_err(broken)?;
    Ok(Some((FILE.to_owned(), file)))
}

pub(super) fn read(bundle: &Bundle, options: &TrainingOptions) -> Result<Option<ContentMap>, TrainingError> {
    let Some(content) = bundle.file(FILE) else { return Ok(None) };
    let tensors = SafeTensors::deserialize(content).map_err(broken)?;
    let view = tensors.tensor("map").map_err(broken)?;
    let (Dtype::F32, &[buckets, factors]) = (view.dtype(), view.shape()) else {
        return Err(TrainingError::Artifact("map is not buckets x factors of F32".to_owned()));
    };
    if factors != options.ials.factors {
        let expected = options.ials.factors;
        return Err(TrainingError::Artifact(format!("map has {factors} factors, expected {expected}")));
    }
    let map = view.data().as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect();
    let options_of_map = ContentOptions { buckets, ..options.content };
    let content = Content::from_parts(options_of_map, factors, map).map_err(broken)?;
    Ok(Some(ContentMap { fields: options.content_fields.clone(), content }))
}
