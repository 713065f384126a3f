//! The file `erasures.json` in the data folder: how far the log was searched for deletions, and the erasure under way.
//!
//! While an erasure runs, the file names the users and their sessions, since the log no longer says whose the sessions
//! were once records are gone. When it is finished they are in no file any more.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use headwater_base::{SessionId, UserId};
use headwater_log::{Deletion, Erasure, Offset, Tie};
use serde::{Deserialize, Serialize};

use super::ErasureError;

const FILE: &str = "erasures.json";
const TEMPORARY: &str = "erasures.json.tmp";

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ledger {
    /// No deletion before this offset is left to be carried out, but for those under way.
    pub searched: Offset,
    /// How often the views were rebuilt from a rewritten log.
    pub generation: u64,
    /// The erasure under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<Running>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Running {
    deletions: Vec<(UserId, Offset)>,
    ties: Vec<(SessionId, Offset, UserId)>,
}

impl Ledger {
    /// Of the data folder `data_dir`; one that knows nothing where there is no file.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub fn read(data_dir: &Path) -> Result<Self, ErasureError> {
        let path = data_dir.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        serde_json::from_slice(&text).map_err(|source| ErasureError::Damaged { path, source })
    }

    /// Puts this in the place of the file, durable before it returns.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn write(&self, data_dir: &Path) -> Result<(), ErasureError> {
        let (path, temporary) = (data_dir.join(FILE), data_dir.join(TEMPORARY));
        let text = serde_json::to_vec_pretty(self)
            .map_err(|source| ErasureError::Damaged { path: path.clone(), source })?;
        let mut file = File::create(&temporary).map_err(failed("create", &temporary))?;
        file.write_all(&text)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&temporary, &path))
            .map_err(failed("write", &path))?;
        sync(data_dir)
    }

    /// The erasure under way.
    pub fn running(&self) -> Option<Erasure> {
        let running = self.running.as_ref()?;
        let deletions = running.deletions.iter();
        let ties = running.ties.iter();
        Some(Erasure {
            deletions: deletions
                .map(|(user, offset)| Deletion { user: user.clone(), offset: *offset })
                .collect(),
            ties: ties
                .map(|(session, offset, user)| Tie {
                    session: session.clone(),
                    offset: *offset,
                    user: user.clone(),
                })
                .collect(),
        })
    }

    /// Notes what is under way; `None` when it is finished.
    pub fn set_running(&mut self, erasure: Option<&Erasure>) {
        self.running = erasure.map(|erasure| Running {
            deletions: erasure.deletions.iter().map(|it| (it.user.clone(), it.offset)).collect(),
            ties: erasure.ties.iter().map(|it| (it.session.clone(), it.offset, it.user.clone())).collect(),
        });
    }
}

/// Makes the names in `folder` durable.
pub(super) fn sync(folder: &Path) -> Result<(), ErasureError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("sync", folder))
}

/// Turns an I/O error into one that says what was attempted on which file.
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ErasureError {
    let path: PathBuf = path.to_owned();
    move |source| ErasureError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_comes_back_and_damage_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Ledger::read(folder.path()).unwrap(), Ledger::default());
        let user = UserId::trusted("u1");
        let erasure = Erasure {
            deletions: vec![Deletion { user: user.clone(), offset: 7 }],
            ties: vec![Tie { session: SessionId::trusted("s1"), offset: 3, user }],
        };
        let mut ledger = Ledger { searched: 9, generation: 2, ..Ledger::default() };
        ledger.set_running(Some(&erasure));
        ledger.write(folder.path()).unwrap();
        let read = Ledger::read(folder.path()).unwrap();
        assert_eq!((&read, read.running()), (&ledger, Some(erasure)));
        ledger.set_running(None);
        ledger.write(folder.path()).unwrap();
        assert_eq!(Ledger::read(folder.path()).unwrap().running(), None);
        let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert!(!text.contains("u1") && !text.contains("s1"), "{text}");
        fs::write(folder.path().join(FILE), &text[1..]).unwrap();
        assert!(matches!(Ledger::read(folder.path()), Err(ErasureError::Damaged { .. })));
    }
}
