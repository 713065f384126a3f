//! An item on its way through a pipeline.

use headwater_base::Rung;
use headwater_features::ItemIndex;

/// How many categorical fields one surface may cap.
pub const MAX_CAPS: usize = 4;

/// The word of an item that has no value in a field.
pub const NO_WORD: u32 = u32::MAX;

/// What a source found: an item and how strongly the source speaks for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Which item.
    pub item: ItemIndex,
    /// Higher is better; comparable within one source only.
    pub score: f32,
}

/// An item that competes for a place in the answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Which item.
    pub item: ItemIndex,
    /// What it is ranked by: the source's score, or the scorer's where the surface has one.
    pub score: f32,
    /// What the source gave it.
    pub source_score: f32,
    /// Which of the surface's sources brought it.
    pub source: u16,
    /// Its place in that source's list, from 0.
    pub rank: u32,
    /// The rung its source answers for.
    pub rung: Rung,
    /// Words of the capped fields, set by hydrators; [`NO_WORD`] where the item has none.
    pub words: [u32; MAX_CAPS],
}

impl Candidate {
    /// A candidate as its source found it.
    pub fn found(found: Found, source: u16, rank: u32, rung: Rung) -> Self {
        Self {
            item: found.item,
            score: found.score,
            source_score: found.score,
            source,
            rank,
            rung,
            words: [NO_WORD; MAX_CAPS],
        }
    }
}

/// The order of a ranked list: finite scores first, higher before lower, ties by item.
pub fn by_score(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    let key = |score: f32| if score.is_finite() { score } else { f32::NEG_INFINITY };
    key(b.score).total_cmp(&key(a.score)).then(a.item.cmp(&b.item))
}
