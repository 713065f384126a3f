//! Checkpoints of the views around an erasure.
//!
//! The views that serve drop a user with the deletion, but what the user did to popularity and neighbours stays in them:
//! it is in sums. A replay of the rewritten log would not have it. So views are built anew from the rewritten log, beside
//! those that serve, and written as a checkpoint of the next *generation*, in a folder of its own; a start uses the
//! newest generation. Where retention has deleted the beginning of the log there is nothing to build them from, and the
//! serving views' checkpoints are kept: the user's profile is gone from them all the same.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_base::Schema;
use headwater_features::{Restored, Views, ViewsOptions};
use headwater_log::{EventLog, Position};

use super::ErasureError;
use super::ledger::{failed, sync};

/// Events read at once.
const READ_EVENTS: usize = 4096;
const CHECKPOINT: &str = "checkpoint-";
const GENERATION: &str = "generation-";
const PREPARED: &str = "prepared-";

/// The folder of the checkpoints of a generation, within the folder of all checkpoints.
pub fn folder(views: &Path, generation: u64) -> PathBuf {
    if generation == 0 { views.to_owned() } else { views.join(format!("{GENERATION}{generation}")) }
}

/// The folder of what a backfill has prepared for the next start, beside the checkpoints of a generation: a server that still
/// works with other features does not take it for one of its own.
pub fn prepared(views: &Path, generation: u64) -> PathBuf {
    views.join(format!("{PREPARED}{generation}"))
}

/// Puts a prepared checkpoint that these options can use among the checkpoints of its generation. One that they cannot use
/// may be for the settings of a later start, and stays.
///
/// # Errors
/// The folders cannot be used.
pub fn take_prepared(
    views: &Path,
    generation: u64,
    schema: &Schema,
    options: &ViewsOptions,
) -> Result<(), ErasureError> {
    let from = prepared(views, generation);
    if !Views::is_saved(&from, schema, options)? {
        return Ok(());
    }
    let to = folder(views, generation);
    fs::create_dir_all(&to).map_err(failed("create", &to))?;
    for entry in fs::read_dir(&from).map_err(failed("list", &from))? {
        let path = entry.map_err(failed("list", &from))?.path();
        let name = path.file_name().unwrap_or_default();
        if name.to_string_lossy().starts_with(CHECKPOINT) {
            fs::rename(&path, to.join(name)).map_err(failed("rename", &path))?;
        }
    }
    sync(&to)?;
    fs::remove_dir_all(&from).map_err(failed("remove", &from))
}

/// Removes whatever backfills have prepared.
pub(super) fn remove_prepared(views: &Path) -> Result<(), ErasureError> {
    for entry in fs::read_dir(views).map_err(failed("list", views))? {
        let path = entry.map_err(failed("list", views))?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREPARED)) {
            fs::remove_dir_all(&path).map_err(failed("remove", &path))?;
        }
    }
    sync(views)
}

/// The views to start with, and where they came from: the newest checkpoint of this generation; where the log's
/// beginning is gone, the newest that the log still continues, of any generation; else empty views.
///
/// # Errors
/// The folder cannot be used.
pub fn open(
    views: &Path,
    generation: u64,
    schema: &Arc<Schema>,
    options: &ViewsOptions,
    start: &Position,
) -> Result<(Views, Restored), ErasureError> {
    let newest = Views::open(&folder(views, generation), Arc::clone(schema), options.clone())?;
    let complete = start.0.iter().all(|offset| *offset == 0);
    if generation == 0 || complete || newest.1.position.covers(start) {
        return Ok(newest);
    }
    for earlier in
        (0..generation).rev().map(|earlier| folder(views, earlier)).filter(|folder| folder.exists())
    {
        let found = Views::open(&earlier, Arc::clone(schema), options.clone())?;
        if found.1.position.covers(start) {
            return Ok(found);
        }
    }
    Ok(newest)
}

/// Views of the whole log as it is now; `None` if told to stop.
///
/// # Errors
/// The log cannot be read.
pub(super) fn rebuild(
    log: &dyn EventLog,
    schema: &Arc<Schema>,
    options: &ViewsOptions,
    keep_going: &dyn Fn() -> bool,
) -> Result<Option<Views>, ErasureError> {
    let views = Views::new(Arc::clone(schema), options.clone());
    let end = log.end();
    for partition in (0..log.partitions()).map(headwater_log::Partition) {
        while views.position().offset(partition) < end.offset(partition) {
            if !keep_going() {
                return Ok(None);
            }
            views.apply(&log.read(partition, views.position().offset(partition), READ_EVENTS)?)?;
        }
    }
    Ok(Some(views))
}

/// Writes a checkpoint of `of` into `folder`, and removes every other one there.
pub(super) fn write_only(of: &Views, folder: &Path) -> Result<(), ErasureError> {
    let written = of.checkpoint(folder)?;
    remove_checkpoints(folder, Some(&written))
}

/// Removes the checkpoints of every generation but those in `kept`.
pub(super) fn remove_others(views: &Path, kept: &[&Path]) -> Result<(), ErasureError> {
    for entry in fs::read_dir(views).map_err(failed("list", views))? {
        let path = entry.map_err(failed("list", views))?.path();
        let named = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if named.starts_with(GENERATION) && !kept.contains(&path.as_path()) {
            fs::remove_dir_all(&path).map_err(failed("remove", &path))?;
        }
    }
    if kept.contains(&views) { Ok(()) } else { remove_checkpoints(views, None) }
}

fn remove_checkpoints(folder: &Path, kept: Option<&Path>) -> Result<(), ErasureError> {
    for entry in fs::read_dir(folder).map_err(failed("list", folder))? {
        let path = entry.map_err(failed("list", folder))?.path();
        let named = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if named.starts_with(CHECKPOINT) && kept != Some(path.as_path()) {
            match fs::remove_file(&path) {
                // The thread that makes checkpoints removes old ones as well.
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(failed("remove", &path)(error));
                }
                _ => {}
            }
        }
    }
    sync(folder)
}
