//! The shortlist, and the selector that takes the best with at most n per category.

use headwater_features::ItemIndex;

use crate::candidate::{Candidate, MAX_CAPS, NO_WORD};
use crate::filters::Cap;
use crate::moment::Moment;
use crate::stage::Selector;

/// What is chosen so far, and how often each capped word was.
#[derive(Debug)]
pub struct Shortlist {
    limit: usize,
    chosen: Vec<Candidate>,
    words: [Vec<(u32, u32)>; MAX_CAPS],
    capped: [u32; MAX_CAPS],
}

impl Shortlist {
    /// An empty shortlist for `limit` items.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            chosen: Vec::with_capacity(limit.min(1024)),
            words: Default::default(),
            capped: [0; MAX_CAPS],
        }
    }

    /// The chosen candidates, best first.
    pub fn chosen(&self) -> &[Candidate] {
        &self.chosen
    }

    /// How many places are open.
    pub fn open(&self) -> usize {
        self.limit - self.chosen.len()
    }

    /// Whether `item` is chosen already.
    pub fn holds(&self, item: ItemIndex) -> bool {
        self.chosen.iter().any(|candidate| candidate.item == item)
    }

    /// How many chosen items have `word` in the field of `slot`.
    pub fn count(&self, slot: usize, word: u32) -> u32 {
        self.words[slot].iter().find(|(known, _)| *known == word).map_or(0, |(_, count)| *count)
    }

    /// How many candidates the cap of `slot` refused.
    pub fn capped(&self, slot: usize) -> u32 {
        self.capped[slot]
    }

    fn take(&mut self, candidate: Candidate) {
        for (slot, word) in candidate.words.iter().enumerate().filter(|(_, word)| **word != NO_WORD) {
            match self.words[slot].iter_mut().find(|(known, _)| known == word) {
                Some((_, count)) => *count += 1,
                None => self.words[slot].push((*word, 1)),
            }
        }
        self.chosen.push(candidate);
    }
}

/// Takes candidates in order, each item once, at most n per word of each capped field.
#[derive(Debug, Default)]
pub struct TopKSelector {
    caps: Vec<Cap>,
}

impl TopKSelector {
    /// With these caps; slot i of a candidate's words belongs to `caps[i]`.
    pub fn new(caps: Vec<Cap>) -> Self {
        Self { caps }
    }

    /// The caps, by slot.
    pub fn caps(&self) -> &[Cap] {
        &self.caps
    }
}

impl Selector for TopKSelector {
    fn name(&self) -> &str {
        "top_k"
    }

    fn refuses(&self) -> bool {
        !self.caps.is_empty()
    }

    fn admits(&self, moment: &Moment<'_>, item: ItemIndex, shortlist: &Shortlist) -> bool {
        self.caps.iter().enumerate().all(|(slot, cap)| {
            cap.word(moment.catalogue, item).is_none_or(|word| shortlist.count(slot, word) < cap.limit)
        })
    }

    fn select(&self, candidates: &[Candidate], shortlist: &mut Shortlist) {
        for candidate in candidates {
            if shortlist.open() == 0 {
                return;
            }
            let full = self.caps.iter().enumerate().position(|(slot, cap)| {
                let word = candidate.words[slot];
                word != NO_WORD && shortlist.count(slot, word) >= cap.limit
            });
            match full {
                Some(slot) => shortlist.capped[slot] += 1,
                None if shortlist.holds(candidate.item) => {}
                None => shortlist.take(*candidate),
            }
        }
    }
}
