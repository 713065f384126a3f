//! The check that what was served is what a replay gives.
//!
//! A decision that logged its feature vectors says at which position of the event log they were read, and for which
//! moment. [`AgreementCheck`] folds the log up to that position, by the code that a backfill and the training replay fold
//! with, reads the same features for the same request, and compares bit by bit. Decisions have to come in the order of
//! their positions: [`InPositionOrder`] puts right what concurrent requests overtook.
//!
//! Where records were erased from the log before a position, a replay can no longer give what was served then. A value that
//! such a record may have been part of, and that differs, is counted apart.

mod order;
mod report;

use std::collections::BTreeMap;
use std::iter::Peekable;

use headwater_base::{Decision, Event, Fact, FeatureValue, LoggedFeatures};
use headwater_log::{LogError, Offset, Partition};

use crate::declared::plan::Source;
use crate::declared::{FieldRef, Plan, TimeFeature};
use crate::{FeatureRequest, FeatureRows, FeaturesError, Replay};
pub use order::InPositionOrder;
pub use report::{Agreement, Difference, FeatureAgreement, SkippedDecisions};
use report::{Erasable, Tally};

/// The partition that decisions are of: the embedded log has one.
const PARTITION: Partition = Partition(0);

/// How a check is done.
#[derive(Clone, Copy, Debug)]
pub struct AgreementOptions {
    /// Differences that are kept as examples.
    pub examples: usize,
    /// Whether records were erased before the position at which the replay begins.
    pub erased: bool,
}

/// Recomputes logged vectors and counts where they differ. See the module.
pub struct AgreementCheck<E: Iterator> {
    events: Peekable<E>,
    replay: Replay,
    /// Where the replay began: earlier positions are out of reach.
    begin: Offset,
    erased: bool,
    tallies: Vec<Tally>,
    /// By the number of a schema.
    schemas: BTreeMap<u64, Logged>,
    rows: FeatureRows,
    examples: usize,
    found: Agreement,
}

/// The columns of a schema.
struct Logged {
    /// Of each, its tally and, where it can be computed, its place in `columns`.
    places: Vec<(usize, Option<usize>)>,
    /// Those of the plan that are computed.
    columns: Vec<usize>,
}

impl<E: Iterator<Item = Result<(Offset, Event), LogError>>> AgreementCheck<E> {
    /// Compares what a `replay` of `plan` gives, fed by `events`, which begin where it stands. `schemas` names the columns
    /// of each schema, by name and version; those that the plan lacks are counted as not computed.
    pub fn new(
        events: E,
        replay: Replay,
        plan: &Plan,
        schemas: BTreeMap<u64, Vec<String>>,
        options: AgreementOptions,
    ) -> Self {
        let mut tallies: Vec<Tally> = Vec::new();
        let mut tally = |label: String| {
            tallies.iter().position(|known| known.feature == label).unwrap_or_else(|| {
                let column = plan.columns().position(|(known, _)| *known == label);
                let erasable =
                    column.map_or(Erasable::Never, |column| erasable(&plan.features[column].source));
                tallies.push(Tally::new(label.into(), column, erasable));
                tallies.len() - 1
            })
        };
        let schemas = schemas
            .into_iter()
            .map(|(number, labels)| (number, labels.into_iter().map(&mut tally).collect::<Vec<usize>>()))
            .collect::<Vec<_>>();
        let schemas = schemas.into_iter().map(|(number, of)| (number, Logged::new(&of, &tallies))).collect();
        Self {
            events: events.peekable(),
            begin: replay.position().offset(PARTITION),
            replay,
            erased: options.erased,
            tallies,
            schemas,
            rows: FeatureRows::default(),
            examples: options.examples,
            found: Agreement::default(),
        }
    }

    /// Recomputes the vectors of a decision and compares them with what it logged; nothing for one that logged none.
    ///
    /// # Errors
    /// The log's.
    pub fn check(&mut self, decision: &Decision) -> Result<(), FeaturesError> {
        let Some(logged) = &decision.features else { return Ok(()) };
        let Some(of_schema) = self.schemas.get(&logged.schema) else {
            self.found.skipped.unknown_schema += 1;
            return Ok(());
        };
        if !fits(decision, logged, of_schema.places.len()) {
            self.found.skipped.unfitting += 1;
            return Ok(());
        }
        let wanted = decision.position.first().copied().unwrap_or(0);
        let at = self.replay.position().offset(PARTITION);
        if wanted < at {
            let skipped = &mut self.found.skipped;
            *(if wanted < self.begin { &mut skipped.before_log } else { &mut skipped.overtaken }) += 1;
            return Ok(());
        }
        self.fold_up_to(wanted)?;
        if self.replay.position().offset(PARTITION) < wanted {
            self.found.skipped.ahead_of_log += 1;
            return Ok(());
        }
        self.compare(decision, logged, wanted);
        Ok(())
    }

    /// Where the replay stands.
    pub fn position(&self) -> Offset {
        self.replay.position().offset(PARTITION)
    }

    /// What was found so far; the counts of features follow with [`AgreementCheck::finish`].
    pub fn found(&self) -> &Agreement {
        &self.found
    }

    /// What was found.
    pub fn finish(mut self) -> Agreement {
        self.tallies.sort_by(|a, b| a.feature.cmp(&b.feature));
        self.found.features = self.tallies.iter().map(Tally::agreement).collect();
        self.found
    }

    fn fold_up_to(&mut self, wanted: Offset) -> Result<(), FeaturesError> {
        let before = |entry: &Result<(Offset, Event), LogError>| {
            entry.as_ref().map_or(true, |(offset, _)| *offset < wanted)
        };
        while let Some(entry) = self.events.next_if(before) {
            let (offset, event) = entry?;
            self.erased |= matches!(event.fact, Fact::Erased);
            self.replay.fold(PARTITION, offset, &event);
        }
        Ok(())
    }

    fn compare(&mut self, decision: &Decision, logged: &LoggedFeatures, position: Offset) {
        let Logged { places, columns } = &self.schemas[&logged.schema];
        let catalogue = self.replay.catalogue();
        let items: Vec<_> = decision.items.iter().map(|shown| catalogue.index(shown.item.as_str())).collect();
        let request =
            FeatureRequest { actor: &decision.actor, context: &decision.context, time: logged.time };
        self.replay.features_into(&request, columns, &items, &mut self.rows);
        self.found.decisions += 1;
        for (at, (served, shown)) in logged.rows.iter().zip(&decision.items).enumerate() {
            for (served, (tally, column)) in served.iter().zip(places) {
                let tally = &mut self.tallies[*tally];
                let Some(column) = column else {
                    tally.not_computed += 1;
                    self.found.not_computed += 1;
                    continue;
                };
                let replayed = self.rows.value(at, *column);
                let erasable = match tally.erasable {
                    Erasable::Never => false,
                    Erasable::OfSessions => decision.actor.user.is_none(),
                    Erasable::Always => true,
                };
                if !served.same(replayed) && self.erased && erasable {
                    tally.erased += 1;
                    self.found.erased += 1;
                    continue;
                }
                self.found.compared += 1;
                tally.add(served, replayed);
                if served.same(replayed) {
                    continue;
                }
                self.found.different += 1;
                if self.found.differences.len() < self.examples {
                    self.found.differences.push(Difference {
                        feature: tally.feature.clone(),
                        served: served.clone(),
                        replayed: replayed.clone(),
                        position,
                        time: logged.time,
                        request_id: decision.request_id.clone(),
                        item: shown.item.clone(),
                    });
                }
            }
        }
    }
}

impl Logged {
    fn new(of: &[usize], tallies: &[Tally]) -> Self {
        let mut columns = Vec::new();
        let places = of.iter().map(|tally| {
            let place = tallies[*tally].column.map(|column| {
                columns.push(column);
                columns.len() - 1
            });
            (*tally, place)
        });
        Self { places: places.collect(), columns }
    }
}

/// Whether an erased record may have been part of the value.
fn erasable(source: &Source) -> Erasable {
    match source {
        Source::Field(FieldRef::User(_)) => Erasable::OfSessions,
        Source::Field(_)
        | Source::Time(TimeFeature::HourOfDay | TimeFeature::DayOfWeek | TimeFeature::HourOfWeek) => {
            Erasable::Never
        }
        Source::Time(_) | Source::Tiles(_) => Erasable::Always,
    }
}

fn fits(decision: &Decision, logged: &LoggedFeatures, width: usize) -> bool {
    logged.rows.len() == decision.items.len() && logged.rows.iter().all(|row| row.len() == width)
}

/// The symmetric error of two numbers, 0 to 2: `2 |a - b| / (|a| + |b|)`, and 0 where both are 0.
fn symmetric_error(served: &FeatureValue, replayed: &FeatureValue) -> Option<f64> {
    let (FeatureValue::Number(a), FeatureValue::Number(b)) = (served, replayed) else { return None };
    let (a, b) = (f64::from(*a), f64::from(*b));
    Some(if a == b { 0.0 } else { 2.0 * (a - b).abs() / (a.abs() + b.abs()) })
}
