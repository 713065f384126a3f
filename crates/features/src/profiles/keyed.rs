//! State by string id, iterated in the order in which the ids came.

use crate::Interner;

/// The states of one shard of actors.
#[derive(Debug)]
pub(crate) struct Keyed<T> {
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
    pub(crate) fn get(&self, id: &str) -> Option<&T> {
        self.states.get(self.ids.get(id)? as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.states.get_mut(self.ids.get(id)? as usize)?.as_mut()
    }

    /// The state of `id`, made by `new` where there is none.
    pub(crate) fn entry(&mut self, id: &str, new: impl FnOnce() -> T) -> &mut T {
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

    pub(crate) fn remove(&mut self, id: &str) {
        if let Some(index) = self.ids.remove(id) {
            self.states[index as usize] = None;
            self.live -= 1;
        }
    }

    /// Removes what `keep` says no to, in the order in which the ids came.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        for index in 0..self.states.len() {
            if self.states[index].as_mut().is_none_or(&mut keep) {
                continue;
            }
            let id = self.ids.text(index as u32).map(str::to_owned);
            id.into_iter().for_each(|id| self.remove(&id));
        }
        if self.live < self.states.len() / 2 {
            self.renumber();
        }
    }

    /// Gives the ids new numbers in the same order, and so frees those of removed ones.
    fn renumber(&mut self) {
        let before = std::mem::take(self);
        for (index, state) in before.states.into_iter().enumerate() {
            if let (Some(id), Some(state)) = (before.ids.text(index as u32), state) {
                self.entry(id, || state);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.live
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.states
            .iter()
            .enumerate()
            .filter_map(|(index, state)| Some((self.ids.text(index as u32)?, state.as_ref()?)))
    }
}
