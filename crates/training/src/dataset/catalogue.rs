//! What is known of items at a moment.

use compact_str::CompactString;
use hashbrown::HashMap;
use headwater_base::{Fields, ItemId, Timestamp};

use super::Dataset;

/// Something that was told of an item.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) time: Timestamp,
    pub(super) item: ItemId,
    pub(super) change: Change,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    /// It has these fields; beside those it had, less some, where `kept`.
    Fields {
        fields: Fields,
        kept: Option<Vec<CompactString>>,
    },
    Gone,
}

impl Dataset {
    /// The fields of `items` by what was told before `cut`; empty where nothing was.
    pub(super) fn fields(&self, items: &[ItemId], cut: Option<Timestamp>) -> Vec<Fields> {
        let mut known: HashMap<&ItemId, Fields> = HashMap::new();
        for told in self.told.iter().filter(|told| cut.is_none_or(|cut| told.time < cut)) {
            match &told.change {
                Change::Fields { fields, kept: None } => {
                    known.insert(&told.item, fields.clone());
                }
                Change::Fields { fields, kept: Some(removed) } => {
                    let of_item = known.entry(&told.item).or_default();
                    removed.iter().for_each(|name| {
                        of_item.remove(name);
                    });
                    fields.iter().for_each(|(name, value)| of_item.set(name.into(), value.clone()));
                }
                Change::Gone => {
                    known.remove(&told.item);
                }
            }
        }
        if known.is_empty() {
            return Vec::new();
        }
        items.iter().map(|item| known.remove(item).unwrap_or_default()).collect()
    }
}

#[cfg(test)]
mod tests {
    use headwater_base::{Event, EventId, Fact, Value};

    use super::*;
    use crate::dataset::{Cuts, Protocol, Stage};
    use crate::train::tests::{ok, schema, two_tastes_events};

    fn upsert(number: usize, second: i64, item: &str, field: &str, word: &str, patch: bool) -> Event {
        let time = Timestamp::from_seconds(second);
        let fields = Fields::new([(field.into(), Value::Categorical(word.into()))]);
        let item = ItemId::trusted(item);
        let fact = Fact::ItemUpsert { item, fields, removed: Vec::new(), available: None, patch };
        Event { id: EventId::trusted(format!("c{number}")), time, received: time, fact }
    }

    #[test]
    fn nothing_told_after_the_cut_is_known() {
        let mut events = two_tastes_events();
        events.push(upsert(1, 5, "a1", "colour", "red", false));
        events.push(upsert(2, 9, "a1", "size", "m", true));
        events.push(upsert(3, 500, "a1", "colour", "blue", true));
        events.push(upsert(4, 5, "b1", "colour", "green", false));
        events.push(upsert(5, 8, "b1", "size", "s", false));
        let mut dataset = Dataset::from_events(&schema(), ok(&events)).unwrap();
        let [validation, test] = [300, 400].map(Timestamp::from_seconds);
        dataset.protocol = Protocol::TimeCut(Some(Cuts { validation, test }));
        let split = dataset.split(Stage::Test).unwrap();
        let of = |split: &crate::dataset::Split, item: &str| {
            let row = split.items.iter().position(|id| id.as_str() == item).unwrap();
            let word = |value: &Value| match value {
                Value::Categorical(word) => word.to_string(),
                other => format!("{other:?}"),
            };
            split.fields[row]
                .iter()
                .map(|(name, value)| format!("{name}={}", word(value)))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&split, "a1"), ["colour=red", "size=m"]);
        assert_eq!(of(&split, "b1"), ["size=s"]);
        assert_eq!(of(&split, "a2"), [""; 0]);
        assert_eq!(of(&dataset.everything().unwrap(), "a1"), ["colour=blue", "size=m"]);
    }
}
