//! The co-visitation neighbours as a view.

use std::io::{Read, Write};

use headwater_models::streaming::{CoVisitation, CoVisitationOptions, NeighbourList};

use crate::bytes::{Reader, Writer, damaged};
use crate::view::{Keying, View};
use crate::{FeaturesError, ViewsOptions};

/// Keeps the model of what is touched together.
#[derive(Debug)]
pub(crate) struct Neighbours {
    pub(crate) model: CoVisitation,
    options: CoVisitationOptions,
}

impl Neighbours {
    pub(crate) fn new(options: &ViewsOptions) -> Self {
        Self { model: CoVisitation::new(&options.neighbours), options: options.neighbours }
    }
}

impl View for Neighbours {
    const NAME: &'static str = "neighbours";
    const KEYING: Keying = Keying::Merged;

    fn write<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
        writer.time(self.model.newest())?;
        let lists = self.model.lists();
        writer.length(lists.len())?;
        for list in lists {
            writer.u32(list.landmark().cast_unsigned())?;
            writer.f64(list.mass())?;
            writer.u32s(list.rows().iter().copied())?;
            writer.u32s(list.weights().iter().map(|weight| weight.to_bits()))?;
        }
        Ok(())
    }

    fn read<R: Read>(&mut self, reader: &mut Reader<R>) -> Result<(), FeaturesError> {
        let newest = reader.time()?;
        let mut lists = Vec::new();
        for _ in 0..reader.length()? {
            let landmark = reader.u32()?.cast_signed();
            let mass = reader.f64()?;
            let rows = reader.u32s()?;
            let weights = reader.u32s()?.into_iter().map(f32::from_bits).collect();
            let list = NeighbourList::from_parts(rows, weights, mass, landmark);
            lists.push(list.ok_or_else(|| damaged("neighbours without weights"))?);
        }
        self.model = CoVisitation::from_parts(&self.options, newest, lists);
        Ok(())
    }
}
