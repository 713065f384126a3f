//! Content: from an item's attributes to the vector that a factorisation would have learnt for it.
//!
//! Attributes become a sparse vector by hashing ([`Attributes`]). A linear map B, which no more than a trained factorisation and the
//! attributes of its items decide, takes it to the factor space, by ridge regression over the trained items i with vectors `y_i`
//! and attributes `a_i`, each counting `c_i`:
//!
//! ```text
//! sum over i of  c_i |B'a_i - y_i|^2  +  lambda |B|^2
//! ```
//!
//! An item that nobody has touched then stands where items like it stand, and is retrieved as they are (Gantner et al. 2010, "Learning
//! Attribute-to-Feature Mappings for Cold-Start Recommendations").

mod attributes;
mod ridge;

pub use attributes::Attributes;

use headwater_base::Fields;

use crate::error::ModelError;

/// Options of the map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContentOptions {
    /// How many numbers attributes are hashed to, from 2 to 2^20.
    pub buckets: usize,
    /// Strength of the regularisation, positive.
    pub lambda: f32,
    /// Steps of the conjugate gradient, at least 1.
    pub steps: usize,
}

impl Default for ContentOptions {
    fn default() -> Self {
        Self { buckets: 16_384, lambda: 3.0, steps: 20 }
    }
}

impl ContentOptions {
    /// Checks every option against its range.
    ///
    /// # Errors
    /// The first option that is outside it.
    pub fn validate(&self) -> Result<(), ModelError> {
        let check = |ok: bool, option, value: f64, expected| {
            if ok { Ok(()) } else { Err(ModelError::Option { option, value, expected }) }
        };
        check((2..=1 << 20).contains(&self.buckets), "buckets", self.buckets as f64, "2 to 1048576")?;
        let positive = self.lambda.is_finite() && self.lambda > 0.0;
        check(positive, "lambda", self.lambda.into(), "a finite number above 0")?;
        check(self.steps >= 1, "steps", self.steps as f64, "at least 1")
    }
}

/// A trained map from attributes to vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    options: ContentOptions,
    dimensions: usize,
    /// B: buckets x dimensions, row-major.
    map: Vec<f32>,
}

/// A map with the fields that it reads.
#[derive(Clone, Debug, PartialEq)]
pub struct ContentMap {
    /// Names of the fields.
    pub fields: Vec<String>,
    /// The map.
    pub content: Content,
}

impl ContentMap {
    /// The vector of an item with these fields; `None` where they say nothing that is known.
    pub fn vector(&self, fields: &Fields) -> Option<Vec<f32>> {
        self.content.vector(&Attributes::new(fields, &self.fields, self.content.options.buckets))
    }
}

/// An item to learn from.
#[derive(Clone, Copy, Debug)]
pub struct Example<'a> {
    /// Its attributes, hashed to [`ContentOptions::buckets`].
    pub attributes: &'a Attributes,
    /// Its vector.
    pub vector: &'a [f32],
    /// What it counts; an item is passed over where this is not positive and finite.
    pub weight: f32,
}

impl Content {
    /// Learns from items with vectors of `dimensions` numbers; those without attributes are passed over.
    ///
    /// # Errors
    /// Options outside their range; a vector of another length or with a number that is not finite; attributes beyond the buckets.
    pub fn train(
        examples: &[Example<'_>],
        dimensions: usize,
        options: &ContentOptions,
    ) -> Result<Self, ModelError> {
        options.validate()?;
        for example in examples {
            let fits = example.vector.len() == dimensions && example.vector.iter().all(|x| x.is_finite());
            if !fits || example.attributes.end() > options.buckets {
                let what = format!(
                    "an item must have {dimensions} finite numbers and buckets below {}",
                    options.buckets
                );
                return Err(ModelError::Parts { what });
            }
        }
        let taught = |example: &&Example<'_>| {
            example.weight.is_finite() && example.weight > 0.0 && !example.attributes.is_empty()
        };
        let examples: Vec<&Example<'_>> = examples.iter().filter(taught).collect();
        let map = ridge::solve(&examples, dimensions, options);
        Self::from_parts(*options, dimensions, map)
    }

    /// From stored parts: `map` is buckets x dimensions.
    ///
    /// # Errors
    /// Another length; a number that is not finite; options outside their range.
    pub fn from_parts(options: ContentOptions, dimensions: usize, map: Vec<f32>) -> Result<Self, ModelError> {
        options.validate()?;
        if map.len() != options.buckets * dimensions || !map.iter().all(|x| x.is_finite()) {
            let what = format!("map must be {} x {dimensions} finite numbers", options.buckets);
            return Err(ModelError::Parts { what });
        }
        Ok(Self { options, dimensions, map })
    }

    /// How it was trained.
    pub fn options(&self) -> &ContentOptions {
        &self.options
    }

    /// Length of its vectors.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// B: buckets x dimensions, row-major.
    pub fn map(&self) -> &[f32] {
        &self.map
    }

    /// The vector of an item with these attributes; `None` where there are none, where none of them was ever seen, or where numbers
    /// overflow.
    pub fn vector(&self, attributes: &Attributes) -> Option<Vec<f32>> {
        let mut vector = vec![0f32; self.dimensions];
        let mut known = false;
        for (bucket, value) in attributes.iter() {
            let row =
                self.map.get(bucket as usize * self.dimensions..(bucket as usize + 1) * self.dimensions)?;
            known |= !attributes.is_constant(bucket) && row.iter().any(|x| *x != 0.0);
            for (sum, x) in vector.iter_mut().zip(row) {
                *sum += value * x;
            }
        }
        (known && vector.iter().all(|x| x.is_finite())).then_some(vector)
    }
}

#[cfg(test)]
mod tests;
