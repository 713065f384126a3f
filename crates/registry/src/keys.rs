//! Keys: who may call, and what for.
//!
//! A secret is 256 random bits, so its plain SHA-256 is stored: nothing can be guessed from it, and checking a request
//! costs a hash, not a slow password function that would itself be a way to overload the server.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use headwater_base::schema::one_of;
use headwater_base::{Invalid, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, TransactionBehavior, params};
use serde::{Deserialize, Serialize, Serializer};

use crate::models::rfc_3339;
use crate::{Registry, RegistryError, database, storage};

/// Every secret begins with this, so that one can be recognised where it should not be.
pub const PREFIX: &str = "hw_";
/// How long a revocation by another process may go unnoticed.
const RECHECK_SECONDS: f64 = 0.5;
/// Longest label, in characters.
const MAX_LABEL: usize = 100;

/// What a key is for. `Admin` includes the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Sending events, items and users.
    Ingest,
    /// Asking for recommendations and reading.
    Read,
    /// Everything, including models and keys.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::Ingest, Self::Read, Self::Admin];

    /// The name used in settings and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or_else(|| {
            Invalid::new("unknown_scope", "scope", text, one_of(&Self::ALL.map(Self::as_str), text))
        })
    }
}

/// A key without its secret, which is shown once and stored nowhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeyRecord {
    /// Names the key in lists and logs; no secret.
    pub id: String,
    /// What its owner called it.
    pub label: String,
    /// What it is for, in order, each once.
    pub scopes: Vec<Scope>,
    /// When it was made.
    #[serde(serialize_with = "rfc_3339")]
    pub created: Timestamp,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rfc_3339_option")]
    pub revoked: Option<Timestamp>,
}

impl KeyRecord {
    /// Whether the key may do what `scope` covers.
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }
}

/// The valid keys by the hash of their secret, as of one generation.
#[derive(Debug, Default)]
pub(crate) struct KeyCache {
    generation: Option<u64>,
    checked: Timestamp,
    by_hash: HashMap<String, KeyRecord>,
}

impl Registry {
    /// Makes a key. The secret is returned once and cannot be read back.
    ///
    /// # Errors
    /// No scope, a label that is empty or too long; the database's; an operating system without randomness.
    pub fn create_key(&self, label: &str, scopes: &[Scope]) -> Result<(KeyRecord, String), RegistryError> {
        let expected = format!("a label of 1 to {MAX_LABEL} characters without control characters");
        if label.is_empty() {
            return Err(Invalid::missing("label", expected).into());
        }
        if label.chars().count() > MAX_LABEL || label.chars().any(char::is_control) {
            return Err(Invalid::new("invalid_label", "label", label.escape_debug(), expected).into());
        }
        let mut scopes = scopes.to_vec();
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            return Err(Invalid::missing("scopes", "at least one of ingest, read and admin").into());
        }
        let mut random = [0u8; 36];
        getrandom::fill(&mut random).map_err(RegistryError::Randomness)?;
        let secret = format!("{PREFIX}{}", storage::hexadecimal(&random[..32]));
        let id = format!("k_{}", storage::hexadecimal(&random[32..]));
        let created = self.clock.now();

        let mut connection = self.connection.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute(
            "INSERT INTO keys (id, label, scopes, hash, created) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![id, label, to_text(&scopes), storage::sha256(secret.as_bytes()), created.as_micros()],
        )?;
        database::advance(&transaction, "keys")?;
        transaction.commit()?;
        drop(connection);
        self.keys.lock().generation = None;
        Ok((KeyRecord { id, label: label.to_owned(), scopes, created, revoked: None }, secret))
    }

    /// Every key, revoked ones included, oldest first.
    ///
    /// # Errors
    /// The database's.
    pub fn list_keys(&self) -> Result<Vec<KeyRecord>, RegistryError> {
        let connection = self.connection.lock();
        let mut statement = connection
            .prepare_cached("SELECT id, label, scopes, created, revoked FROM keys ORDER BY created, id")?;
        let keys = statement.query_map([], key_record)?;
        Ok(keys.collect::<Result<_, _>>()?)
    }

    /// Takes a key away, at once here and within a second in other processes. Revoking twice keeps the first time.
    ///
    /// # Errors
    /// An unknown id; the database's.
    pub fn revoke_key(&self, id: &str) -> Result<KeyRecord, RegistryError> {
        let now = self.clock.now();
        let mut connection = self.connection.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute(
            "UPDATE keys SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL",
            params![id, now.as_micros()],
        )?;
        let record = transaction
            .query_row("SELECT id, label, scopes, created, revoked FROM keys WHERE id = ?1", [id], key_record)
            .optional()?
            .ok_or_else(|| RegistryError::UnknownKey { id: id.to_owned() })?;
        database::advance(&transaction, "keys")?;
        transaction.commit()?;
        drop(connection);
        self.keys.lock().generation = None;
        Ok(record)
    }

    /// The key with this secret; `None` for a wrong or revoked one.
    ///
    /// Answers from memory; looks at most twice a second whether another process changed the keys.
    ///
    /// # Errors
    /// The database's.
    pub fn authenticate(&self, secret: &str) -> Result<Option<KeyRecord>, RegistryError> {
        if !secret.starts_with(PREFIX) {
            return Ok(None);
        }
        // The stored hash is looked up, not compared byte by byte: an attacker cannot choose a hash's prefix.
        let hash = storage::sha256(secret.as_bytes());
        let now = self.clock.now();
        let mut cache = self.keys.lock();
        if cache.generation.is_none() || now.seconds_since(cache.checked).abs() >= RECHECK_SECONDS {
            let connection = self.connection.lock();
            let generation = database::generation(&connection, "keys")?;
            if cache.generation != Some(generation) {
                cache.by_hash = valid_keys(&connection)?;
                cache.generation = Some(generation);
            }
            cache.checked = now;
        }
        Ok(cache.by_hash.get(&hash).cloned())
    }
}

fn rfc_3339_option<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => rfc_3339(time, serializer),
        None => serializer.serialize_none(),
    }
}

fn valid_keys(connection: &Connection) -> Result<HashMap<String, KeyRecord>, RegistryError> {
    let mut statement = connection
        .prepare_cached("SELECT id, label, scopes, created, revoked, hash FROM keys WHERE revoked IS NULL")?;
    let keys = statement.query_map([], |row| Ok((row.get(5)?, key_record(row)?)))?;
    Ok(keys.collect::<Result<_, _>>()?)
}

fn key_record(row: &Row<'_>) -> rusqlite::Result<KeyRecord> {
    let scopes: String = row.get(2)?;
    Ok(KeyRecord {
        id: row.get(0)?,
        label: row.get(1)?,
        // A scope that a newer version added gives nothing here.
        scopes: scopes.split(' ').filter_map(|scope| scope.parse().ok()).collect(),
        created: Timestamp::from_micros(row.get(3)?),
        revoked: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_micros),
    })
}

fn to_text(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
