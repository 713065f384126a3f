//! The request's own lists of items.

use headwater_base::ItemId;
use headwater_features::ItemIndex;

use crate::moment::Moment;
use crate::stage::{Filter, Keep};

fn known(moment: &Moment<'_>, ids: &[ItemId]) -> Vec<ItemIndex> {
    let mut items: Vec<ItemIndex> = ids.iter().filter_map(|id| moment.catalogue.index(id.as_str())).collect();
    items.sort_unstable();
    items
}

/// Keeps what the request does not exclude, and never the item it asks about.
#[derive(Debug)]
pub struct ExcludeFilter;

impl Filter for ExcludeFilter {
    fn name(&self) -> &str {
        "exclude"
    }

    fn prepare<'a>(&'a self, moment: &'a Moment<'a>) -> Option<Box<dyn Keep + 'a>> {
        if moment.request.exclude.is_empty() && moment.item.is_none() {
            return None;
        }
        let excluded = known(moment, &moment.request.exclude);
        let itself = moment.item;
        Some(Box::new(move |item: ItemIndex| Some(item) != itself && excluded.binary_search(&item).is_err()))
    }
}

/// Keeps only what the request includes, where it gives a list.
#[derive(Debug)]
pub struct IncludeFilter;

impl Filter for IncludeFilter {
    fn name(&self) -> &str {
        "include"
    }

    fn prepare<'a>(&'a self, moment: &'a Moment<'a>) -> Option<Box<dyn Keep + 'a>> {
        if moment.request.include.is_empty() {
            return None;
        }
        let included = known(moment, &moment.request.include);
        Some(Box::new(move |item: ItemIndex| included.binary_search(&item).is_ok()))
    }
}
