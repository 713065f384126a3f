//! Feature values as numbers for a model: encoders fitted on training examples alone, then frozen.
//!
//! Three phases, three types. An [`EncoderSpec`] is what the settings ask for (`standardise`, `one_hot(50)`). A
//! [`SchemaFitting`] observes training examples one by one, with their weights; fittings of parts of the data merge.
//! [`SchemaFitting::freeze`] gives an [`EncodedSchema`]: immutable, saved within the artifact, and the same bytes for the
//! same examples in whatever order they came and however they were split, since every state of a fitting is an exact
//! sum or a count.
//!
//! A row of values becomes dense columns (`f32`, a fixed number of them) and sparse entries (an index into one table of
//! embeddings in which each field has its range), so that a linear model, a factorisation machine and a deep network read
//! the same encoding. Every encoding is finite, whatever the value:
//!
//! | encoder | missing | infinite | unknown word |
//! |---|---|---|---|
//! | `number`, `standardise`, `log1p` | 0 (when standardised: the mean), and 1 in the indicator if it has one | as missing | – |
//! | `quantile_bins` | the bucket "missing" | the first or last bin | – |
//! | `one_hot` | the bucket "missing" | – | the bucket "other" |
//! | `hashed` | the bucket "missing" | – | its own hash |
//! | `multi_hot` | the bucket "missing" | – | the bucket "other", beside the known words; no words at all: nothing |
//!
//! NaN is missing, and so is a value that is not of the feature's type.
//!
//! What this module does not do: I/O, reading features, learning embeddings.

mod binding;
mod bins;
mod encoder;
mod error;
mod exact;
mod fitting;
mod histogram;
mod moments;
mod parse;
mod scale;
mod schema;
mod spec;
mod stored;
#[cfg(test)]
mod tests;
mod vocabulary;
mod weight;

pub use binding::{Binding, Found, MissingFeature};
pub use encoder::{Encoder, SparseEntry};
pub use error::EncodeError;
pub use fitting::{EncodingSpec, SchemaFitting};
pub use schema::{EncodedFeature, EncodedSchema, SparseField};
pub use spec::{EncoderSpec, Output};
