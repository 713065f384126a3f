//! Definitions of features: every version a name has had, and the columns that logged vectors were written in.
//!
//! A definition is text to this crate: JSON, compared in one canonical form. What was defined once is never changed or
//! taken away, so that an artifact trained on `item_ctr_1h@1` reads that for as long as it serves.

use headwater_base::feature::feature_schema;
use headwater_base::schema::closest;
use headwater_base::{Invalid, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, TransactionBehavior, params};
use serde::Serialize;
use serde_json::Value;

use crate::models::rfc_3339;
use crate::{Registry, RegistryError};

/// One version of a feature's definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FeatureVersion {
    /// The feature's name.
    pub name: String,
    /// Counted from 1 within the name.
    pub version: u32,
    /// What the feature is, as canonical JSON.
    pub definition: String,
    /// When it was first defined.
    #[serde(serialize_with = "rfc_3339")]
    pub created: Timestamp,
}

const COLUMNS: &str = "name, version, definition, created";

impl Registry {
    /// The version of this definition of `name`: one that it had before, or else a new one.
    ///
    /// Definitions are the same when their JSON is, whatever the order of its keys. A field that a later version of the
    /// code adds to definitions must therefore be left out of the JSON where it says nothing.
    ///
    /// # Errors
    /// A definition that is no JSON; the database's.
    pub fn define(&self, name: &str, definition: &str) -> Result<u32, RegistryError> {
        let definition = canonical(definition)?;
        let created = self.clock.now();
        let mut connection = self.connection.lock();
        // The write lock is taken before looking, so that two processes never give two definitions one version.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(version) = version_of(&transaction, name, &definition)? {
            return Ok(version);
        }
        let version = newest(&transaction, name)?.unwrap_or(0) + 1;
        transaction.execute(
            "INSERT INTO features (name, version, definition, created) VALUES (?1, ?2, ?3, ?4)",
            params![name, version, definition, created.as_micros()],
        )?;
        transaction.commit()?;
        Ok(version)
    }

    /// The version that [`Registry::define`] would give, and whether it is there already; writes nothing.
    ///
    /// # Errors
    /// A definition that is no JSON; the database's.
    pub fn version_of(&self, name: &str, definition: &str) -> Result<(u32, bool), RegistryError> {
        let definition = canonical(definition)?;
        let connection = self.connection.lock();
        match version_of(&connection, name, &definition)? {
            Some(version) => Ok((version, true)),
            None => Ok((newest(&connection, name)?.unwrap_or(0) + 1, false)),
        }
    }

    /// Every version of every feature, by name and version.
    ///
    /// # Errors
    /// The database's.
    pub fn definitions(&self) -> Result<Vec<FeatureVersion>, RegistryError> {
        let connection = self.connection.lock();
        let mut statement =
            connection.prepare_cached(&format!("SELECT {COLUMNS} FROM features ORDER BY name, version"))?;
        let found = statement.query_map([], feature_version)?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// One version of a feature.
    ///
    /// # Errors
    /// An unknown name or version; the database's.
    pub fn definition(&self, name: &str, version: u32) -> Result<FeatureVersion, RegistryError> {
        let connection = self.connection.lock();
        let mut statement = connection
            .prepare_cached(&format!("SELECT {COLUMNS} FROM features WHERE name = ?1 AND version = ?2"))?;
        if let Some(found) = statement.query_row(params![name, version], feature_version).optional()? {
            return Ok(found);
        }
        match newest(&connection, name)? {
            Some(latest) => {
                Err(RegistryError::UnknownFeatureVersion { name: name.to_owned(), version, latest })
            }
            None => Err(unknown(&connection, name)?),
        }
    }

    /// Remembers the columns of logged vectors under their number: see [`feature_schema`]. Doing so again is nothing.
    ///
    /// # Errors
    /// A number that is not that of the names; the database's.
    pub fn remember_schema(&self, number: u64, names: &[String]) -> Result<(), RegistryError> {
        let theirs = feature_schema(names.iter().map(String::as_str));
        if number != theirs || names.iter().any(|name| name.contains('\n')) {
            let expected = format!("{theirs}, the number of {} names without line breaks", names.len());
            return Err(Invalid::new("wrong_schema", "number", number, expected).into());
        }
        self.connection.lock().execute(
            "INSERT INTO feature_schemas (number, names) VALUES (?1, ?2) ON CONFLICT (number) DO NOTHING",
            params![number.cast_signed(), names.join("\n")],
        )?;
        Ok(())
    }

    /// The columns of logged vectors of this number, by name and version; `None` where it was never remembered.
    ///
    /// # Errors
    /// The database's.
    pub fn schema(&self, number: u64) -> Result<Option<Vec<String>>, RegistryError> {
        let connection = self.connection.lock();
        let mut statement =
            connection.prepare_cached("SELECT names FROM feature_schemas WHERE number = ?1")?;
        let names: Option<String> =
            statement.query_row([number.cast_signed()], |row| row.get(0)).optional()?;
        Ok(names.map(|names| names.lines().map(str::to_owned).collect()))
    }
}

fn feature_version(row: &Row<'_>) -> rusqlite::Result<FeatureVersion> {
    Ok(FeatureVersion {
        name: row.get(0)?,
        version: row.get(1)?,
        definition: row.get(2)?,
        created: Timestamp::from_micros(row.get(3)?),
    })
}

fn version_of(connection: &Connection, name: &str, definition: &str) -> Result<Option<u32>, RegistryError> {
    let mut statement =
        connection.prepare_cached("SELECT MIN(version) FROM features WHERE name = ?1 AND definition = ?2")?;
    Ok(statement.query_row(params![name, definition], |row| row.get(0))?)
}

fn newest(connection: &Connection, name: &str) -> Result<Option<u32>, RegistryError> {
    let mut statement = connection.prepare_cached("SELECT MAX(version) FROM features WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0))?)
}

fn unknown(connection: &Connection, name: &str) -> Result<RegistryError, RegistryError> {
    let mut statement = connection.prepare_cached("SELECT DISTINCT name FROM features ORDER BY name")?;
    let known: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let known = match closest(&names, name) {
        Some(best) => format!("did you mean `{best}`?"),
        None if names.is_empty() => "none is".to_owned(),
        None => format!("defined are: {}", names.join(", ")),
    };
    Ok(RegistryError::UnknownFeature { name: name.to_owned(), known })
}

/// The same JSON without blanks and with its keys in order, whichever order the parser keeps.
fn canonical(definition: &str) -> Result<String, RegistryError> {
    let value: Value = serde_json::from_str(definition).map_err(|error| {
        Invalid::new("invalid_definition", "definition", definition, format!("JSON: {error}"))
    })?;
    Ok(ordered(value).to_string())
}

fn ordered(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> =
                map.into_iter().map(|(key, value)| (key, ordered(value))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(ordered).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use headwater_base::time::ManualClock;

    use super::*;

    fn names(labels: &[&str]) -> Vec<String> {
        labels.iter().map(|label| (*label).to_owned()).collect()
    }

    #[test]
    fn the_same_definition_keeps_its_version_and_a_changed_one_gets_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let registry =
            Registry::open(folder.path(), Arc::new(ManualClock::at(Timestamp::from_seconds(7)))).unwrap();
        assert_eq!(registry.version_of("ctr", r#"{"a":1}"#).unwrap(), (1, false));
        assert_eq!(registry.define("ctr", r#"{"a": 1, "b": {"d": [2, 1], "c": null}}"#).unwrap(), 1);
        assert_eq!(registry.define("ctr", r#"{"b":{"c":null,"d":[2,1]},"a":1}"#).unwrap(), 1);
        assert_eq!(registry.define("ctr", r#"{"a":1,"b":{"c":null,"d":[1,2]}}"#).unwrap(), 2);
        assert_eq!(registry.define("views", r#"{"a":1}"#).unwrap(), 1);
        // Back to what it was: the version it was.
        let registry =
            Registry::open(folder.path(), Arc::new(ManualClock::at(Timestamp::from_seconds(9)))).unwrap();
        let first = r#"{"a":1,"b":{"c":null,"d":[2,1]}}"#;
        assert_eq!(registry.define("ctr", first).unwrap(), 1);
        assert_eq!(registry.version_of("ctr", first).unwrap(), (1, true));
        assert_eq!(registry.version_of("ctr", "{}").unwrap(), (3, false));
        let all = registry.definitions().unwrap();
        let listed: Vec<_> = all.iter().map(|found| (found.name.as_str(), found.version)).collect();
        assert_eq!(listed, [("ctr", 1), ("ctr", 2), ("views", 1)]);
        assert_eq!(registry.definition("ctr", 1).unwrap(), all[0]);
        assert_eq!((all[0].definition.as_str(), all[0].created), (first, Timestamp::from_seconds(7)));
    }

    #[test]
    fn what_is_unknown_names_what_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(folder.path(), Arc::new(ManualClock::at(Timestamp::EPOCH))).unwrap();
        let told = |name: &str, version| registry.definition(name, version).unwrap_err().to_string();
        assert_eq!(told("ctr", 1), "no feature `ctr` was ever defined: none is");
        registry.define("ctr", "{}").unwrap();
        assert_eq!(told("ctr", 2), "feature `ctr` has no version 2; the latest is 1");
        assert_eq!(told("ctx", 1), "no feature `ctx` was ever defined: did you mean `ctr`?");
        assert_eq!(told("recency", 1), "no feature `recency` was ever defined: defined are: ctr");
        assert!(registry.define("ctr", "{").unwrap_err().to_string().contains("JSON"));
    }

    #[test]
    fn columns_are_had_back_by_their_number() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(folder.path(), Arc::new(ManualClock::at(Timestamp::EPOCH))).unwrap();
        let columns = names(&["ctr@1", "hour@2"]);
        let number = feature_schema(columns.iter().map(String::as_str));
        assert_eq!(registry.schema(number).unwrap(), None);
        registry.remember_schema(number, &columns).unwrap();
        registry.remember_schema(number, &columns).unwrap();
        assert_eq!(registry.schema(number).unwrap(), Some(columns.clone()));
        assert!(registry.remember_schema(number ^ 1, &columns).is_err());
        assert!(registry.remember_schema(number, &names(&["hour@2", "ctr@1"])).is_err());
        registry.remember_schema(feature_schema([]), &[]).unwrap();
        assert_eq!(registry.schema(feature_schema([])).unwrap(), Some(Vec::new()));
    }

    #[test]
    fn numbers_of_the_upper_half_are_kept_too() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(folder.path(), Arc::new(ManualClock::at(Timestamp::EPOCH))).unwrap();
        let number = |version: u32| feature_schema([format!("ctr@{version}").as_str()]);
        let version = (1..).find(|version| number(*version) > u64::MAX / 2).unwrap();
        let columns = vec![format!("ctr@{version}")];
        registry.remember_schema(number(version), &columns).unwrap();
        assert_eq!(registry.schema(number(version)).unwrap(), Some(columns));
    }
}
