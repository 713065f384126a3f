//! The actor's past in the catalogue's numbers, for sources that are folded from the log.

use std::cell::RefCell;

use headwater_features::ItemIndex;
use headwater_models::{Past, Query};

use crate::candidate::Found;
use crate::moment::Moment;

/// Latest interactions that such a source may read.
const LATEST: usize = 128;

thread_local! {
    /// Kept between requests of a thread so that it is not allocated anew.
    static HISTORY: RefCell<Vec<Past>> = const { RefCell::new(Vec::new()) };
}

/// What such a source answers to: the item asked about or, without one, the latest interactions that count, oldest first.
pub(super) fn candidates(
    moment: &Moment<'_>,
    best: impl FnOnce(&Query<'_>) -> Vec<(ItemIndex, f32)>,
) -> Vec<Found> {
    let mut history = HISTORY.take();
    history.clear();
    if moment.item.is_none() {
        let interactions = &moment.profile.interactions;
        let latest = &interactions[interactions.len().saturating_sub(LATEST)..];
        history.extend(latest.iter().filter(|interaction| interaction.weight > 0.0).map(|interaction| {
            Past {
                row: interaction.item,
                weight: interaction.weight,
                age: moment.now.seconds_since(interaction.time).max(0.0) as f32,
            }
        }));
    }
    let found = best(&Query { history: &history, item: moment.item });
    HISTORY.set(history);
    found.into_iter().map(|(item, score)| Found { item, score }).collect()
}
