//! Models: registration, versions, aliases and their history.

use headwater_base::{Invalid, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, TransactionBehavior, params};
use serde::{Serialize, Serializer};

use crate::{Bundle, FileEntry, Manifest, Registry, RegistryError, database, storage};

/// The alias that serves.
pub const CHAMPION: &str = "champion";
/// Name of the file that repeats the manifest beside the artifact's files, for those who read them without a database.
pub const MANIFEST_FILE: &str = "manifest.json";

/// One registered version of a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelVersion {
    /// The model's name.
    pub name: String,
    /// Counted from 1 within the name.
    pub version: u64,
    /// When it was registered.
    #[serde(serialize_with = "rfc_3339")]
    pub created: Timestamp,
    /// What may be done with it: `ready`.
    pub status: String,
    /// The aliases that point at it now: `champion`.
    pub aliases: Vec<String>,
    /// Its description.
    pub manifest: Manifest,
}

/// One change of an alias.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AliasChange {
    /// The model's name.
    pub name: String,
    /// The alias.
    pub alias: String,
    /// The version it pointed at, if any.
    pub before: Option<u64>,
    /// The version it points at since.
    pub after: u64,
    /// When.
    #[serde(serialize_with = "rfc_3339")]
    pub changed: Timestamp,
    /// By whom: a key's label, a command, a job.
    pub who: String,
}

const COLUMNS: &str = "name, version, created, status, manifest";

impl Registry {
    /// Stores an artifact as the next version of `name`. Nothing serves it until it is promoted.
    ///
    /// The files are durable before the row is: a version that is listed is whole.
    ///
    /// # Errors
    /// A name that is not one; a disk or database that refuses.
    pub fn register(&self, name: &str, bundle: Bundle) -> Result<ModelVersion, RegistryError> {
        validate_name("name", name)?;
        let Bundle { mut manifest, mut files } = bundle;
        for (file, _) in &files {
            validate_file(file)?;
        }
        let entry = |(name, content): &(String, Vec<u8>)| FileEntry {
            name: name.clone(),
            bytes: content.len() as u64,
            sha256: storage::sha256(content),
        };
        manifest.files = files.iter().map(entry).collect();
        let text = to_text(&manifest);
        files.push((MANIFEST_FILE.to_owned(), text.clone().into_bytes()));
        let created = self.clock.now();

        let mut connection = self.connection.lock();
        // The write lock is held while the files are written, so that two processes never choose one version.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version = latest(&transaction, name)?.unwrap_or(0) + 1;
        storage::write(&self.models, name, version, &files)?;
        transaction.execute(
            "INSERT INTO models (name, version, created, status, manifest) VALUES (?1, ?2, ?3, 'ready', ?4)",
            params![name, version as i64, created.as_micros(), text],
        )?;
        transaction.commit()?;
        Ok(ModelVersion {
            name: name.to_owned(),
            version,
            created,
            status: "ready".to_owned(),
            aliases: Vec::new(),
            manifest,
        })
    }

    /// Every version of every model, by name and version.
    ///
    /// # Errors
    /// The database's; a manifest that does not read back.
    pub fn list(&self) -> Result<Vec<ModelVersion>, RegistryError> {
        let connection = self.connection.lock();
        let mut statement =
            connection.prepare_cached(&format!("SELECT {COLUMNS} FROM models ORDER BY name, version"))?;
        let rows: Vec<Stored> = statement.query_map([], stored)?.collect::<Result<_, _>>()?;
        rows.into_iter().map(|row| self.complete(&connection, row)).collect()
    }

    /// One version.
    ///
    /// # Errors
    /// An unknown name or version; the database's.
    pub fn show(&self, name: &str, version: u64) -> Result<ModelVersion, RegistryError> {
        let connection = self.connection.lock();
        let row = find(&connection, name, version)?;
        self.complete(&connection, row)
    }

    /// The newest version of a model; `None` where the name is not registered.
    ///
    /// # Errors
    /// The database's.
    pub fn latest(&self, name: &str) -> Result<Option<u64>, RegistryError> {
        latest(&self.connection.lock(), name)
    }

    /// Makes a version the champion of its name: what serves from now on.
    ///
    /// # Errors
    /// An unknown name or version; the database's.
    pub fn promote(&self, name: &str, version: u64, who: &str) -> Result<AliasChange, RegistryError> {
        self.point(name, CHAMPION, version, who)
    }

    /// Points an alias of a model at one of its versions, and writes down who did.
    ///
    /// # Errors
    /// An unknown name or version, an alias that is not a name; the database's.
    pub fn point(
        &self,
        name: &str,
        alias: &str,
        version: u64,
        who: &str,
    ) -> Result<AliasChange, RegistryError> {
        validate_name("alias", alias)?;
        let changed = self.clock.now();
        let mut connection = self.connection.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        find(&transaction, name, version)?;
        let before = aliased(&transaction, name, alias)?;
        transaction.execute("DELETE FROM aliases WHERE name = ?1 AND alias = ?2", params![name, alias])?;
        transaction.execute(
            "INSERT INTO aliases (name, alias, version) VALUES (?1, ?2, ?3)",
            params![name, alias, version as i64],
        )?;
        transaction.execute(
            "INSERT INTO history (name, alias, before, after, changed, who) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                name,
                alias,
                before.map(|version| version as i64),
                version as i64,
                changed.as_micros(),
                who
            ],
        )?;
        database::advance(&transaction, "aliases")?;
        transaction.commit()?;
        let (name, alias, who) = (name.to_owned(), alias.to_owned(), who.to_owned());
        Ok(AliasChange { name, alias, before, after: version, changed, who })
    }

    /// The version that serves under this name; `None` where none was promoted.
    ///
    /// # Errors
    /// The database's.
    pub fn champion(&self, name: &str) -> Result<Option<ModelVersion>, RegistryError> {
        let connection = self.connection.lock();
        let Some(version) = aliased(&connection, name, CHAMPION)? else { return Ok(None) };
        let row = find(&connection, name, version)?;
        self.complete(&connection, row).map(Some)
    }

    /// Every change of the aliases of a model, oldest first.
    ///
    /// # Errors
    /// The database's.
    pub fn history(&self, name: &str) -> Result<Vec<AliasChange>, RegistryError> {
        let connection = self.connection.lock();
        let mut statement = connection.prepare_cached(
            "SELECT name, alias, before, after, changed, who FROM history WHERE name = ?1 ORDER BY id",
        )?;
        let changes = statement.query_map([name], |row| {
            Ok(AliasChange {
                name: row.get(0)?,
                alias: row.get(1)?,
                before: row.get::<_, Option<i64>>(2)?.map(|version| version as u64),
                after: row.get::<_, i64>(3)? as u64,
                changed: Timestamp::from_micros(row.get(4)?),
                who: row.get(5)?,
            })
        })?;
        Ok(changes.collect::<Result<_, _>>()?)
    }

    /// Reads an artifact back, every file checked against its registered checksum.
    ///
    /// # Errors
    /// An unknown name or version; a missing or damaged file, named.
    pub fn load(&self, name: &str, version: u64) -> Result<Bundle, RegistryError> {
        let manifest = self.show(name, version)?.manifest;
        let folder = storage::folder(&self.models, name, version);
        let files = storage::read(&folder, &manifest.files)?;
        Ok(Bundle { manifest, files })
    }

    fn complete(&self, connection: &Connection, row: Stored) -> Result<ModelVersion, RegistryError> {
        let Stored { name, version, created, status, manifest } = row;
        let manifest = serde_json::from_str(&manifest).map_err(|error| RegistryError::Damaged {
            path: storage::folder(&self.models, &name, version).join(MANIFEST_FILE),
            reason: format!("the manifest in the database does not read back: {error}"),
        })?;
        let mut statement = connection
            .prepare_cached("SELECT alias FROM aliases WHERE name = ?1 AND version = ?2 ORDER BY alias")?;
        let aliases = statement.query_map(params![name, version as i64], |row| row.get(0))?;
        let aliases = aliases.collect::<Result<_, _>>()?;
        Ok(ModelVersion { name, version, created, status, aliases, manifest })
    }
}

/// A row of `models`.
struct Stored {
    name: String,
    version: u64,
    created: Timestamp,
    status: String,
    manifest: String,
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        name: row.get(0)?,
        version: row.get::<_, i64>(1)? as u64,
        created: Timestamp::from_micros(row.get(2)?),
        status: row.get(3)?,
        manifest: row.get(4)?,
    })
}

fn find(connection: &Connection, name: &str, version: u64) -> Result<Stored, RegistryError> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM models WHERE name = ?1 AND version = ?2"))?;
    if let Some(row) = statement.query_row(params![name, version as i64], stored).optional()? {
        return Ok(row);
    }
    if let Some(latest) = latest(connection, name)? {
        return Err(RegistryError::UnknownVersion { name: name.to_owned(), version, latest });
    }
    let mut statement = connection.prepare_cached("SELECT DISTINCT name FROM models ORDER BY name")?;
    let known: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(RegistryError::UnknownModel { name: name.to_owned(), known })
}

fn latest(connection: &Connection, name: &str) -> Result<Option<u64>, RegistryError> {
    let mut statement = connection.prepare_cached("SELECT MAX(version) FROM models WHERE name = ?1")?;
    let version: Option<i64> = statement.query_row([name], |row| row.get(0))?;
    Ok(version.map(|version| version as u64))
}

fn aliased(connection: &Connection, name: &str, alias: &str) -> Result<Option<u64>, RegistryError> {
    let mut statement =
        connection.prepare_cached("SELECT version FROM aliases WHERE name = ?1 AND alias = ?2")?;
    let version: Option<i64> = statement.query_row([name, alias], |row| row.get(0)).optional()?;
    Ok(version.map(|version| version as u64))
}

/// Times leave this crate as text, whatever a caller serialises to.
pub(crate) fn rfc_3339<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

fn to_text(manifest: &Manifest) -> String {
    serde_json::to_string_pretty(manifest).expect("a manifest has text keys and no failing serialiser")
}

/// A name becomes a folder: lower-case letters, digits, `_` and `-` only.
fn validate_name(field: &'static str, name: &str) -> Result<(), Invalid> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    let expected = "1 to 64 of a-z, 0-9, `_` and `-`, beginning with a letter";
    if name.is_empty() {
        return Err(Invalid::missing(field, expected));
    }
    let begins = name.as_bytes()[0].is_ascii_lowercase();
    if name.len() > 64 || !begins || !name.bytes().all(plain) {
        return Err(Invalid::new("invalid_name", field, name, expected));
    }
    Ok(())
}

fn validate_file(name: &str) -> Result<(), Invalid> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let fits = (1..=128).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain);
    if !fits || name == MANIFEST_FILE {
        let expected = "a plain file name other than manifest.json";
        return Err(Invalid::new("invalid_name", "file", name, expected));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
