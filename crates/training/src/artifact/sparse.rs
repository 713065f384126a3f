//! Sparse rows as a file: `lengths` (`U32`: how many entries each row has), `rows` (entries, `U32`: which columns) and
//! `weights` (entries, `F32`).

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::broken;
use crate::TrainingError;

/// The three arrays.
#[derive(Debug)]
pub(super) struct SparseRows {
    pub(super) lengths: Vec<u32>,
    pub(super) rows: Vec<u32>,
    pub(super) weights: Vec<f32>,
}

impl SparseRows {
    pub(super) fn write(&self) -> Result<Vec<u8>, TrainingError> {
        let whole = |numbers: &[u32]| numbers.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>();
        let arrays = [
            ("lengths", Dtype::U32, whole(&self.lengths)),
            ("rows", Dtype::U32, whole(&self.rows)),
            ("weights", Dtype::F32, self.weights.iter().flat_map(|x| x.to_le_bytes()).collect()),
        ];
        let mut views = Vec::with_capacity(arrays.len());
        for (name, form, data) in &arrays {
            views.push((*name, TensorView::new(*form, vec![data.len() / 4], data).map_err(broken)?));
        }
        safetensors::serialize(views, None).map_err(broken)
    }

    pub(super) fn read(content: &[u8]) -> Result<Self, TrainingError> {
        let tensors = SafeTensors::deserialize(content).map_err(broken)?;
        let words = |name: &str, form: Dtype| {
            let view = tensors.tensor(name).map_err(broken)?;
            if view.dtype() != form || view.shape().len() != 1 {
                let (shape, found) = (view.shape(), view.dtype());
                let told = format!("{name} is {shape:?} of {found:?}, expected one row of {form:?}");
                return Err(TrainingError::Artifact(told));
            }
            Ok(view.data().as_chunks::<4>().0.to_vec())
        };
        let whole = |name: &str| -> Result<Vec<u32>, TrainingError> {
            Ok(words(name, Dtype::U32)?.into_iter().map(u32::from_le_bytes).collect())
        };
        let weights = words("weights", Dtype::F32)?.into_iter().map(f32::from_le_bytes).collect();
        Ok(Self { lengths: whole("lengths")?, rows: whole("rows")?, weights })
    }
}
