//! Looking through an archive for whose its records are, for the survey before an erasure.

use headwater_base::Event;

use super::erase::{Concerned, moment};
use super::file::Reader;
use super::{Archive, ArchiveError, Stream};
use crate::Offset;

impl Archive {
    /// Shows the records of those files that name somebody concerned, each with where it stands among deletions.
    ///
    /// What is archived meanwhile may be missed; it is in the log.
    pub(crate) fn look(
        &self,
        concerned: &Concerned<'_>,
        look: &mut dyn FnMut(&Event, Offset),
    ) -> Result<(), ArchiveError> {
        // Retention deletes files, also that of another process.
        let _change = self.change()?;
        for stream in Stream::ALL {
            for place in self.files(stream)? {
                if !self.names(&place, concerned)? {
                    continue;
                }
                let path = place.path();
                let mut reader = Reader::new(stream, path.as_ref(), self.get(&path)?)?;
                while let Some(records) = reader.next()? {
                    for (offset, event) in &records {
                        look(event, moment(stream, *offset, event));
                    }
                }
            }
        }
        Ok(())
    }
}
