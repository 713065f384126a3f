//! Declared features meet the control database: which version a definition is, and which versions are in use.

use std::collections::BTreeSet;

use compact_str::CompactString;
use headwater_base::{ErrorKind, Invalid, Schema};
use headwater_features::declared::{Definition, FeatureSpec};
use headwater_registry::{FeatureVersion, Registry, RegistryError};

use crate::settings::Settings;

/// A declared feature with the version that its definition has, or will have once something runs with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The feature.
    pub spec: FeatureSpec,
    /// Whether the control database holds this version already.
    pub is_defined: bool,
}

/// Gives each declared feature its version, writing down the definitions that are new. For what runs with them.
///
/// # Errors
/// A feature that cannot be; the database's.
pub fn define(registry: &Registry, settings: &Settings) -> Result<Vec<FeatureSpec>, RegistryError> {
    let mut specs = settings.features()?;
    for spec in &mut specs {
        spec.version = registry.define(&spec.name, &to_text(&spec.definition))?;
    }
    Ok(specs)
}

/// As [`define`], but writes nothing; without a control database everything is about to be version 1.
///
/// # Errors
/// As for [`define`].
pub fn resolve(registry: Option<&Registry>, settings: &Settings) -> Result<Vec<Resolved>, RegistryError> {
    let version_of = |spec: &FeatureSpec| match registry {
        Some(registry) => registry.version_of(&spec.name, &to_text(&spec.definition)),
        None => Ok((1, false)),
    };
    let resolved = settings.features()?.into_iter().map(|mut spec| {
        let (version, is_defined) = version_of(&spec)?;
        spec.version = version;
        Ok(Resolved { spec, is_defined })
    });
    resolved.collect()
}

/// The features to compute: the `current` ones, and behind them, by name and version, those older versions that are
/// `needed` (`NAME@VERSION`) by an artifact that was trained on them.
///
/// An older version that cannot be computed, because it was never defined here or the domain has changed under it, is left
/// out: the model that needs it is refused when it is loaded, which is no reason for the rest not to run.
///
/// # Errors
/// The database's.
pub fn active(
    registry: &Registry,
    current: Vec<FeatureSpec>,
    needed: &[String],
    schema: &Schema,
) -> Result<Vec<FeatureSpec>, RegistryError> {
    let labels: BTreeSet<CompactString> = current.iter().map(FeatureSpec::label).collect();
    let mut older = Vec::new();
    for label in needed.iter().filter(|label| !labels.contains(label.as_str())) {
        match computable(registry, label, schema) {
            Ok(spec) => older.push(spec),
            Err(problem) if problem.kind() == ErrorKind::Caller => {
                tracing::warn!(feature = %label, %problem, "a champion's feature cannot be computed");
            }
            Err(error) => return Err(error),
        }
    }
    older.sort_by(|a, b| (&a.name, a.version).cmp(&(&b.name, b.version)));
    older.dedup_by(|a, b| (&a.name, a.version) == (&b.name, b.version));
    Ok([current, older].concat())
}

/// The feature of a label, as it was defined.
///
/// # Errors
/// A label that is none, or that names a version which was never defined or does not fit the domain; the database's.
pub fn computable(registry: &Registry, label: &str, schema: &Schema) -> Result<FeatureSpec, RegistryError> {
    let (name, version) = parse_label(label)?;
    let spec = spec(&registry.definition(name, version)?)?;
    spec.check(schema)?;
    Ok(spec)
}

/// The features, by name and version, that the champions of the settings' surfaces were trained on.
///
/// # Errors
/// The database's.
pub fn needed(registry: &Registry, settings: &Settings) -> Result<Vec<String>, RegistryError> {
    let mut labels = BTreeSet::new();
    for model in settings.models() {
        let champion = registry.champion(&model)?;
        labels.extend(champion.into_iter().flat_map(|champion| champion.manifest.features));
    }
    Ok(labels.into_iter().collect())
}

/// A definition as the control database holds it.
///
/// # Errors
/// A definition that a newer version of the code wrote and this one cannot read.
pub fn spec(version: &FeatureVersion) -> Result<FeatureSpec, Invalid> {
    let definition: Definition = serde_json::from_str(&version.definition).map_err(|error| {
        let expected = format!("a definition that this version of Headwater can read: {error}");
        Invalid::new("unreadable_definition", &version.name, &version.definition, expected)
    })?;
    Ok(FeatureSpec { name: version.name.as_str().into(), version: version.version, definition })
}

/// Splits `item_ctr_1h@2`.
///
/// # Errors
/// Anything else.
pub fn parse_label(label: &str) -> Result<(&str, u32), Invalid> {
    label
        .split_once('@')
        .and_then(|(name, version)| Some((name, version.parse().ok()?)))
        .ok_or_else(|| Invalid::new("invalid_label", "feature", label, "NAME@VERSION, as in item_ctr_1h@2"))
}

fn to_text(definition: &Definition) -> String {
    serde_json::to_string(definition).expect("a definition has text keys and no failing serialiser")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use headwater_base::Timestamp;
    use headwater_base::time::ManualClock;
    use headwater_registry::{Bundle, Manifest};

    use super::*;
    use crate::settings::load;

    fn settings(window: &str, price: &str) -> Settings {
        let text = format!(
            "[interactions.click]\n[items.fields]\nprice = \"numeric\"\ncost = \"numeric\"\n\
             [features.clicks]\nentity = \"item\"\naggregate = {{ count = \"click\" }}\nwindow = \"{window}\"\n\
             where = {{ value = {{ min = 0.1 }} }}\n[features.price]\nfield = \"{price}\"\n"
        );
        load::read("test", &text, &[]).unwrap().settings
    }

    fn labels(specs: &[FeatureSpec]) -> Vec<String> {
        specs.iter().map(|spec| spec.label().to_string()).collect()
    }

    #[test]
    fn an_edit_is_a_new_version_and_the_old_one_stays_for_who_needs_it() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(folder.path(), Arc::new(ManualClock::at(Timestamp::EPOCH))).unwrap();
        let (hour, day) = (settings("1h", "item.price"), settings("1d", "item.price"));
        let first = define(&registry, &hour).unwrap();
        assert_eq!(labels(&first), ["clicks@1", "price@1"]);
        let edited = define(&registry, &day).unwrap();
        assert_eq!(labels(&edited), ["clicks@2", "price@1"]);
        assert_eq!(define(&registry, &hour).unwrap(), first);

        let active = |needed: &[&str]| {
            let needed: Vec<String> = needed.iter().map(|label| (*label).to_owned()).collect();
            super::active(&registry, edited.clone(), &needed, &hour.schema()).unwrap()
        };
        assert_eq!(active(&[]), edited);
        assert_eq!(active(&["clicks@2", "price@1"]), edited);
        let both = active(&["clicks@1", "clicks@1", "clicks@2"]);
        assert_eq!(labels(&both), ["clicks@2", "price@1", "clicks@1"]);
        // The old definition comes back as it was, numbers included.
        assert_eq!(both[2], first[0]);

        assert_eq!(active(&["clicks@3", "clicks", "clicks@1"]), both);
        let told = |label, schema: &Schema| computable(&registry, label, schema).unwrap_err().to_string();
        assert_eq!(told("clicks@3", &hour.schema()), "feature `clicks` has no version 3; the latest is 2");
        assert!(told("clicks", &hour.schema()).contains("NAME@VERSION"));
        assert!(told("price@1", &Schema::default()).contains("item.price"));
    }

    #[test]
    fn resolving_says_what_would_be_and_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(folder.path(), Arc::new(ManualClock::at(Timestamp::EPOCH))).unwrap();
        let resolved = |settings: &Settings| {
            let resolved = resolve(Some(&registry), settings).unwrap();
            resolved.iter().map(|one| (one.spec.label().to_string(), one.is_defined)).collect::<Vec<_>>()
        };
        let label = |label: &str, is_defined| (label.to_owned(), is_defined);
        let hour = settings("1h", "item.price");
        assert_eq!(resolved(&hour), [label("clicks@1", false), label("price@1", false)]);
        assert_eq!(registry.definitions().unwrap(), []);
        define(&registry, &hour).unwrap();
        assert_eq!(
            resolved(&settings("1d", "item.price")),
            [label("clicks@2", false), label("price@1", true)]
        );
        assert_eq!(resolve(None, &hour).unwrap()[0].spec.version, 1);
    }

    #[test]
    fn champions_say_what_they_need() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(folder.path(), Arc::new(ManualClock::at(Timestamp::EPOCH))).unwrap();
        let settings = settings("1h", "item.price");
        let register = |features: &[&str]| {
            let features = features.iter().map(|label| (*label).to_owned()).collect();
            let manifest = Manifest { features, ..Manifest::default() };
            registry.register("ials", Bundle { manifest, files: Vec::new() }).unwrap().version
        };
        let version = register(&["price@1", "clicks@2"]);
        assert_eq!(needed(&registry, &settings).unwrap(), Vec::<String>::new());
        registry.promote("ials", version, "test").unwrap();
        register(&["clicks@7"]);
        assert_eq!(needed(&registry, &settings).unwrap(), ["clicks@2", "price@1"]);
    }
}
