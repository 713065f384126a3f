//! A data folder read beside whoever writes it: its log, its checkpoints and the definitions of features. Takes no lock
//! and changes nothing.

use std::path::Path;
use std::sync::Arc;

use headwater_base::Schema;
use headwater_features::{FeatureSpec, Plan, Replay, Views, ViewsOptions};
use headwater_log::{LogReader, Offset, Partition, Position};
use headwater_registry::{Registry, RegistryError};

use crate::declared;
use crate::erasure::{Ledger, checkpoints};
use crate::platform::{Layout, PlatformError};
use crate::settings::Settings;

/// The features that a server with these settings computes: see [`declared::active`]. Writes down no definition.
///
/// # Errors
/// A feature that cannot be; the database's.
pub fn active(registry: Option<&Registry>, settings: &Settings) -> Result<Vec<FeatureSpec>, RegistryError> {
    let resolved = declared::resolve(registry, settings)?;
    let current: Vec<FeatureSpec> = resolved.into_iter().map(|one| one.spec).collect();
    match registry {
        Some(registry) => {
            let needed = declared::needed(registry, settings)?;
            declared::active(registry, current, &needed, &settings.schema())
        }
        None => Ok(current),
    }
}

/// How the views of a server with these settings are kept, with a plan of `specs`.
///
/// # Errors
/// Features that do not compile.
pub fn options(settings: &Settings, specs: &[FeatureSpec]) -> Result<ViewsOptions, PlatformError> {
    let plan = Arc::new(Plan::new(specs, &settings.schema())?);
    Ok(ViewsOptions { plan, ..settings.views_options() })
}

/// Which checkpoint a replay goes on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The newest: least is left to fold.
    Newest,
    /// The oldest: most can be looked back on.
    Oldest,
}

/// A replay that goes on from a checkpoint which the log continues, which a server with the same plan has made, and which
/// is `usable`.
///
/// # Errors
/// A folder that cannot be read.
pub fn checkpoint(
    data_dir: &Path,
    log: &LogReader,
    schema: &Schema,
    options: &ViewsOptions,
    from: From,
    usable: &dyn Fn(&Replay) -> bool,
) -> Result<Option<Replay>, PlatformError> {
    let generation = Ledger::read(data_dir)?.generation;
    let folder = checkpoints::folder(&Layout::of(data_dir).views, generation);
    let (start, end) = (Position(vec![log.start()]), Position(vec![log.end()]));
    let continued =
        |replay: &Replay| replay.position().covers(&start) && end.covers(replay.position()) && usable(replay);
    let saved = Views::saved(&folder, Arc::new(schema.clone()), options.clone())?;
    let mut saved = saved.map(Replay::continuing).filter(continued);
    Ok(match from {
        From::Newest => saved.next(),
        From::Oldest => saved.next_back(),
    })
}

/// Where a replay goes on in the log.
pub fn next(replay: &Replay) -> Offset {
    replay.position().offset(Partition(0))
}

/// Whether records were ever erased from the data folder.
///
/// # Errors
/// A file that cannot be read.
pub fn erased(data_dir: &Path) -> Result<bool, PlatformError> {
    Ok(Ledger::read(data_dir)?.generation > 0)
}
