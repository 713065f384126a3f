//! The interaction types as small numbers: the declared ones, then those met that are not (any more).

use std::io::{Read, Write};

use compact_str::CompactString;
use headwater_base::Schema;

use crate::FeaturesError;
use crate::bytes::{Reader, Writer, damaged};
use crate::view::{Keying, View};

/// Names and weights by number.
#[derive(Clone, Debug)]
pub(crate) struct Kinds {
    kinds: Vec<(CompactString, f32)>,
}

impl Kinds {
    pub(crate) fn new(schema: &Schema) -> Self {
        let declared = schema.interactions.iter();
        Self { kinds: declared.map(|(name, declared)| (name.clone(), declared.weight)).collect() }
    }

    /// The number of a type; the linear search is over a handful of names.
    pub(crate) fn number(&self, name: &str) -> Option<u16> {
        self.kinds.iter().position(|(other, _)| other == name).map(|index| index as u16)
    }

    /// Adds an undeclared type, which weighs nothing. When the numbers run out, the last one stands for the rest.
    pub(crate) fn add(&mut self, name: &str) -> u16 {
        if self.kinds.len() <= usize::from(u16::MAX) {
            self.kinds.push((name.into(), 0.0));
        }
        (self.kinds.len() - 1) as u16
    }

    pub(crate) fn weight(&self, number: u16) -> f32 {
        self.kinds.get(usize::from(number)).map_or(0.0, |(_, weight)| *weight)
    }

    pub(crate) fn name(&self, number: u16) -> Option<&str> {
        self.kinds.get(usize::from(number)).map(|(name, _)| name.as_str())
    }
}

impl View for Kinds {
    const NAME: &'static str = "kinds";
    const KEYING: Keying = Keying::Merged;

    fn write<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
        writer.length(self.kinds.len())?;
        self.kinds.iter().try_for_each(|(name, _)| writer.text(name))
    }

    fn read<R: Read>(&mut self, reader: &mut Reader<R>) -> Result<(), FeaturesError> {
        for index in 0..reader.length()? {
            let name = reader.text()?;
            match self.kinds.get(index) {
                Some((declared, _)) if *declared == name => {}
                Some((declared, _)) => {
                    return Err(damaged(format_args!("type `{name}` where `{declared}` is declared")));
                }
                None => {
                    self.add(&name);
                }
            }
        }
        Ok(())
    }
}
