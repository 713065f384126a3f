//! Erasure: the records of deleted users are blanked where they stand, by the rule that erases them from the log.

use hashbrown::HashSet;
use headwater_base::{Event, Fact};
use object_store::PutMode;

use super::file::{Reader, Writer};
use super::{Archive, ArchiveError, Stream};
use crate::Offset;
use crate::codec::Whose;
use crate::erasure::{Erasure, Rule};
use crate::segment::rewrite::what_remains;

/// What erasure did to the archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blanked {
    /// Records blanked.
    pub records: u64,
    /// Files written anew.
    pub files: usize,
    /// Whether everything was looked through; false if it was told to stop.
    pub complete: bool,
}

impl Archive {
    /// Blanks the records that `erasure` erases from the log: each becomes the same erased record as there. Asks
    /// `keep_going` between files.
    ///
    /// Each file is replaced whole, so that this can be stopped anywhere, by a crash too, and run again; what is done
    /// is not done twice. What is archived later is as the log has it: erase the log first.
    ///
    /// # Errors
    /// The store's; [`ArchiveError::Busy`] while another process changes the archive.
    pub fn erase(&self, erasure: &Erasure, keep_going: &dyn Fn() -> bool) -> Result<Blanked, ArchiveError> {
        let _change = self.change()?;
        let rule = Rule::new(erasure);
        let concerned = Concerned::of(
            erasure.deletions.iter().map(|deletion| deletion.user.as_str()),
            erasure.ties.iter().map(|tie| tie.session.as_str()),
        );
        let mut done = Blanked::default();
        for stream in Stream::ALL {
            for place in self.files(stream)? {
                if !keep_going() {
                    return Ok(done);
                }
                if !self.names(&place, &concerned)? {
                    continue;
                }
                let path = place.path();
                let mut reader = Reader::new(stream, path.as_ref(), self.get(&path)?)?;
                let mut writer = Writer::new(stream, self.limits)?;
                let mut records = 0;
                while let Some(read) = reader.next()? {
                    for (offset, mut event) in read {
                        if rule.erases(Whose::of(&event.fact), moment(stream, offset, &event)) {
                            event = what_remains(event.received);
                            records += 1;
                        }
                        writer.push(offset, event)?;
                    }
                }
                if records > 0 {
                    self.put(&path, writer.finish()?, PutMode::Overwrite)?;
                    done.records += records;
                    done.files += 1;
                    tracing::debug!(file = path.as_ref(), records, "erased records of an archived file");
                }
            }
        }
        done.complete = true;
        Ok(done)
    }
}

/// Who is looked for: a file that names none of these need not be read closely.
pub(crate) struct Concerned<'a> {
    pub(super) users: HashSet<&'a [u8]>,
    pub(super) sessions: HashSet<&'a [u8]>,
}

impl<'a> Concerned<'a> {
    pub(crate) fn of(
        users: impl IntoIterator<Item = &'a str>,
        sessions: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let users = users.into_iter().map(str::as_bytes).collect();
        Self { users, sessions: sessions.into_iter().map(str::as_bytes).collect() }
    }
}

/// Where the record stands among deletions: a decision, where the views stood that it saw.
pub(super) fn moment(stream: Stream, offset: Offset, event: &Event) -> Offset {
    match (stream, &event.fact) {
        (Stream::Decisions, Fact::Decision(decision)) => decision.position.first().copied().unwrap_or(0),
        (Stream::Decisions, _) => 0,
        (Stream::Events, _) => offset,
    }
}
