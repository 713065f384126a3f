//! Blends: one ranking from the scores of several models.
//!
//! Models that err differently are better together than any of them. Their scores are on scales of their own, which moreover
//! change from user to user, so each member's scores are divided by their standard deviation over the catalogue for the
//! very user who asks, and then added with weights:
//!
//! ```text
//! s(u, i) = sum over members m of  w_m s_m(u, i) / deviation over i of s_m(u, i)
//! ```
//!
//! What a mean would take away is the same for every item, so it is left in. A member that knows nothing of the history has
//! no say; an item that was appended after the training is judged by the members that know it, as if the others agreed.
//!
//! # Serving
//!
//! Scoring the whole catalogue by all members takes long where it is large. What serves ranks the union of the
//! [`BlendOptions::depth`] best of each member; each of these has exactly the score it would have among all. A depth of the
//! whole catalogue is the blend whole, to see what that loses.

mod member;
mod opinion;
mod weights;

pub use member::Member;
pub use opinion::Opinion;
pub use weights::{Panel, PanelCase};

use crate::error::ModelError;
use crate::model::{Allow, Query, Retrieve, Row, Score, Scored};
use crate::top::TopK;

/// Options of a blend beside those of its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlendOptions {
    /// How many of each member's best items are candidates, where not more are asked for.
    pub depth: usize,
}

impl Default for BlendOptions {
    fn default() -> Self {
        Self { depth: 200 }
    }
}

impl BlendOptions {
    /// Checks every option against its range.
    ///
    /// # Errors
    /// The first option that is outside it.
    pub fn validate(&self) -> Result<(), ModelError> {
        if self.depth >= 1 {
            return Ok(());
        }
        Err(ModelError::Option { option: "depth", value: self.depth as f64, expected: "at least 1" })
    }
}

/// Several models over one vocabulary, each with its weight. Clones share what is large.
#[derive(Clone, Debug)]
pub struct Blend {
    options: BlendOptions,
    members: Vec<(Member, f32)>,
}

impl Blend {
    /// From members, whose rows are the same items, and their weights.
    ///
    /// # Errors
    /// No members; members of different catalogues; weights that are negative, not finite or all 0; options outside their
    /// range.
    pub fn new(options: BlendOptions, members: Vec<(Member, f32)>) -> Result<Self, ModelError> {
        options.validate()?;
        let refuse = |what: String| Err(ModelError::Parts { what });
        let Some((first, _)) = members.first() else {
            return refuse("a blend has at least one member".into());
        };
        let trained = first.trained_items();
        if let Some((other, _)) = members.iter().find(|(member, _)| member.trained_items() != trained) {
            return refuse(format!("members know {trained} and {} items", other.trained_items()));
        }
        for (_, weight) in &members {
            if !(weight.is_finite() && *weight >= 0.0) {
                return refuse(format!(
                    "the weight {weight} of a member is not a finite number of at least 0"
                ));
            }
        }
        if members.iter().all(|(_, weight)| *weight == 0.0) {
            return refuse("at least one member must have a weight above 0".into());
        }
        Ok(Self { options, members })
    }

    /// How it serves.
    pub fn options(&self) -> &BlendOptions {
        &self.options
    }

    /// The members with their weights.
    pub fn members(&self) -> &[(Member, f32)] {
        &self.members
    }

    /// The same with members as `change` makes them of these; weights stay.
    ///
    /// # Errors
    /// As [`Blend::new`].
    pub fn map(
        &self,
        mut change: impl FnMut(&Member) -> Result<Member, ModelError>,
    ) -> Result<Self, ModelError> {
        let members = self.members.iter().map(|(member, weight)| Ok((change(member)?, *weight)));
        Self::new(self.options, members.collect::<Result<_, ModelError>>()?)
    }

    /// What each member with a weight has to say to a query.
    fn opinions<'a>(&'a self, query: &Query<'_>) -> Vec<Weighed<'a>> {
        let heard = self.members.iter().filter(|(_, weight)| *weight > 0.0);
        heard.filter_map(|(member, weight)| Weighed::new(member, *weight, query)).collect()
    }

    /// The rows that may be answered: the best of each member, ascending.
    fn candidates(&self, opinions: &[Weighed<'_>], limit: usize, allow: &dyn Allow) -> Vec<Row> {
        let depth = self.options.depth.max(limit);
        if depth >= self.items() {
            return (0..self.items() as Row).collect();
        }
        let best = opinions.iter().flat_map(|weighed| weighed.opinion.best(depth, allow));
        let mut rows: Vec<Row> = best.map(|scored| scored.row).collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// The candidates for a query, ascending, and how many deviations each member gives each of them: `scores[m][k]` is member
    /// m's for `rows[k]`, 0 where it has no say. What weights are chosen on.
    pub fn apart(&self, query: &Query<'_>, allow: &dyn Allow) -> (Vec<Row>, Vec<Vec<f32>>) {
        let opinions = self.opinions(query);
        let mut rows = self.candidates(&opinions, 0, allow);
        rows.retain(|row| allow.allows(*row));
        let scores = self.members.iter().map(|(member, _)| {
            let alone = Weighed::new(member, 1.0, query);
            alone.map_or_else(|| vec![0.0; rows.len()], |alone| totals(&[alone], &rows))
        });
        let scores = scores.collect();
        (rows, scores)
    }
}

/// What a member has to say, and what it counts.
struct Weighed<'a> {
    opinion: Box<dyn Opinion + 'a>,
    weight: f32,
    /// The weight of one unit of its scores.
    scale: f32,
}

impl<'a> Weighed<'a> {
    /// `None` where the member can tell no items apart.
    fn new(member: &'a Member, weight: f32, query: &Query<'_>) -> Option<Self> {
        let opinion = member.opinion(query)?;
        let scale = weight / opinion.deviation();
        (scale.is_finite() && scale > 0.0).then_some(Self { opinion, weight, scale })
    }
}

/// The scores of `rows`: not finite where no member knows one.
fn totals(opinions: &[Weighed<'_>], rows: &[Row]) -> Vec<f32> {
    let mut sums = vec![0.0; rows.len()];
    let mut known = vec![0.0; rows.len()];
    let mut scores = vec![0.0; rows.len()];
    let mut all = 0.0;
    for Weighed { opinion, weight, scale } in opinions {
        all += weight;
        opinion.scores(rows, &mut scores);
        for ((sum, known), score) in sums.iter_mut().zip(&mut known).zip(&scores) {
            if score.is_finite() {
                *sum += scale * score;
                *known += weight;
            }
        }
    }
    for (sum, known) in sums.iter_mut().zip(known) {
        // Exactly as it is where all know the item.
        if known != all {
            *sum *= all / known;
        }
    }
    sums
}

impl Retrieve for Blend {
    fn items(&self) -> usize {
        self.members.iter().map(|(member, _)| member.items()).max().unwrap_or(0)
    }

    fn retrieve(&self, query: &Query<'_>, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        let opinions = self.opinions(query);
        if opinions.is_empty() {
            return Vec::new();
        }
        let rows = self.candidates(&opinions, limit, allow);
        let mut top = TopK::new(limit);
        for (&row, score) in rows.iter().zip(totals(&opinions, &rows)) {
            if score.is_finite() && top.admits(row, score) && allow.allows(row) {
                top.offer(row, score);
            }
        }
        top.into_ranked()
    }
}

impl Score for Blend {
    fn score(&self, query: &Query<'_>, rows: &[Row], scores: &mut [f32]) {
        let opinions = self.opinions(query);
        if opinions.is_empty() {
            scores.fill(f32::NEG_INFINITY);
            return;
        }
        let items = self.items();
        for ((row, score), sum) in rows.iter().zip(scores).zip(totals(&opinions, rows)) {
            let known = (*row as usize) < items && sum.is_finite();
            *score = if known { sum } else { f32::NEG_INFINITY };
        }
    }
}

#[cfg(test)]
mod tests;
