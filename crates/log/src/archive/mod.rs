//! The log as Parquet, partitioned by day, in a folder or an object store: for notebooks, for training, for keeping.
//!
//! Files hold consecutive records of one partition, are named by the day their first record was received and by its
//! offset, and are written whole or not at all. How far the archive reaches is read from what is there, so archiving
//! goes on where it stopped, however it stopped, and a second run adds nothing. Polars, DuckDB and Spark read the
//! folders as tables partitioned by `day`; [`Archive::read`] gives back exactly the events.
//!
//! A record that reached its neighbours late, at most a minute before the first of a file, stays in that file: `day` is
//! where to look, `received` is when.
//!
//! Erasure ([`Archive::erase`]) and retention ([`Archive::retain`]) are the only things that change what was written.
//! One process at a time changes an archive in a folder; readers need nothing.

mod column;
mod decisions;
mod erase;
mod error;
mod events;
mod file;
mod layout;
mod look;
mod parts;
mod read;
mod retain;
mod run;
mod source;
#[cfg(test)]
mod tests;
mod text;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload};
use parking_lot::{Mutex, MutexGuard};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use tokio::runtime::Runtime;

pub use erase::Blanked;
pub(crate) use erase::Concerned;
pub use error::ArchiveError;
pub use layout::Stream;
pub use read::ArchivedEvents;
pub use retain::Retained;
pub use run::{Archived, FileLimits, Until};
pub use source::{PartitionOf, Source};

use crate::lock::{self, Lock};
use crate::{LogError, Offset, Partition};
use layout::Place;

/// Enough of a file's end to hold the footer of nearly all.
const FOOTER_BYTES: u64 = 64 << 10;

/// See the module. Blocks; not to be called from async code.
pub struct Archive {
    store: Arc<dyn ObjectStore>,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    /// Where the archive is a folder of this machine.
    folder: Option<PathBuf>,
    limits: FileLimits,
    changing: Mutex<()>,
}

impl Archive {
    /// The archive in a folder of this machine, which is made where there is none.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn in_folder(folder: &Path) -> Result<Self, ArchiveError> {
        std::fs::create_dir_all(folder).map_err(at("create", folder))?;
        let store = LocalFileSystem::new_with_prefix(folder)
            .map_err(|source| ArchiveError::Store {
                action: "open",
                path: folder.display().to_string(),
                source,
            })?
            .with_fsync(true)
            .with_automatic_cleanup(true);
        let mut archive = Self::over(Arc::new(store))?;
        archive.folder = Some(folder.to_owned());
        Ok(archive)
    }

    /// The archive in any object store. Nothing there keeps two processes from changing it at once.
    ///
    /// # Errors
    /// The system gives no runtime.
    pub fn over(store: Arc<dyn ObjectStore>) -> Result<Self, ArchiveError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .map_err(at("start a runtime for", Path::new("the archive")))?;
        let limits = FileLimits::default();
        Ok(Self { store, runtime: Some(runtime), folder: None, limits, changing: Mutex::new(()) })
    }

    /// The same archive with files of another size.
    #[must_use]
    pub fn with_limits(mut self, limits: FileLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The offset up to which a partition of a stream was archived, the first that is not; 0 for nothing.
    ///
    /// # Errors
    /// The store's; a damaged file.
    pub fn position(&self, stream: Stream, partition: Partition) -> Result<Offset, ArchiveError> {
        let retained = self.marked(stream)?.offset(partition);
        let files = self.files(stream)?;
        let last = files.iter().filter(|place| place.partition == partition).max_by_key(|place| place.first);
        Ok(retained.max(last.map_or(Ok(0), |place| self.end(place))?))
    }

    /// The files of a stream, by partition and offset.
    fn files(&self, stream: Stream) -> Result<Vec<Place>, ArchiveError> {
        let list = |prefix: &ObjectPath| {
            let listed = self.wait(self.store.list_with_delimiter(Some(prefix)));
            listed.map_err(refused("list", prefix))
        };
        let mut files = Vec::new();
        for day in list(&stream.folder())?.common_prefixes {
            let listed = list(&day)?;
            files.extend(listed.objects.iter().filter_map(|object| Place::of(stream, &object.location)));
        }
        files.sort_unstable_by_key(|place| (place.partition, place.first));
        Ok(files)
    }

    /// The offset after the last record of a file, from its footer.
    fn end(&self, place: &Place) -> Result<Offset, ArchiveError> {
        let path = place.path();
        file::end(path.as_ref(), self.footer(&path)?.metadata.file_metadata())
    }

    /// The end of a file, and what it says of the rest.
    fn footer(&self, path: &ObjectPath) -> Result<Footer, ArchiveError> {
        let mut wanted = FOOTER_BYTES;
        loop {
            let options = GetOptions::new().with_range(Some(GetRange::Suffix(wanted)));
            let (length, tail) = self
                .wait(async {
                    let got = self.store.get_opts(path, options).await?;
                    Ok((got.meta.size, got.bytes().await?))
                })
                .map_err(refused("read", path))?;
            let mut reader = ParquetMetaDataReader::new();
            match reader.try_parse_sized(&tail, length) {
                Err(parquet::errors::ParquetError::NeedMoreData(needed)) if (needed as u64) > wanted => {
                    wanted = needed as u64;
                }
                parsed => {
                    let metadata = parsed.and_then(|()| reader.finish());
                    let metadata = metadata.map_err(file::damaged(path.as_ref()))?;
                    return Ok(Footer { length, tail, metadata });
                }
            }
        }
    }

    fn get(&self, path: &ObjectPath) -> Result<Bytes, ArchiveError> {
        self.wait(async { self.store.get(path).await?.bytes().await }).map_err(refused("read", path))
    }

    /// Writes a whole object, or nothing.
    fn put(&self, path: &ObjectPath, bytes: Vec<u8>, mode: PutMode) -> Result<(), ArchiveError> {
        let put = self.wait(self.store.put_opts(path, PutPayload::from(bytes), mode.into()));
        match put {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { path, .. }) => Err(ArchiveError::Busy { path }),
            Err(error) => Err(refused("write", path)(error)),
        }
    }

    fn delete(&self, path: &ObjectPath) -> Result<(), ArchiveError> {
        match self.wait(self.store.delete(path)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(refused("delete", path)(error)),
        }
    }

    fn wait<T>(
        &self,
        work: impl Future<Output = Result<T, object_store::Error>>,
    ) -> Result<T, object_store::Error> {
        match &self.runtime {
            Some(runtime) => runtime.block_on(work),
            None => Err(object_store::Error::NotImplemented {
                operation: "work after the end".to_owned(),
                implementer: "Archive".to_owned(),
            }),
        }
    }

    /// Waits for the other changes of this process, refuses while another process changes the folder, and clears away
    /// what a crash left half written.
    fn change(&self) -> Result<Change<'_>, ArchiveError> {
        let within = self.changing.lock();
        let Some(folder) = &self.folder else {
            return Ok(Change { _within: within, _lock: None });
        };
        let lock = lock::take(folder).map_err(|error| match error {
            LogError::Locked { path } => ArchiveError::Busy { path: path.display().to_string() },
            other => other.into(),
        })?;
        for stream in Stream::ALL {
            remove_staged(&folder.join(stream.as_str()))?;
        }
        Ok(Change { _within: within, _lock: Some(lock) })
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        // A runtime may not wait for its threads where async code drops it.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The end of a file.
struct Footer {
    /// Bytes of the whole file.
    length: u64,
    tail: Bytes,
    metadata: ParquetMetaData,
}

/// The right to change the archive. The file's lock goes first, or the next thread would find it taken.
struct Change<'a> {
    _lock: Option<Lock>,
    _within: MutexGuard<'a, ()>,
}

/// Deletes files that were being written when their process ended: `NAME#1`, which no listing shows.
fn remove_staged(folder: &Path) -> Result<(), ArchiveError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(at("list", folder)(error)),
    };
    for entry in entries {
        let path = entry.map_err(at("list", folder))?.path();
        if path.is_dir() {
            remove_staged(&path)?;
        } else if path.file_name().is_some_and(|name| name.to_string_lossy().contains('#')) {
            std::fs::remove_file(&path).map_err(at("delete", &path))?;
        }
    }
    Ok(())
}

fn at(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> ArchiveError {
    let path = path.to_owned();
    move |source| ArchiveError::Folder { action, path, source }
}

fn refused(action: &'static str, path: &ObjectPath) -> impl FnOnce(object_store::Error) -> ArchiveError {
    let path = path.to_string();
    move |source| ArchiveError::Store { action, path, source }
}
