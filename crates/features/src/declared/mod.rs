//! Declared features: what they are ([`spec`]), what they must satisfy ([`check`]), how far back they reach ([`hop`]) and
//! how they are compiled ([`plan`]).

pub mod check;
pub(crate) mod filter;
pub mod hop;
pub mod plan;
pub mod spec;

pub use plan::Plan;
pub use spec::{
    Aggregate, AggregateSpec, Attribute, Conditions, Definition, FeatureSpec, FieldRef, Part, TimeFeature,
};
