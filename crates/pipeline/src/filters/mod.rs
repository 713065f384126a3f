//! The filters, and the one predicate they make together.
//!
//! [`Eligibility`] is built once a request. Retrieval asks it for every item that would otherwise make the list, so the
//! best k after filtering are exact; the filter stage asks it again for every candidate, so that a source which does
//! not push it down cannot leak an item.

mod cap;
mod category;
mod listed;
mod seen;

use std::cell::{Cell, RefCell};

use headwater_features::ItemIndex;

pub use cap::{Cap, CapHydrator};
pub use category::{CategoryFilter, Mode, RequestCategoryFilter};
pub use listed::{ExcludeFilter, IncludeFilter};
pub use seen::{AvailableFilter, SeenFilter};

use crate::moment::Moment;
use crate::stage::{Filter, Keep};

/// How many refused items an explanation can name.
const EXPLAINED: usize = 4096;

/// All conditions of one request as one predicate that counts what it refuses.
pub struct Eligibility<'a> {
    keeps: Vec<(&'a str, Box<dyn Keep + 'a>, Cell<u32>)>,
    asked: Cell<u32>,
    refused: Option<RefCell<Vec<(ItemIndex, u16)>>>,
}

impl<'a> Eligibility<'a> {
    /// Prepares `filters` for a request; with `explain`, remembers which items were refused.
    pub fn new(filters: &'a [Box<dyn Filter>], moment: &'a Moment<'a>, explain: bool) -> Self {
        let filters = filters.iter().map(AsRef::as_ref);
        let keeps = filters.filter_map(|filter: &dyn Filter| {
            filter.prepare(moment).map(|keep| (filter.name(), keep, Cell::new(0)))
        });
        let keeps = keeps.collect();
        Self { keeps, asked: Cell::new(0), refused: explain.then(RefCell::default) }
    }

    /// Whether every filter keeps `item`; counts the first that does not.
    pub fn allows(&self, item: ItemIndex) -> bool {
        self.asked.set(self.asked.get().saturating_add(1));
        let refusing = self.keeps.iter().position(|(_, keep, _)| !keep.keeps(item));
        let Some(index) = refusing else { return true };
        let count = &self.keeps[index].2;
        count.set(count.get().saturating_add(1));
        if let Some(refused) = &self.refused
            && refused.borrow().len() < EXPLAINED
        {
            refused.borrow_mut().push((item, index as u16));
        }
        false
    }

    /// Each filter that took part, with how many questions reached it and how many passed it.
    pub fn counts(&self) -> impl Iterator<Item = (&'a str, u32, u32)> + '_ {
        self.keeps.iter().scan(self.asked.get(), |reached, (name, _, refused)| {
            let entered = *reached;
            *reached = entered.saturating_sub(refused.get());
            Some((*name, entered, *reached))
        })
    }

    /// The refused items with their filter, each once, in the order they were met.
    pub fn refused(&self) -> Vec<(ItemIndex, &'a str)> {
        let Some(refused) = &self.refused else { return Vec::new() };
        let mut met = std::collections::HashSet::new();
        let refused = refused.borrow();
        let first = refused.iter().filter(|(item, _)| met.insert(*item));
        first.map(|(item, index)| (*item, self.keeps[usize::from(*index)].0)).collect()
    }
}
