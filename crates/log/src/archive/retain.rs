//! Retention: whole days go by age, and how far the archive reached is remembered.

use headwater_base::Timestamp;
use object_store::{ObjectStoreExt as _, PutMode};

use super::{Archive, ArchiveError, Stream, refused};
use crate::Position;

/// What retention deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// Files deleted.
    pub files: usize,
    /// Days that are gone, of both streams together.
    pub days: usize,
}

impl Archive {
    /// Deletes the days that ended at or before `received`.
    ///
    /// # Errors
    /// The store's; what was deleted before stays deleted.
    pub fn retain(&self, received: Timestamp) -> Result<Retained, ArchiveError> {
        let _change = self.change()?;
        let mut retained = Retained::default();
        for stream in Stream::ALL {
            let mut old = self.files(stream)?;
            old.retain(|place| place.day.end() <= received);
            if old.is_empty() {
                continue;
            }
            // Before anything is gone: else a crash between the two would have everything archived again.
            let mut position = self.marked(stream)?;
            for place in &old {
                position.set(place.partition, self.position(stream, place.partition)?);
            }
            let text = serde_json::to_vec(&position.0).unwrap_or_default();
            self.put(&stream.marker(), text, PutMode::Overwrite)?;
            for place in &old {
                self.delete(&place.path())?;
            }
            retained.files += old.len();
            let mut days: Vec<_> = old.into_iter().map(|place| place.day).collect();
            days.sort_unstable();
            days.dedup();
            retained.days += days.len();
        }
        Ok(retained)
    }

    /// How far the stream had been archived when retention last deleted of it.
    pub(super) fn marked(&self, stream: Stream) -> Result<Position, ArchiveError> {
        let path = stream.marker();
        let bytes = match self.wait(async { self.store.get(&path).await?.bytes().await }) {
            Ok(bytes) => bytes,
            Err(object_store::Error::NotFound { .. }) => return Ok(Position::default()),
            Err(error) => return Err(refused("read", &path)(error)),
        };
        serde_json::from_slice(&bytes).map(Position).map_err(|error| ArchiveError::Damaged {
            path: path.to_string(),
            reason: format!("not a list of offsets: {error}"),
        })
    }
}
