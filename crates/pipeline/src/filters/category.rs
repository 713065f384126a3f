//! Only, or anything but, items with certain words in a categorical field.

use compact_str::CompactString;
use headwater_features::{Catalogue, CategoricalField, ItemIndex, TagsField};

use crate::moment::Moment;
use crate::stage::{Filter, Keep};

/// Whether the listed words are wanted or unwanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Keep items with one of the words; an item without the field is dropped.
    Only,
    /// Drop items with one of the words; an item without the field is kept.
    Except,
}

/// A surface's own condition on a categorical field.
#[derive(Debug)]
pub struct CategoryFilter {
    name: CompactString,
    field: CompactString,
    values: Vec<CompactString>,
    mode: Mode,
}

impl CategoryFilter {
    /// On `field`, with these words.
    pub fn new(field: CompactString, values: Vec<CompactString>, mode: Mode) -> Self {
        let verb = if mode == Mode::Only { "only" } else { "except" };
        Self { name: compact_str::format_compact!("{verb}_{field}"), field, values, mode }
    }
}

impl Filter for CategoryFilter {
    fn name(&self) -> &str {
        &self.name
    }

    fn prepare<'a>(&'a self, moment: &'a Moment<'a>) -> Option<Box<dyn Keep + 'a>> {
        let wanted = self.mode == Mode::Only;
        let words = Words::find(moment.catalogue, &self.field, &self.values);
        Some(Box::new(move |item: ItemIndex| words.on(moment.catalogue, item) == wanted))
    }
}

/// The request's own conditions; an item must satisfy each of them.
#[derive(Debug)]
pub struct RequestCategoryFilter;

impl Filter for RequestCategoryFilter {
    fn name(&self) -> &str {
        "categories"
    }

    fn prepare<'a>(&'a self, moment: &'a Moment<'a>) -> Option<Box<dyn Keep + 'a>> {
        let (wanted, catalogue) = (&moment.request.categories, moment.catalogue);
        if wanted.is_empty() {
            return None;
        }
        let find = |filter: &crate::CategoryFilter| Words::find(catalogue, &filter.field, &filter.values);
        let all: Vec<Words> = wanted.iter().map(find).collect();
        Some(Box::new(move |item: ItemIndex| all.iter().all(|words| words.on(catalogue, item))))
    }
}

/// Texts looked up once as words of a field, so that an item is checked by numbers.
enum Words {
    Categorical(CategoricalField, Vec<u32>),
    Tags(TagsField, Vec<u32>),
    /// The catalogue has no such field.
    Nothing,
}

impl Words {
    fn find(catalogue: &Catalogue, field: &str, values: &[CompactString]) -> Self {
        if let Some(field) = catalogue.categorical_field(field) {
            let words = values.iter().filter_map(|value| catalogue.word(field, value)).collect();
            return Self::Categorical(field, words);
        }
        let Some(field) = catalogue.tags_field(field) else { return Self::Nothing };
        Self::Tags(field, values.iter().filter_map(|value| catalogue.tag(field, value)).collect())
    }

    /// Whether one of the words is on `item`.
    fn on(&self, catalogue: &Catalogue, item: ItemIndex) -> bool {
        match self {
            Self::Categorical(field, words) => {
                catalogue.categorical(*field, item).is_some_and(|word| words.contains(&word))
            }
            Self::Tags(field, words) => catalogue.tags(*field, item).any(|word| words.contains(&word)),
            Self::Nothing => false,
        }
    }
}
