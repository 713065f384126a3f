//! The interactions of a data set, as numbers.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

use headwater_base::{Fact, Interaction, SessionId, UserId, Value};
use headwater_training::presets::{self, Preset, Record};

use super::moments::Moment;
use crate::bench::BenchError;

/// A data set's interactions, as clicks, in its order, and the category of each item.
pub(super) struct DataSet {
    pub(super) moments: Vec<Moment>,
    pub(super) categories: Vec<u32>,
}

/// Numbers names in the order they come.
#[derive(Default)]
struct Numbers(HashMap<String, u32>);

impl Numbers {
    fn of(&mut self, name: &str) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(name.to_owned()).or_insert(next)
    }
}

impl DataSet {
    /// Reads a data set. The category of a film is its first genre, where `meta` names genres; of other items their
    /// first categorical field; items without one have the category 0.
    pub(super) fn read(preset: Preset, path: &Path) -> Result<Self, BenchError> {
        let (mut users, mut items, mut words) = (Numbers::default(), Numbers::default(), Numbers::default());
        words.of("");
        let genres = genres(path)?;
        let (mut moments, mut categories) = (Vec::new(), Vec::new());
        let categorise = |categories: &mut Vec<u32>, item: u32, word: u32| {
            let item = item as usize;
            if categories.len() <= item {
                categories.resize(item + 1, 0);
            }
            if word > 0 {
                categories[item] = word;
            }
        };
        presets::read(preset, path, &mut |record, _| {
            let Record::Event(event) = record else { return ControlFlow::Continue(()) };
            match &event.fact {
                Fact::Interaction(Interaction { actor, item, value, .. }) => {
                    let name = actor.user.as_ref().map(UserId::as_str);
                    let session = actor.session.as_ref().map(SessionId::as_str);
                    let number = items.of(item.as_str());
                    let word = genres.get(item.as_str()).map_or(0, |genre| words.of(genre));
                    categorise(&mut categories, number, word);
                    let time = event.time.as_micros() / 1_000;
                    moments.push(Moment {
                        time,
                        received: time,
                        user: users.of(name.or(session).unwrap_or_default()),
                        item: number,
                        kind: 1,
                        value: *value,
                    });
                }
                Fact::ItemUpsert { item, fields, .. } => {
                    let word = fields.iter().find_map(|(_, value)| match value {
                        Value::Categorical(word) => Some(words.of(word)),
                        _ => None,
                    });
                    categorise(&mut categories, items.of(item.as_str()), word.unwrap_or(0));
                }
                _ => {}
            }
            ControlFlow::Continue(())
        })
        .map_err(|error| BenchError::Usage(error.to_string()))?;
        if moments.is_empty() {
            return Err(BenchError::Usage(format!("{} holds no interactions", path.display())));
        }
        Ok(Self { moments, categories })
    }
}

/// The first genre of each film by its id in the sequences, where the folder has the files for it.
fn genres(path: &Path) -> Result<HashMap<String, String>, BenchError> {
    let lines = |name: &str| -> Result<Vec<Vec<String>>, BenchError> {
        let file = path.join("meta").join(name);
        if !file.is_file() {
            return Ok(Vec::new());
        }
        let bytes = std::fs::read(&file).map_err(BenchError::io(format!("reading {}", file.display())))?;
        let separator = if name.ends_with(".dat") { "::" } else { " " };
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.lines().map(|line| line.split(separator).map(str::to_owned).collect()).collect())
    };
    let first = |film: Vec<String>| {
        let genre = film.get(2)?.split('|').next()?.to_owned();
        Some((film.into_iter().next()?, genre))
    };
    let films: HashMap<String, String> = lines("movies.dat")?.into_iter().filter_map(first).collect();
    let ids = lines("sas_to_original_items.txt")?.into_iter();
    Ok(ids.filter_map(|pair| Some((pair.first()?.clone(), films.get(pair.get(1)?)?.clone()))).collect())
}
