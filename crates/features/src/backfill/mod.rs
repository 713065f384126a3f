//! The features of a whole history: what each interaction met, before it was counted.
//!
//! One event at a time, a fold touches the rows of a user, an item, a category and so on, and most of them have left the
//! processor's caches since they were touched last. Here many interactions are taken at once, in the order of the log,
//! which finds out whose they are and what they pass; then they are worked off row by row, and within a row group by group:
//! each group's reads and counts in the order of the log, which is all that it depends on. What it comes to is the same to
//! the bit.
//!
//! Events that change more than rows (upserts, deletions, merges) are waited for, and so is the moment at which idle
//! entities are forgotten: what was taken before is worked off first.

mod reads;
mod table;
mod taken;

use std::sync::Arc;

use headwater_base::{Event, Fact, Interaction, Timestamp};
use headwater_log::{Offset, Partition};
use headwater_models::prefetch::prefetch;

use crate::Replay;
use crate::declared::Part;
use crate::declared::plan::{Plan, Table};
use crate::profiles::places::or_none;
use crate::read::{FeatureRequest, FeatureRows};
use crate::state::{NoSink, State};
use crate::tables::Parties;
use crate::tiles::{NO_WORD, Row, RowLayout};
use crate::{profiles, tables};
use reads::RowReads;
pub use table::FeatureTable;
use table::Values;
use taken::{AT_ONCE, AllTaken, Entry, Met, Order, Rows, Taken};

/// How far from a row things lie.
const JUMPS: usize = 5;
/// Of how many interactions that meet a row memory is asked for what was taken.
const NEAR: usize = 8;

impl Replay {
    /// An empty table of the features at `columns` of the plan.
    pub fn table(&self, columns: &[usize]) -> FeatureTable {
        FeatureTable::new(&self.state.tables.plan, columns)
    }

    /// Folds events that follow what was folded, and makes `table` hold a row for each interaction among them: the
    /// features of its actor and item as of its time, from what was received before it.
    pub fn backfill<'e>(
        &mut self,
        partition: Partition,
        events: impl IntoIterator<Item = (Offset, &'e Event)>,
        table: &mut FeatureTable,
    ) {
        table.values.clear();
        for (offset, event) in events {
            let received = event.received.as_micros();
            let taken = match &event.fact {
                // What it meets, the first of a day meets before anybody is forgotten.
                Fact::Interaction(interaction) if !self.state.begins_day(received) => {
                    if table.taken.len() == AT_ONCE {
                        table.work_off(&mut self.state);
                    }
                    self.state.advance(received);
                    table.take(&mut self.state, offset, event, interaction)
                }
                _ => false,
            };
            if !taken {
                table.work_off(&mut self.state);
                if let Fact::Interaction(interaction) = &event.fact {
                    table.read_apart(&self.state, event.time, interaction);
                }
                self.state.fold(offset, event, &mut NoSink);
            }
            self.state.position.set(partition, offset + 1);
        }
        table.work_off(&mut self.state);
    }
}

impl FeatureTable {
    /// Finds out all of an interaction that other rows than its own have a say in; false for one that has to be folded
    /// by itself.
    fn take(&mut self, state: &mut State, offset: Offset, event: &Event, interaction: &Interaction) -> bool {
        let Some(place) = state.profiles.place(&interaction.actor, offset) else { return false };
        let known = state.catalogue.current().len();
        let item = state.catalogue.mention(&interaction.item, event.time);
        let knows_item = (item as usize) < known;
        self.values.open();
        for (column, value) in &self.moments {
            let request = request(interaction, event.time);
            let fields = state.profiles.fields_at(place);
            let read = state.of_moment(&request, fields, knows_item.then_some(item), *column);
            self.values.set_other(*value, read);
        }
        let kind = &interaction.kind;
        let kind = state.kinds.number(kind).unwrap_or_else(|| state.kinds.add(kind));
        let State { profiles, catalogue, tables, .. } = state;
        let user_fields = or_none(profiles.fields_at(place));
        tables.prepare(&Parties { interaction, kind, item, user_fields, catalogue: catalogue.current() });
        let session = interaction.actor.session.as_ref().map(|session| tables.session_place(session));
        let (stamp, now) = (state.clock, event.time.as_micros());
        let taken = Taken { offset, stamp, now, item, knows_item, actor: place, session };
        let counted = event.time.min(event.received).as_micros();
        let tails = tables.plan.tails.iter().map(|(hop, back)| {
            hop.tile(Timestamp::from_micros(back.map_or(0, |back| now.saturating_sub(back))))
        });
        self.taken.push(taken, &tables.touch(counted, interaction.value), tails);
        true
    }

    /// Reads what an interaction met that is folded by itself.
    fn read_apart(&mut self, state: &State, time: Timestamp, interaction: &Interaction) {
        let item = state.catalogue.current().index(interaction.item.as_str());
        let mut rows = FeatureRows::default();
        let read = state.features(&request(interaction, time), &self.columns, &[item], &mut rows);
        read.expect("a replay keeps everything in memory");
        self.values.push_row(rows.row(0), |attribute, text| {
            state.tables.number(attribute, text, state.catalogue.current())
        });
    }

    /// Reads and counts what was taken.
    fn work_off(&mut self, state: &mut State) {
        let Self { values, reads, taken, order, .. } = self;
        if taken.len() == 0 {
            return;
        }
        let plan = Arc::clone(&state.tables.plan);
        let mut work = Work { plan: &plan, taken, values, met: Vec::new() };
        // Actors are met and counted even where no feature is of theirs.
        work.actors(state, reads, order);
        for (number, (table, reads)) in plan.tables.iter().zip(reads).enumerate() {
            match &table.part {
                Part::User => {}
                Part::Session => work.sessions(state, table, reads, order),
                Part::Item | Part::Field(_) => work.numbered(state, number, table, reads, order),
            }
        }
        taken.clear();
        values.close();
    }
}

fn request(interaction: &Interaction, time: Timestamp) -> FeatureRequest<'_> {
    FeatureRequest { actor: &interaction.actor, context: &interaction.context, time }
}

/// Works off the rows of one table after another.
struct Work<'t> {
    plan: &'t Plan,
    taken: &'t AllTaken,
    values: &'t mut Values,
    /// Those that meet one row.
    met: Vec<Met<'t>>,
}

/// A row that is worked off, and how.
struct Worked<'r> {
    row: &'r mut Row,
    layout: &'r RowLayout,
    reads: &'r mut RowReads,
    idle: i64,
    /// Whether it is there before anything is counted.
    always: bool,
    /// Whether it is met by items that nobody has heard of before, which have no features.
    of_items: bool,
}

impl<'t> Work<'t> {
    fn actors(&mut self, state: &mut State, reads: &mut [RowReads], order: &mut Order) {
        let table = self.plan.tables.iter().position(|table| table.part == Part::User);
        let mut none = RowReads::default();
        let reads = table.map_or(&mut none, |table| &mut reads[table]);
        let layout = self.plan.layout(&Part::User);
        let each = self.taken.iter();
        let rows = order.by_row(each.filter_map(|(at, one)| Entry::of_actor(one.actor, at)));
        for number in 0..rows.len() {
            self.look_ahead(rows, number, layout, |at| state.profiles.row_at(self.taken.get(at).actor));
            self.meet(rows.of(number));
            let Some(last) = self.met.last().map(|met| self.taken.get(met.at)) else { continue };
            let Some((history, row, idle)) = state.profiles.at_mut(last.actor, state.idle) else { continue };
            let worked = Worked { row, layout, reads, idle, always: true, of_items: false };
            self.row(worked, &mut |row, stamp| profiles::revive(history, row, stamp, idle));
            history.push(None, last.offset);
        }
    }

    fn sessions(&mut self, state: &mut State, table: &Table, reads: &mut RowReads, order: &mut Order) {
        let (layout, idle) = (&table.layout, state.idle.sessions);
        for (at, _) in self.taken.iter().filter(|(_, one)| one.session == Some(None)) {
            reads.work_off(layout, &mut Row::default(), &[self.taken.met(at).uncounted()], self.values);
        }
        let entry = |(at, one): (usize, &Taken)| Some(Entry::of_place(one.session??, at));
        let rows = order.by_row(self.taken.iter().filter_map(entry));
        for number in 0..rows.len() {
            self.meet(rows.of(number));
            let place = self.met.first().and_then(|met| self.taken.get(met.at).session.flatten());
            let Some(row) = place.and_then(|place| state.tables.sessions.at_mut(place)) else { continue };
            let worked = Worked { row, layout, reads, idle, always: true, of_items: false };
            self.row(worked, &mut |row, stamp| tables::revive(row, stamp, idle));
        }
    }

    /// Items, and the words of fields.
    fn numbered(
        &mut self,
        state: &mut State,
        number: usize,
        table: &Table,
        reads: &mut RowReads,
        order: &mut Order,
    ) {
        let (layout, idle, of_items) = (&table.layout, state.idle.users, table.part == Part::Item);
        let all_rows = &mut state.tables.rows[number];
        let taken = self.taken;
        let row_of = |at: usize| table.key.map_or(taken.get(at).item, |key| taken.key(at, key));
        let all = (0..taken.len()).map(|at| (row_of(at), at)).filter(|(row, _)| *row != NO_WORD);
        let rows = order.by_row(all.map(|(row, at)| Entry::of_number(row, at)));
        for number in 0..rows.len() {
            self.look_ahead(rows, number, layout, |at| all_rows.get(row_of(at) as usize));
            self.meet(rows.of(number));
            let Some(place) = self.met.first().map(|met| row_of(met.at)) else { continue };
            let counts = self.met.iter().any(|met| layout.filters & met.touch.filters != 0);
            let mut nothing = Row::default();
            let row = if counts {
                tables::row_mut(all_rows, place)
            } else {
                all_rows.get_mut(place as usize).unwrap_or(&mut nothing)
            };
            let worked = Worked { row, layout, reads, idle, always: false, of_items };
            self.row(worked, &mut |row, stamp| tables::revive(row, stamp, idle));
        }
    }

    fn meet(&mut self, entries: &[Entry]) {
        let taken = self.taken;
        self.met.clear();
        let mut tails: &[u32] = &[];
        self.met.extend(entries.iter().enumerate().map(|(number, entry)| {
            entries.get(number + NEAR).into_iter().for_each(|entry| taken.prefetch(entry.taken()));
            let met = taken.met(entry.taken());
            let before = std::mem::replace(&mut tails, met.tails);
            Met { same_tails: before == tails, ..met }
        }));
    }

    /// Asks memory for what comes after a row: the parts of the next rows, the nearer they are the farther from the row
    /// itself, and before that what was taken of them, which lies in another order.
    #[inline]
    fn look_ahead<'r>(
        &self,
        rows: &Rows,
        number: usize,
        layout: &RowLayout,
        row_of: impl Fn(usize) -> Option<&'r Row>,
    ) {
        for entry in rows.of(number + JUMPS + 2).iter().take(NEAR) {
            self.taken.prefetch(entry.taken());
        }
        for jumps in 0..JUMPS {
            let entries = rows.of(number + JUMPS - jumps);
            let Some(row) = entries.first().and_then(|entry| row_of(entry.taken())) else { continue };
            match jumps {
                0 => prefetch(row),
                3 => {
                    row.prefetch(jumps);
                    for entry in entries.iter().take(NEAR) {
                        row.prefetch_pairs(layout, |key| self.taken.key(entry.taken(), key));
                    }
                }
                _ => row.prefetch(jumps),
            }
        }
    }

    /// Reads what those met who meet one row, and counts them in it; `revive` is told when each was received.
    fn row(&mut self, worked: Worked<'_>, revive: &mut dyn FnMut(&mut Row, i64)) {
        let Worked { row, layout, reads, idle, always, of_items } = worked;
        let mut rest = self.met.as_slice();
        while let Some((first, others)) = rest.split_first() {
            let steady = steady(row.stamp, idle, rest);
            if let Some((all, others)) = rest.split_at_checked(steady)
                && let Some(last) = all.last()
            {
                reads.work_off(layout, row, all, self.values);
                row.stamp = last.stamp;
                rest = others;
                continue;
            }
            if first.knows_item || !of_items {
                let mut nothing = Row::default();
                let met = if row.awake(first.now, idle).is_some() { &mut *row } else { &mut nothing };
                reads.work_off(layout, met, &[first.uncounted()], self.values);
            }
            if always || row.stamp != i64::MIN || layout.filters & first.touch.filters != 0 {
                revive(row, first.stamp);
                row.add(layout, &first.touch);
            }
            rest = others;
        }
    }
}

/// How many of them come one after another without the row being idle in between.
fn steady(mut stamp: i64, idle: i64, all: &[Met<'_>]) -> usize {
    let awake = |met: &&Met<'_>| {
        let before = std::mem::replace(&mut stamp, met.stamp);
        let idle_at = |time: i64| time.saturating_sub(before) > idle;
        before != i64::MIN && !idle_at(met.now) && !idle_at(met.stamp)
    };
    all.iter().take_while(awake).count()
}
