//! The latest sessions as a view.

use std::io::{Read, Write};

use headwater_base::Timestamp;
use headwater_models::streaming::sessions::Kept;
use headwater_models::streaming::{Owner, SessionNeighbours, SessionOptions};

use crate::bytes::{Reader, Writer, damaged};
use crate::view::{Keying, View};
use crate::{Catalogue, FeaturesError, ItemIndex, ViewsOptions};

/// Keeps the sessions that others are compared with.
#[derive(Debug)]
pub(crate) struct Sessions {
    pub(crate) model: SessionNeighbours,
    options: SessionOptions,
    /// What was read, until it is known that all of the checkpoint is sound: a row that the catalogue lacks must not
    /// become an allocation.
    read: Vec<(Owner, Timestamp, Vec<ItemIndex>)>,
    newest: Timestamp,
}

/// What happened to sessions, in the order of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// An interaction that counts.
    Event { owner: Owner, item: ItemIndex, time: Timestamp },
    /// A session turned out to be a user's.
    Merged { session: Owner, user: Owner },
    /// A user was deleted.
    Deleted(Owner),
}

impl Sessions {
    pub(crate) fn new(options: &ViewsOptions) -> Self {
        Self {
            model: SessionNeighbours::new(&options.sessions),
            options: options.sessions,
            read: Vec::new(),
            newest: Timestamp::EPOCH,
        }
    }

    pub(crate) fn fold(&mut self, steps: &[Step]) {
        for step in steps {
            match *step {
                Step::Event { owner, item, time } => self.model.observe(owner, item, time),
                Step::Merged { session, user } => self.model.merge(session, user),
                Step::Deleted(owner) => self.model.forget(&[owner]),
            }
        }
    }

    /// Makes the model of what was read.
    pub(crate) fn build(&mut self, catalogue: &Catalogue) -> Result<(), FeaturesError> {
        let read = std::mem::take(&mut self.read);
        let unknown = |item: &ItemIndex| *item as usize >= catalogue.len();
        if read.iter().any(|(.., items)| items.iter().any(unknown)) {
            return Err(damaged("a session with an item that the catalogue lacks"));
        }
        let kept = read.iter().map(|(owner, ended, items)| Kept { owner: *owner, ended: *ended, items });
        let model = SessionNeighbours::from_parts(&self.options, self.newest, kept);
        self.model = model.ok_or_else(|| damaged("sessions that do not fit the options"))?;
        Ok(())
    }
}

impl View for Sessions {
    const NAME: &'static str = "sessions";
    const KEYING: Keying = Keying::ByUser;

    fn write<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
        writer.time(self.model.newest())?;
        let sessions = self.model.sessions();
        writer.length(sessions.len())?;
        for session in sessions {
            writer.u64(session.owner)?;
            writer.time(session.ended)?;
            writer.u32s(session.items.iter().copied())?;
        }
        Ok(())
    }

    fn read<R: Read>(&mut self, reader: &mut Reader<R>) -> Result<(), FeaturesError> {
        self.newest = reader.time()?;
        for _ in 0..reader.length()? {
            self.read.push((reader.u64()?, reader.time()?, reader.u32s()?));
        }
        Ok(())
    }
}
