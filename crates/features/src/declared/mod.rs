//! Declared features: what they are ([`spec`]), what they must satisfy ([`check`]) and how far back they reach ([`hop`]).

pub mod check;
pub mod hop;
pub mod spec;

pub use spec::{
    Aggregate, AggregateSpec, Attribute, Conditions, Definition, FeatureSpec, FieldRef, Part, TimeFeature,
};
