//! Where the store keeps what a model reads; decided once, when the model is loaded.

use std::fmt;

use compact_str::CompactString;
use hashbrown::HashMap;
use headwater_base::schema::closest;
use headwater_base::{ErrorKind, FeatureType};

use super::schema::EncodedSchema;

/// For each feature of a schema, the column of the store's rows that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    positions: Vec<usize>,
    provided: usize,
}

impl Binding {
    /// Columns of the store's rows, by feature of the schema.
    pub fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// How many columns the store's rows have.
    pub fn provided(&self) -> usize {
        self.provided
    }
}

/// A feature that a model needs and the store cannot provide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingFeature {
    /// Its name with version: `item_ctr_1h@2`.
    pub name: CompactString,
    /// The type the model was trained on.
    pub expected: FeatureType,
    /// What the store has under that name.
    pub found: Found,
    /// Another version of it, or the most similar name, if the store has one.
    pub closest: Option<CompactString>,
    /// How many other features the store lacks.
    pub others: usize,
}

/// What the store has in a missing feature's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing of that name.
    Nothing,
    /// A feature of that name with values of another type.
    Type(FeatureType),
}

impl MissingFeature {
    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Caller
    }
}

impl fmt::Display for MissingFeature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, expected, found, closest, others } = self;
        write!(f, "the model reads feature `{name}` of type {}, which the store ", expected.as_str())?;
        match found {
            Found::Nothing => write!(f, "does not provide")?,
            Found::Type(kind) => write!(f, "provides as {}", kind.as_str())?,
        }
        if let Some(closest) = closest {
            let relation = if base(closest) == base(name) { "another version" } else { "a similar name" };
            write!(f, "; it has `{closest}`, {relation}")?;
        }
        match others {
            0 => Ok(()),
            1 => write!(f, "; another feature is missing too"),
            _ => write!(f, "; {others} other features are missing too"),
        }
    }
}

impl std::error::Error for MissingFeature {}

impl EncodedSchema {
    /// Finds each feature among those that the store provides, in the order of its rows' columns.
    ///
    /// # Errors
    /// The first feature, in the schema's order, that the store lacks or has with another type.
    pub fn bind<N: AsRef<str>>(&self, provided: &[(N, FeatureType)]) -> Result<Binding, MissingFeature> {
        let by_name: HashMap<&str, (usize, FeatureType)> = provided
            .iter()
            .enumerate()
            .map(|(position, (name, kind))| (name.as_ref(), (position, *kind)))
            .collect();
        let mut positions = Vec::with_capacity(self.features().len());
        let mut missing = Vec::new();
        for feature in self.features() {
            match by_name.get(feature.name.as_str()) {
                Some((position, kind)) if *kind == feature.kind => positions.push(*position),
                Some((_, kind)) => missing.push((feature, Found::Type(*kind))),
                None => missing.push((feature, Found::Nothing)),
            }
        }
        let Some((feature, found)) = missing.first() else {
            return Ok(Binding { positions, provided: provided.len() });
        };
        let names: Vec<&str> = provided.iter().map(|(name, _)| name.as_ref()).collect();
        Err(MissingFeature {
            name: feature.name.clone(),
            expected: feature.kind,
            found: *found,
            closest: similar(&names, &feature.name).map(Into::into),
            others: missing.len() - 1,
        })
    }
}

/// The newest other version of a feature, or else the name most like its own.
fn similar<'a>(names: &[&'a str], name: &str) -> Option<&'a str> {
    let others: Vec<&str> = names.iter().copied().filter(|other| *other != name).collect();
    let version = |other: &str| other.split_once('@').and_then(|(_, version)| version.parse::<u64>().ok());
    let versions = others.iter().copied().filter(|other| base(other) == base(name));
    versions.max_by_key(|other| version(other)).or_else(|| closest(&others, name))
}

/// The name without its version.
fn base(name: &str) -> &str {
    name.split_once('@').map_or(name, |(base, _)| base)
}
