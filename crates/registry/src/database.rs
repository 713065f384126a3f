//! The control database: opening it, and the schema it grows by.
//!
//! The SQL is kept plain (no SQLite-only types or functions outside this module), so that PostgreSQL can stand below.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use crate::RegistryError;

/// How long a statement waits for another process's write.
const BUSY: Duration = Duration::from_secs(30);

/// Each entry brings the schema from version `index` to `index + 1`. Entries are only ever appended.
const MIGRATIONS: [&str; 2] = [
    "
    CREATE TABLE models (
        name TEXT NOT NULL,
        version BIGINT NOT NULL,
        created BIGINT NOT NULL,
        status TEXT NOT NULL,
        manifest TEXT NOT NULL,
        PRIMARY KEY (name, version)
    );
    CREATE TABLE aliases (
        name TEXT NOT NULL,
        alias TEXT NOT NULL,
        version BIGINT NOT NULL,
        PRIMARY KEY (name, alias),
        FOREIGN KEY (name, version) REFERENCES models (name, version)
    );
    CREATE TABLE history (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        alias TEXT NOT NULL,
        before BIGINT,
        after BIGINT NOT NULL,
        changed BIGINT NOT NULL,
        who TEXT NOT NULL
    );
    CREATE TABLE keys (
        id TEXT NOT NULL PRIMARY KEY,
        label TEXT NOT NULL,
        scopes TEXT NOT NULL,
        hash TEXT NOT NULL UNIQUE,
        created BIGINT NOT NULL,
        revoked BIGINT
    );
    CREATE TABLE generations (
        what TEXT NOT NULL PRIMARY KEY,
        generation BIGINT NOT NULL
    );
    INSERT INTO generations (what, generation) VALUES ('aliases', 0);
    INSERT INTO generations (what, generation) VALUES ('keys', 0);
",
    "
    CREATE TABLE features (
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        definition TEXT NOT NULL,
        created BIGINT NOT NULL,
        PRIMARY KEY (name, version)
    );
    CREATE TABLE feature_schemas (
        number BIGINT NOT NULL PRIMARY KEY,
        names TEXT NOT NULL
    );
",
];

/// Opens the database, creating and migrating it where needed.
pub(crate) fn open(path: &Path) -> Result<Connection, RegistryError> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // In WAL mode NORMAL may lose the last commits at a power cut; a promotion that was answered must not be lost.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    migrate(&mut connection)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection) -> Result<(), RegistryError> {
    let supported = MIGRATIONS.len() as i64;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute("CREATE TABLE IF NOT EXISTS migrations (version BIGINT NOT NULL PRIMARY KEY)", [])?;
    let found: i64 =
        transaction.query_row("SELECT COALESCE(MAX(version), 0) FROM migrations", [], |row| row.get(0))?;
    if found > supported {
        return Err(RegistryError::NewerSchema { found, supported });
    }
    for version in found..supported {
        transaction.execute_batch(MIGRATIONS[version as usize])?;
        transaction.execute("INSERT INTO migrations (version) VALUES (?1)", [version + 1])?;
    }
    transaction.commit()?;
    Ok(())
}

/// The counter that moves with every change of `what` (`aliases` or `keys`), from whichever process.
pub(crate) fn generation(connection: &Connection, what: &str) -> Result<u64, RegistryError> {
    let mut statement = connection.prepare_cached("SELECT generation FROM generations WHERE what = ?1")?;
    let generation: i64 = statement.query_row([what], |row| row.get(0))?;
    Ok(generation as u64)
}

/// Moves that counter; part of the transaction that makes the change.
pub(crate) fn advance(connection: &Connection, what: &str) -> Result<(), RegistryError> {
    connection.execute("UPDATE generations SET generation = generation + 1 WHERE what = ?1", [what])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_schema_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.db");
        open(&path).unwrap().execute("INSERT INTO migrations (version) VALUES (99)", []).unwrap();
        assert!(matches!(open(&path), Err(RegistryError::NewerSchema { found: 99, .. })));
    }

    #[test]
    fn a_database_of_the_first_schema_keeps_its_rows_and_gains_what_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.db");
        let old = Connection::open(&path).unwrap();
        old.execute_batch("CREATE TABLE migrations (version BIGINT NOT NULL PRIMARY KEY)").unwrap();
        old.execute_batch(MIGRATIONS[0]).unwrap();
        old.execute_batch("INSERT INTO migrations (version) VALUES (1)").unwrap();
        old.execute_batch("INSERT INTO keys VALUES ('k', 'shop', 'read', 'hash', 1, NULL)").unwrap();
        drop(old);
        let grown = open(&path).unwrap();
        let count = |table: &str| {
            let ask = format!("SELECT COUNT(*) FROM {table}");
            grown.query_row(&ask, [], |row| row.get::<_, i64>(0)).unwrap()
        };
        assert_eq!((count("keys"), count("features"), count("feature_schemas")), (1, 0, 0));
    }
}
