//! Not again, and not what is gone.

use headwater_features::ItemIndex;

use crate::moment::Moment;
use crate::stage::{Filter, Keep};

/// Keeps what the actor has not interacted with, as far back as the profile reaches (512 interactions).
///
/// Interactions of weight 0 (an impression) do not count as seen.
#[derive(Debug)]
pub struct SeenFilter;

impl Filter for SeenFilter {
    fn name(&self) -> &str {
        "seen"
    }

    fn prepare<'a>(&'a self, moment: &'a Moment<'a>) -> Option<Box<dyn Keep + 'a>> {
        let interactions = moment.profile.interactions.iter();
        let mut seen: Vec<ItemIndex> = interactions
            .filter(|interaction| interaction.weight > 0.0)
            .map(|interaction| interaction.item)
            .collect();
        if seen.is_empty() {
            return None;
        }
        seen.sort_unstable();
        Some(Box::new(move |item: ItemIndex| seen.binary_search(&item).is_err()))
    }
}

/// Keeps what may be recommended now: neither marked unavailable nor deleted.
#[derive(Debug)]
pub struct AvailableFilter;

impl Filter for AvailableFilter {
    fn name(&self) -> &str {
        "available"
    }

    fn prepare<'a>(&'a self, moment: &'a Moment<'a>) -> Option<Box<dyn Keep + 'a>> {
        Some(Box::new(|item: ItemIndex| moment.catalogue.available(item)))
    }
}
