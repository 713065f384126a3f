//! Checkpoints: the state of the views in a file, so that a restart replays only what came later.
//!
//! A checkpoint is written beside its final name, synced, renamed, and the folder synced, so that a file of the final
//! name is complete. The last two are kept. One that does not read back, or was made under other settings or in
//! another format, is skipped with a warning; the log makes up for it.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_base::Schema;
use headwater_log::Position;

use crate::bytes::Reader;
use crate::views::begins;
use crate::{FeaturesError, Views, ViewsOptions};

const PREFIX: &str = "checkpoint-";
const SUFFIX: &str = ".views";
const TEMPORARY: &str = ".partial";
/// Checkpoints kept: the newest, and one more in case it was damaged on the disk.
const KEPT: usize = 2;
const BUFFER_BYTES: usize = 1 << 20;

/// Where views were restored from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// The checkpoint used; `None` where the views start empty.
    pub checkpoint: Option<PathBuf>,
    /// Where the views stand.
    pub position: Position,
    /// Checkpoints that could not be used, newest first.
    pub skipped: Vec<Skipped>,
}

/// A checkpoint that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.checkpoint {
            Some(path) => write!(f, "views restored from {} at {:?}", path.display(), self.position.0)?,
            None => write!(f, "views start empty")?,
        }
        for skipped in &self.skipped {
            write!(f, "; skipped {}: {}", skipped.path.display(), skipped.reason)?;
        }
        Ok(())
    }
}

/// A checkpoint whose bytes are with the system but not yet safe on the disk.
#[derive(Debug)]
pub(crate) struct Unsynced {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
}

impl Views {
    /// The views of the newest usable checkpoint in `dir`, or empty ones.
    pub fn open(
        dir: &Path,
        schema: Arc<Schema>,
        options: ViewsOptions,
    ) -> Result<(Self, Restored), FeaturesError> {
        fs::create_dir_all(dir).map_err(failed("create", dir))?;
        let mut skipped = Vec::new();
        for path in checkpoints(dir)? {
            match read(&path, &schema, &options) {
                Ok(views) => {
                    let restored = Restored { position: views.position(), checkpoint: Some(path), skipped };
                    return Ok((views, restored));
                }
                Err(error) => {
                    let reason = error.to_string();
                    tracing::warn!(path = %path.display(), reason, "skipping a checkpoint of the views");
                    skipped.push(Skipped { path, reason });
                }
            }
        }
        Ok((Self::new(schema, options), Restored { skipped, ..Restored::default() }))
    }

    /// The usable checkpoints in `dir`, newest first, each read when it is asked for; changes nothing there, so that it
    /// may be done beside a running server. One that goes away meanwhile is left out.
    ///
    /// # Errors
    /// A folder that is there and cannot be read.
    pub fn saved(
        dir: &Path,
        schema: Arc<Schema>,
        options: ViewsOptions,
    ) -> Result<impl DoubleEndedIterator<Item = Self>, FeaturesError> {
        let paths = if dir.exists() { list(dir)?.0 } else { Vec::new() };
        Ok(paths.into_iter().filter_map(move |path| match read(&path, &schema, &options) {
            Ok(views) => Some(views),
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "skipping a checkpoint of the views");
                None
            }
        }))
    }

    /// Whether a checkpoint in `dir` begins as one that these options can use: no more of it is read.
    ///
    /// # Errors
    /// As [`Views::saved`].
    pub fn is_saved(dir: &Path, schema: &Schema, options: &ViewsOptions) -> Result<bool, FeaturesError> {
        let paths = if dir.exists() { list(dir)?.0 } else { Vec::new() };
        let fingerprint = options.fingerprint(schema);
        let fits = |path: &PathBuf| {
            let file = File::open(path).map_err(failed("open", path))?;
            begins(&mut Reader::new(BufReader::new(file)), fingerprint)
        };
        Ok(paths.iter().any(|path| fits(path).is_ok()))
    }

    /// Writes a checkpoint to `dir` and removes all but the last two. When this returns, it is on the disk.
    pub fn checkpoint(&self, dir: &Path) -> Result<PathBuf, FeaturesError> {
        self.begin_checkpoint(dir)?.finish()
    }

    /// Writes the bytes of a checkpoint, for which folding waits, and leaves the rest to [`Unsynced::finish`].
    pub(crate) fn begin_checkpoint(&self, dir: &Path) -> Result<Unsynced, FeaturesError> {
        fs::create_dir_all(dir).map_err(failed("create", dir))?;
        let events: u64 = self.position().0.iter().sum();
        let path = dir.join(format!("{PREFIX}{events:020}{SUFFIX}"));
        let temporary = path.with_extension(&TEMPORARY[1..]);
        let file = File::create(&temporary).map_err(failed("create", &temporary))?;
        let mut writer = BufWriter::with_capacity(BUFFER_BYTES, file);
        self.write_state(&mut writer)?;
        writer.flush().map_err(failed("write", &temporary))?;
        let file = writer.into_inner().map_err(|error| failed("write", &temporary)(error.into_error()))?;
        Ok(Unsynced { file, temporary, path })
    }
}

impl Unsynced {
    /// Makes the checkpoint durable, gives it its name and removes what it makes superfluous.
    pub(crate) fn finish(self) -> Result<PathBuf, FeaturesError> {
        self.file.sync_all().map_err(failed("sync", &self.temporary))?;
        fs::rename(&self.temporary, &self.path).map_err(failed("rename", &self.temporary))?;
        let dir = self.path.parent().unwrap_or_else(|| Path::new("."));
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("sync", dir))?;
        for old in checkpoints(dir)?.into_iter().skip(KEPT) {
            fs::remove_file(&old).map_err(failed("remove", &old))?;
        }
        Ok(self.path)
    }
}

fn read(path: &Path, schema: &Arc<Schema>, options: &ViewsOptions) -> Result<Views, FeaturesError> {
    let file = File::open(path).map_err(failed("open", path))?;
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, file);
    Views::read_state(Arc::clone(schema), options.clone(), &mut reader)
}

/// The checkpoints of a folder, newest first; leftovers of interrupted ones are removed.
fn checkpoints(dir: &Path) -> Result<Vec<PathBuf>, FeaturesError> {
    let (found, leftovers) = list(dir)?;
    for path in leftovers {
        fs::remove_file(&path).map_err(failed("remove", &path))?;
    }
    Ok(found)
}

/// The checkpoints of a folder, newest first, and what interrupted ones have left.
fn list(dir: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), FeaturesError> {
    let (mut found, mut leftovers) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(dir).map_err(failed("read", dir))? {
        let path = entry.map_err(failed("read", dir))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with(PREFIX) && name.ends_with(TEMPORARY) {
            leftovers.push(path);
        } else if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
            found.push(path);
        }
    }
    // Names count events in a fixed width, so their order is that of the positions.
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok((found, leftovers))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FeaturesError {
    let path = path.to_owned();
    move |source| FeaturesError::Io { action, path, source: Arc::new(source) }
}
