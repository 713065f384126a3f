//! The features of a whole history: what each interaction met, before it was counted.
//!
//! One event at a time, a fold touches the rows of a user, an item, a category and so on, and most of them have left the
//! processor's caches since they were touched last. Here many interactions are taken at once, in the order of the log,
//! which finds out whose they are and what they pass; then they are worked off row by row: each row's reads and counts
//! in the order of the log, which is all that it depends on. What it comes to is the same to the bit.
//!
//! Events that change more than rows (upserts, deletions, merges) are waited for, and so is the moment at which idle
//! entities are forgotten: what was taken before is worked off first.

mod table;
mod taken;

use std::sync::Arc;

use headwater_base::{Event, Fact, Interaction, Timestamp};
use headwater_log::{Offset, Partition};
use headwater_models::prefetch::prefetch;

use crate::Replay;
use crate::declared::Part;
use crate::declared::plan::{Place, Plan, Table, layout_of};
use crate::profiles::places::or_none;
use crate::read::window::{of_fixed, of_large};
use crate::read::{FeatureRequest, FeatureRows, Found, OtherRead, OtherSource, Reads, WindowRead};
use crate::state::{NoSink, State};
use crate::tables::{Parties, number_row, revive};
use crate::tiles::{GroupLayout, NO_WORD, Row};
pub use table::FeatureTable;
use table::Values;
use taken::{AT_ONCE, AllTaken, Entry, Order, Taken};

/// How many are worked off between asking memory for something and going on from there.
const AHEAD: usize = 3;
/// How far from a row things lie.
const JUMPS: usize = 5;

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
        for (column, value) in &self.moments {
            let request = request(interaction, event.time);
            let fields = state.profiles.fields_at(place);
            let read = state.of_moment(&request, fields, knows_item.then_some(item), *column);
            self.values.push_other(*value, read);
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
        self.taken.push(taken, &tables.touch(counted, interaction.value));
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
        let Self { values, reads, taken, order, words, .. } = self;
        if taken.len() == 0 {
            return;
        }
        let first = values.len();
        values.add(taken.len());
        let plan = Arc::clone(&state.tables.plan);
        let mut work = Work { plan: &plan, taken, first, values, words };
        // Actors are met and counted even where no feature is of theirs.
        work.actors(state, reads, order);
        for (number, (table, reads)) in plan.tables.iter().zip(&*reads).enumerate() {
            match &table.part {
                Part::User => {}
                Part::Session => work.sessions(state, table, reads, order),
                Part::Item | Part::Field(_) => work.numbered(state, number, table, reads, order),
            }
        }
        taken.clear();
    }
}

fn request(interaction: &Interaction, time: Timestamp) -> FeatureRequest<'_> {
    FeatureRequest { actor: &interaction.actor, context: &interaction.context, time }
}

/// Works off the rows of one table after another.
struct Work<'t> {
    plan: &'t Plan,
    taken: &'t AllTaken,
    /// The row of the values of the first that was taken.
    first: usize,
    values: &'t mut Values,
    words: &'t mut Vec<u32>,
}

impl Work<'_> {
    fn actors(&mut self, state: &mut State, reads: &[Reads], order: &mut Order) {
        let idle = state.idle;
        let table = self.plan.tables.iter().zip(reads).find(|(table, _)| table.part == Part::User);
        let layout = self.plan.layout(&Part::User);
        let each = self.taken.iter();
        let entries = order.by_row(each.filter_map(|(at, one)| Entry::of_actor(one.actor, at)));
        for (number, entry) in entries.iter().enumerate() {
            let row_of = |at: usize| state.profiles.any_row_at(self.taken.get(at).actor);
            self.look_ahead(&entries[number..], row_of);
            let at = entry.taken();
            let (one, touch) = (self.taken.get(at), self.taken.touch(at));
            if let Some((table, reads)) = table {
                self.read(reads, table, at, state.profiles.row_at(one.actor, one.now, idle));
            }
            let received = (one.offset, one.stamp);
            state.profiles.count_at(one.actor, received, idle, |row| row.add(layout, &touch));
        }
    }

    fn sessions(&mut self, state: &mut State, table: &Table, reads: &Reads, order: &mut Order) {
        let idle = state.idle.sessions;
        let each = || self.taken.iter();
        let entry = |(at, one): (usize, &Taken)| Some(Entry::of_place(one.session??, at));
        let entries = order.by_row(each().filter_map(entry));
        let without: Vec<usize> =
            each().filter(|(_, one)| one.session == Some(None)).map(|(at, _)| at).collect();
        for at in without {
            self.read(reads, table, at, None);
        }
        for entry in entries {
            let at = entry.taken();
            let (one, touch) = (self.taken.get(at), self.taken.touch(at));
            let Some(row) = one.session.flatten().and_then(|place| state.tables.sessions.at_mut(place))
            else {
                continue;
            };
            self.read(reads, table, at, row.awake(one.now, idle));
            revive(row, one.stamp, idle);
            row.add(&table.layout, &touch);
        }
    }

    /// Asks memory for what comes after the first of `entries`: the parts of the next rows, the nearer they are the farther
    /// from the row itself, and what was taken, which lies in another order.
    #[inline]
    fn look_ahead<'r>(&self, entries: &[Entry], row_of: impl Fn(usize) -> Option<&'r Row>) {
        if let Some(entry) = entries.get(JUMPS * AHEAD) {
            prefetch(self.taken.get(entry.taken()));
        }
        for jumps in 0..JUMPS {
            let at = (JUMPS - jumps) * AHEAD;
            if let Some([before, entry]) = entries.get(at - 1..=at)
                && !before.same_row(*entry)
                && let Some(row) = row_of(entry.taken())
            {
                if jumps == 0 { prefetch(row) } else { row.prefetch(jumps) }
            }
        }
    }

    /// Items, and the words of fields.
    fn numbered(
        &mut self,
        state: &mut State,
        number: usize,
        table: &Table,
        reads: &Reads,
        order: &mut Order,
    ) {
        let idle = state.idle.users;
        let rows = &mut state.tables.rows[number];
        let taken = self.taken;
        let row_of = |at: usize| table.key.map_or(taken.get(at).item, |key| taken.key(at, key));
        let all = (0..taken.len()).map(|at| (row_of(at), at)).filter(|(row, _)| *row != NO_WORD);
        let entries = order.by_row(all.map(|(row, at)| Entry::of_number(row, at)));
        for (number, entry) in entries.iter().enumerate() {
            self.look_ahead(&entries[number..], |at| rows.get(row_of(at) as usize));
            let at = entry.taken();
            let (one, touch, row) = (taken.get(at), taken.touch(at), row_of(at));
            if one.knows_item || table.part != Part::Item {
                let met = rows.get(row as usize).and_then(|row| row.awake(one.now, idle));
                self.read(reads, table, at, met);
            }
            let counts = table.layout.filters & touch.filters != 0;
            if let Some(row) = number_row(rows, row, counts) {
                revive(row, one.stamp, idle);
                row.add(&table.layout, &touch);
            }
        }
    }

    /// Reads what one of the taken met in a row, if there is one.
    #[inline]
    fn read(&mut self, reads: &Reads, table: &Table, at: usize, row: Option<&Row>) {
        let now = self.taken.get(at).now;
        let tail = |number: usize| {
            let (hop, back) = self.plan.tails[number];
            hop.tile(Timestamp::from_micros(back.map_or(0, |back| now.saturating_sub(back))))
        };
        let (mut place, mut found) = (usize::MAX, None);
        for (of, reads_of) in reads.windows() {
            if place != of.place {
                place = of.place;
                found = self.find(self.plan.places[reads.places[place]], table, at, row);
            }
            let Some(row) = found else { continue };
            let window = of.shape.window(row.map_or(&[], Row::words), tail(of.tail));
            for WindowRead { read, value } in reads_of {
                self.values.set(self.first + at, *value, of_fixed(read, &window, now), &[]);
            }
        }
        for OtherRead { source, value } in &reads.others {
            let OtherSource::Large(large) = source else { continue };
            let of = self.plan.places[reads.places[large.place]];
            let Some(row) = self.find(of, table, at, row) else { continue };
            let GroupLayout::Large(layout) = &layout_of(&table.layout, of.pair).groups[large.group] else {
                continue;
            };
            let tiles = row.map_or(&[][..], |row| row.large(layout.slot));
            let tiles = layout.window(tiles, tail(large.tail));
            let met = of_large(large.read, tiles, self.words);
            self.values.set(self.first + at, *value, met, self.words);
        }
    }

    /// The row itself or that of a pair below it, as [`crate::read`] finds it for a request.
    #[inline]
    fn find<'r>(&self, place: Place, table: &Table, at: usize, row: Option<&'r Row>) -> Found<'r> {
        let Some((group, key)) = place.pair else { return Some(row) };
        let one = self.taken.get(at);
        let key = match self.plan.keys[key] {
            Part::Item if !one.knows_item => NO_WORD,
            _ => self.taken.key(at, key),
        };
        let GroupLayout::Pairs(pairs) = &table.layout.groups[group] else { return None };
        (key != NO_WORD).then(|| row.and_then(|row| row.pair(pairs.slot, key)))
    }
}
