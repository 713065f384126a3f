//! The actor's past in the catalogue's numbers, for sources that are folded from the log.

use std::cell::RefCell;

use headwater_models::Past;

use crate::moment::Moment;

/// Latest interactions that such a source may read.
const LATEST: usize = 128;

thread_local! {
    /// Kept between requests of a thread so that it is not allocated anew.
    static HISTORY: RefCell<Vec<Past>> = const { RefCell::new(Vec::new()) };
}

/// Hands the latest interactions that count to `use_it`, oldest first.
pub(super) fn with_history<T>(moment: &Moment<'_>, use_it: impl FnOnce(&[Past]) -> T) -> T {
    let mut history = HISTORY.take();
    history.clear();
    let interactions = &moment.profile.interactions;
    let latest = &interactions[interactions.len().saturating_sub(LATEST)..];
    history.extend(latest.iter().filter(|interaction| interaction.weight > 0.0).map(|interaction| Past {
        row: interaction.item,
        weight: interaction.weight,
        age: moment.now.seconds_since(interaction.time).max(0.0) as f32,
    }));
    let result = use_it(&history);
    HISTORY.set(history);
    result
}
