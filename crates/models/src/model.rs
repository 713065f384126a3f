//! The three things a model can do: retrieve candidates, score candidates, embed a user from their history.
//!
//! Every kind of model passes the one contract suite in `tests/contract.rs`.

/// Dense number of an item within a model, `0..items()`.
pub type Row = u32;

/// One past interaction of the one who asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Past {
    /// The item's row.
    pub row: Row,
    /// Weight of the interaction, positive: its declared type's weight times its value where that is a multiplier.
    pub weight: f32,
    /// Seconds between the interaction and the request, not negative.
    pub age: f32,
}

/// Whether an observation of this weight counts.
pub(crate) fn usable(weight: f32) -> bool {
    weight.is_finite() && weight > 0.0
}

/// What a model knows of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Query<'a> {
    /// Past interactions, oldest first; may repeat items and may be empty.
    pub history: &'a [Past],
    /// The item the request is about, on surfaces such as `similar`.
    pub item: Option<Row>,
}

/// Which rows may be retrieved. Asked only for rows that would otherwise make the list, so it may be dear.
pub trait Allow {
    /// Whether `row` may be in the answer.
    fn allows(&self, row: Row) -> bool;

    /// The only rows that may be, where they are few and known: then nothing else is read. Each is still asked about.
    fn listed(&self) -> Option<&[Row]> {
        None
    }
}

impl<F: Fn(Row) -> bool> Allow for F {
    fn allows(&self, row: Row) -> bool {
        self(row)
    }
}

/// A row with its score; higher is better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// Which item.
    pub row: Row,
    /// Always finite.
    pub score: f32,
}

/// Finds the best items for a query among all of them.
pub trait Retrieve: Send + Sync {
    /// How many rows the model has.
    fn items(&self) -> usize;

    /// The `limit` best allowed rows, best first, ties by row; fewer where the model knows no more.
    ///
    /// Empty where the model cannot say anything about the query (an empty history, unknown items). Never returns
    /// a non-finite score.
    fn retrieve(&self, query: &Query<'_>, limit: usize, allow: &dyn Allow) -> Vec<Scored>;
}

/// Scores given items for a query.
pub trait Score: Send + Sync {
    /// Writes the score of `rows[i]` to `scores[i]`; `f32::NEG_INFINITY` where the model does not know the row or
    /// cannot say anything about the query.
    fn score(&self, query: &Query<'_>, rows: &[Row], scores: &mut [f32]);
}

/// Turns a history into a vector of the model's space.
pub trait Embed: Send + Sync {
    /// Length of the vectors.
    fn dimensions(&self) -> usize;

    /// Writes the vector to `vector` (of length [`Embed::dimensions`]); false where the history says nothing.
    fn embed(&self, query: &Query<'_>, vector: &mut [f32]) -> bool;
}
