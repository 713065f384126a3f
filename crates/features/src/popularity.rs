//! What is popular and what is trending, overall and within the values of categorical fields.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::time::Duration;

use headwater_models::streaming::{DecayedPopularity, Visit};
use headwater_models::{Allow, Scored};

use crate::bytes::{Reader, Writer};
use crate::view::{Keying, View};
use crate::{Catalogue, CategoricalField, FeaturesError, ItemIndex, ViewsOptions};

/// Two decayed popularities that differ in their half-life, with a segment for each categorical value.
#[derive(Debug)]
pub(crate) struct Popularity {
    popular: DecayedPopularity,
    trending: DecayedPopularity,
    half_lives: [Duration; 2],
    segments: Segments,
}

/// Numbers the pairs of a categorical field and one of its words.
#[derive(Debug, Default)]
struct Segments(Vec<HashMap<u32, u32>>, u32);

impl Segments {
    fn number(&mut self, field: usize, word: u32) -> u32 {
        if self.0.len() <= field {
            self.0.resize_with(field + 1, HashMap::new);
        }
        let next = &mut self.1;
        *self.0[field].entry(word).or_insert_with(|| {
            *next += 1;
            *next - 1
        })
    }

    /// The segments an item with these words is in.
    fn of(&mut self, words: &[u32]) -> Vec<u32> {
        let with_value = words.iter().enumerate().filter(|(_, word)| **word != u32::MAX);
        with_value.map(|(field, word)| self.number(field, *word)).collect()
    }
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Popular,
    Trending,
}

impl Popularity {
    pub(crate) fn new(options: &ViewsOptions) -> Self {
        Self {
            popular: DecayedPopularity::new(options.popular_half_life),
            trending: DecayedPopularity::new(options.trending_half_life),
            half_lives: [options.popular_half_life, options.trending_half_life],
            segments: Segments::default(),
        }
    }

    /// Counts `visits` in order, then enters the items whose fields `changed` into their segments.
    ///
    /// The fields are those after the batch. That is as good as going event by event: which rows a segment's best
    /// are depends only on where items are in the end, and a score counts the same wherever its item was.
    pub(crate) fn fold(&mut self, visits: &[Visit], changed: &[ItemIndex], catalogue: &Catalogue) {
        for visit in visits {
            let segments = self.segments.of(catalogue.all_words(visit.row));
            self.popular.observe(visit.row, visit.time, visit.weight, segments.iter().copied());
            self.trending.observe(visit.row, visit.time, visit.weight, segments);
        }
        for item in changed {
            self.enter(*item, catalogue);
        }
    }

    fn enter(&mut self, item: ItemIndex, catalogue: &Catalogue) {
        for segment in self.segments.of(catalogue.all_words(item)) {
            self.popular.enter(item, segment);
            self.trending.enter(item, segment);
        }
    }

    /// Enters every item into its segments, after the state was read back.
    pub(crate) fn enter_all(&mut self, catalogue: &Catalogue) {
        for item in 0..catalogue.len() {
            self.enter(item as ItemIndex, catalogue);
        }
    }

    /// The best allowed items, overall.
    pub(crate) fn best(&self, pace: Pace, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        self.at(pace).best(limit, allow)
    }

    /// The best allowed items with this categorical value; `allow` must refuse those without it.
    pub(crate) fn best_with(
        &self,
        pace: Pace,
        (field, word): (CategoricalField, u32),
        limit: usize,
        allow: &dyn Allow,
    ) -> Vec<Scored> {
        match self.segments.0.get(field.0).and_then(|words| words.get(&word)) {
            Some(segment) => self.at(pace).best_of_segment(*segment, limit, allow),
            None => Vec::new(),
        }
    }

    fn at(&self, pace: Pace) -> &DecayedPopularity {
        match pace {
            Pace::Popular => &self.popular,
            Pace::Trending => &self.trending,
        }
    }
}

impl View for Popularity {
    const NAME: &'static str = "popularity";
    const KEYING: Keying = Keying::Merged;

    fn write<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
        for popularity in [&self.popular, &self.trending] {
            writer.u8(u8::from(popularity.landmark().is_some()))?;
            writer.i64(popularity.landmark().unwrap_or(0))?;
            writer.time(popularity.newest())?;
            // Rows at the end that were never counted may or may not have a place yet.
            let scores = popularity.scores();
            let counted = scores.iter().rposition(|score| *score > 0.0).map_or(0, |last| last + 1);
            writer.length(counted)?;
            for score in &scores[..counted] {
                writer.f64(*score)?;
            }
        }
        Ok(())
    }

    fn read<R: Read>(&mut self, reader: &mut Reader<R>) -> Result<(), FeaturesError> {
        let halves = [&mut self.popular, &mut self.trending];
        for (popularity, half_life) in halves.into_iter().zip(self.half_lives) {
            let started = reader.u8()? != 0;
            let landmark = Some(reader.i64()?).filter(|_| started);
            let newest = reader.time()?;
            let scores: Result<Vec<f64>, _> = (0..reader.length()?).map(|_| reader.f64()).collect();
            *popularity = DecayedPopularity::from_parts(half_life, landmark, newest, scores?);
        }
        Ok(())
    }
}
