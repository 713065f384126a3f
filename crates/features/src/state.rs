//! What is folded event by event, and moves as one: profiles, catalogue and the rows of declared features.
//!
//! It is one state at one position of the log: whoever reads it sees all of the events before that position and none
//! after it. The live views, a replay and a backfill all fold with it.

use std::io::{Read, Write};
use std::sync::Arc;

use headwater_base::{Actor, Event, Fact, Interaction, ItemId, Schema, Timestamp};
use headwater_log::{Offset, Position};
use headwater_models::streaming::{Owner, Visit};

use crate::bytes::{Reader, Writer};
use crate::catalogue::{CatalogueFold, Layout, Upsert, patched};
use crate::declared::Part;
use crate::kinds::Kinds;
use crate::profiles::{Idle, Known, Profiles, Stored, session_owner, user_owner};
use crate::spill::{Cold, Hand, make_room};
use crate::tables::{Parties, Tables};
use crate::{FeaturesError, ItemIndex, Profile, ViewsOptions};

/// How far back a profile is searched for distinct earlier items.
const PAIRED_INTERACTIONS: usize = 64;
const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// Receives what the item-keyed views are folded from.
pub(crate) trait Sink {
    /// Whether anybody asks for what an actor did before: [`State::profile`], or the visits before one.
    const HISTORIES: bool;
    /// An item was visited, after these of the same actor (latest first).
    fn visit(&mut self, visit: Visit, before: &mut dyn Iterator<Item = Visit>);
    /// Whose visit it was, and when it happened: not after it was received, whatever the sender's clock says.
    fn acted(&mut self, owner: Owner, visit: Visit, time: Timestamp);
    /// What was one's is the other's from now on.
    fn merged(&mut self, session: Owner, user: Owner);
    /// Somebody is to be forgotten.
    fn deleted(&mut self, owner: Owner);
    /// An item's fields changed.
    fn changed(&mut self, item: ItemIndex);
}

/// For who needs the features alone.
pub(crate) struct NoSink;

impl Sink for NoSink {
    const HISTORIES: bool = false;

    fn visit(&mut self, _: Visit, _: &mut dyn Iterator<Item = Visit>) {}
    fn acted(&mut self, _: Owner, _: Visit, _: Timestamp) {}
    fn merged(&mut self, _: Owner, _: Owner) {}
    fn deleted(&mut self, _: Owner) {}
    fn changed(&mut self, _: ItemIndex) {}
}

/// The state at one position of the log.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) kinds: Kinds,
    pub(crate) profiles: Profiles,
    pub(crate) catalogue: CatalogueFold,
    pub(crate) tables: Tables,
    pub(crate) position: Position,
    /// The latest receive time so far, microseconds.
    pub(crate) clock: i64,
    pub(crate) idle: Idle,
    /// Users and sessions that are not in memory. Folding needs those in memory that an event names.
    pub(crate) cold: Cold,
}

impl State {
    pub(crate) fn new(schema: &Schema, options: &ViewsOptions) -> Self {
        let catalogue = CatalogueFold::new(Layout::new(schema));
        Self {
            kinds: Kinds::new(schema),
            profiles: Profiles::default(),
            tables: Tables::new(Arc::clone(&options.plan), catalogue.current()),
            catalogue,
            position: Position::default(),
            clock: 0,
            idle: options.idle(),
            cold: Cold::new(Arc::clone(&options.plan), options.idle(), options.spill.clone()),
        }
    }

    /// Folds the event at `offset`.
    pub(crate) fn fold(&mut self, offset: Offset, event: &Event, sink: &mut impl Sink) {
        self.advance(event.received.as_micros());
        let at = (offset, self.clock);
        match &event.fact {
            Fact::Interaction(interaction) => self.interaction(offset, event, interaction, sink),
            Fact::ItemUpsert { item, fields, removed, available, patch } => {
                let upsert = Upsert { fields, removed, available: *available, patch: *patch };
                self.upsert(item, event, &upsert, sink);
            }
            Fact::ItemDelete { item } => self.catalogue.delete(item),
            Fact::UserUpsert { user, fields, removed, patch } => {
                let upsert = Upsert { fields, removed, available: None, patch: *patch };
                self.profiles.upsert(user, at, self.idle, |known| {
                    *known = patched(upsert.patch.then_some(&*known), &upsert);
                });
            }
            Fact::UserDelete { user } => {
                self.profiles.delete(user);
                sink.deleted(user_owner(user));
            }
            Fact::Merge { session, user } => {
                self.profiles.merge(session, user, at, self.idle, self.tables.plan.layout(&Part::User));
                sink.merged(session_owner(session), user_owner(user));
            }
            // Decisions are a stream of their own, and what was erased is nobody's.
            Fact::Decision(_) | Fact::Erased => {}
        }
    }

    /// What is known of `actor`; empty for an unknown one.
    pub(crate) fn profile(&self, actor: &Actor) -> Result<Profile, FeaturesError> {
        self.profiles.profile(&self.cold, actor, |kind| self.kinds.weight(kind))
    }

    /// Whether an event received then begins a day, as which idle entities are forgotten.
    pub(crate) fn begins_day(&self, received: i64) -> bool {
        received / DAY > self.clock / DAY && self.clock > 0
    }

    /// Moves the clock, and forgets who is idle as each day ends.
    pub(crate) fn advance(&mut self, received: i64) {
        if self.begins_day(received) {
            self.profiles.forget_idle(received, self.idle);
            self.tables.forget_idle(received, self.idle);
            self.cold.forget_idle(received);
        }
        self.clock = self.clock.max(received);
    }

    fn upsert(&mut self, item: &ItemId, event: &Event, upsert: &Upsert<'_>, sink: &mut impl Sink) {
        let index = self.catalogue.upsert(item, event.time, upsert);
        sink.changed(index);
    }

    fn interaction<S: Sink>(
        &mut self,
        offset: Offset,
        event: &Event,
        interaction: &Interaction,
        sink: &mut S,
    ) {
        let kind = self.kinds.number(&interaction.kind).unwrap_or_else(|| self.kinds.add(&interaction.kind));
        let item = self.catalogue.mention(&interaction.item, event.time);
        let Self { kinds, profiles, catalogue, tables, clock, idle, .. } = self;
        let catalogue = catalogue.current();
        // What happened cannot have happened after it was received, whatever the sender's clock says.
        let happened = event.time.min(event.received);
        let time = happened.as_micros();
        let stored = S::HISTORIES.then_some(Stored { time: event.time, item, kind });
        let declared = !tables.plan.is_empty();
        profiles.interact(&interaction.actor, (offset, *clock), stored, *idle, |known: Known<'_>| {
            let before = known.before.iter().rev().take(PAIRED_INTERACTIONS);
            let mut before = before.map(|stored| Visit {
                row: stored.item,
                time: stored.time,
                weight: kinds.weight(stored.kind),
            });
            let visit = Visit { row: item, time: event.time, weight: kinds.weight(kind) };
            sink.visit(visit, &mut before);
            sink.acted(known.owner, visit, happened);
            if declared {
                tables.prepare(&Parties { interaction, kind, item, user_fields: known.fields, catalogue });
                known.row.add(tables.plan.layout(&Part::User), &tables.touch(time, interaction.value));
            }
        });
        if declared {
            tables.add((time, *clock), interaction, item, *idle);
        }
    }

    pub(crate) fn write<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
        writer.length(self.position.0.len())?;
        self.position.0.iter().try_for_each(|offset| writer.u64(*offset))?;
        writer.i64(self.clock)?;
        crate::views::section(writer, &self.kinds)?;
        writer.text(Profiles::NAME)?;
        self.profiles.write(&self.cold, writer)?;
        crate::views::section(writer, &self.catalogue)?;
        writer.text("tables")?;
        self.tables.write(&self.cold, writer)
    }

    /// Replaces this (empty) state by the one written. With a limit, users and sessions are put on the disk meanwhile.
    pub(crate) fn read<R: Read>(&mut self, reader: &mut Reader<R>) -> Result<(), FeaturesError> {
        let limit = self.cold.limit();
        let (mut hand, mut hot) = (Hand::default(), 0);
        let mut within = |entities: (&mut Profiles, &mut Tables), cold: &mut Cold, bytes: usize| {
            hot += bytes;
            limit.map_or(Ok(()), |limit| make_room(entities, cold, &mut hand, &mut hot, limit))
        };
        for partition in 0..reader.length()? {
            self.position.set(headwater_log::Partition(partition as u32), reader.u64()?);
        }
        self.clock = reader.i64()?;
        crate::views::read_section(reader, &mut self.kinds)?;
        crate::views::section_name(reader, Profiles::NAME)?;
        let Self { profiles, tables, cold, .. } = self;
        profiles.read(cold, reader, |profiles, cold, bytes| within((profiles, tables), cold, bytes))?;
        crate::views::read_section(reader, &mut self.catalogue)?;
        crate::views::section_name(reader, "tables")?;
        let Self { profiles, tables, cold, .. } = self;
        tables.read(cold, reader, |tables, cold, bytes| within((profiles, tables), cold, bytes))?;
        cold.set_memory(hot);
        Ok(())
    }
}
