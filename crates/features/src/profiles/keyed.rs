//! State by string id, iterated in the order in which the ids came.

use crate::Interner;

/// The states of one shard of actors.
#[derive(Debug)]
pub(super) struct Keyed<T> {
    ids: Interner,
    /// By number of the id; `None` where it was removed.
    states: Vec<Option<T>>,
    live: usize,
}

impl<T> Default for Keyed<T> {
    fn default() -> Self {
        Self { ids: Interner::default(), states: Vec::new(), live: 0 }
    }
}

impl<T> Keyed<T> {
    pub(super) fn get(&self, id: &str) -> Option<&T> {
        self.states.get(self.ids.get(id)? as usize)?.as_ref()
    }

    /// The state of `id`, made by `new` where there is none.
    pub(super) fn entry(&mut self, id: &str, new: impl FnOnce() -> T) -> &mut T {
        let index = self.ids.intern(id) as usize;
        if index == self.states.len() {
            self.states.push(None);
        }
        let state = &mut self.states[index];
        if state.is_none() {
            self.live += 1;
        }
        state.get_or_insert_with(new)
    }

    pub(super) fn remove(&mut self, id: &str) {
        if let Some(index) = self.ids.remove(id) {
            self.states[index as usize] = None;
            self.live -= 1;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.live
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.states
            .iter()
            .enumerate()
            .filter_map(|(index, state)| Some((self.ids.text(index as u32)?, state.as_ref()?)))
    }
}
