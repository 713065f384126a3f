//! Reading an archive back as the records that went in.

use std::collections::VecDeque;

use headwater_base::Event;

use super::file::Reader;
use super::layout::Place;
use super::{Archive, ArchiveError, Stream};
use crate::{Offset, Partition};

impl Archive {
    /// The records of a partition from `from` on, with their offsets.
    ///
    /// What retention deleted is not there, and neither is what the log had deleted before it was archived.
    ///
    /// # Errors
    /// The store's; the iterator's items are errors where a file is damaged.
    pub fn read(
        &self,
        stream: Stream,
        partition: Partition,
        from: Offset,
    ) -> Result<ArchivedEvents<'_>, ArchiveError> {
        let mut files: VecDeque<Place> =
            self.files(stream)?.into_iter().filter(|place| place.partition == partition).collect();
        while files.get(1).is_some_and(|next| next.first <= from) {
            files.pop_front();
        }
        Ok(ArchivedEvents { archive: self, files, reader: None, records: VecDeque::new(), next: from })
    }
}

/// Records in log order. See [`Archive::read`].
pub struct ArchivedEvents<'a> {
    archive: &'a Archive,
    files: VecDeque<Place>,
    reader: Option<Reader>,
    records: VecDeque<(Offset, Event)>,
    next: Offset,
}

impl ArchivedEvents<'_> {
    /// Reads on; false at the end.
    fn refill(&mut self) -> Result<bool, ArchiveError> {
        if let Some(reader) = &mut self.reader {
            if let Some(records) = reader.next()? {
                self.records = records.into();
                return Ok(true);
            }
            self.reader = None;
        }
        let Some(place) = self.files.pop_front() else {
            return Ok(false);
        };
        let path = place.path();
        let reader = Reader::new(place.stream, path.as_ref(), self.archive.get(&path)?)?;
        if let Some(next) = self.files.front()
            && next.first < reader.end()
        {
            return Err(ArchiveError::Damaged {
                path: path.to_string(),
                reason: format!(
                    "it reaches to offset {}, and the next file begins at {}",
                    reader.end(),
                    next.first
                ),
            });
        }
        self.reader = Some(reader);
        Ok(true)
    }
}

impl Iterator for ArchivedEvents<'_> {
    type Item = Result<(Offset, Event), ArchiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((offset, event)) = self.records.pop_front() {
                if offset < self.next {
                    continue;
                }
                self.next = offset + 1;
                return Some(Ok((offset, event)));
            }
            match self.refill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    (self.reader, self.files) = (None, VecDeque::new());
                    return Some(Err(error));
                }
            }
        }
    }
}
