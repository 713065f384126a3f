//! Finds and reads the settings, and remembers where each value came from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use miette::{IntoDiagnostic as _, Result, WrapErr as _, miette};
use serde::Deserialize as _;
use toml::Table;
use toml::de::DeTable;

use super::overrides::{self, Override};
use super::problem::{InvalidSettings, Problem};
use super::{Settings, shape};

/// The file's name in the data directory and in the current directory.
pub const FILE_NAME: &str = "headwater.toml";

/// Where the effective value of a key came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Written in the file.
    File,
    /// Not said: the documented default.
    Default,
    /// A flag or an environment variable, by its name.
    Override(String),
}

/// The effective settings.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The file they were read from; `None` for settings that are compiled in (`demo`, `bench`).
    pub path: Option<PathBuf>,
    /// The values.
    pub settings: Settings,
    written: Table,
    overridden: BTreeMap<String, String>,
}

impl Loaded {
    /// Settings that come from no file.
    pub fn built_in(text: &str) -> Result<Self> {
        read("built-in settings", text, &[])
    }

    /// Where the value at `path` came from.
    pub fn origin(&self, path: &str) -> Origin {
        if let Some(variable) = self.overridden.get(path) {
            return Origin::Override(variable.clone());
        }
        let mut names = path.split('.');
        let last = names.next_back().unwrap_or_default();
        let mut table = Some(&self.written);
        for name in names {
            table = table.and_then(|table| table.get(name)).and_then(toml::Value::as_table);
        }
        if table.is_some_and(|table| table.contains_key(last)) { Origin::File } else { Origin::Default }
    }

    /// The overridden keys and what overrides them.
    pub fn overridden(&self) -> &BTreeMap<String, String> {
        &self.overridden
    }
}

/// The settings file to use: the one asked for, else the data directory's own, else the current directory's.
pub fn find(asked: Option<&Path>, data_dir: &Path) -> Option<PathBuf> {
    if let Some(path) = asked {
        return Some(path.to_owned());
    }
    [data_dir.join(FILE_NAME), PathBuf::from(FILE_NAME)].into_iter().find(|path| path.is_file())
}

/// Reads `path` and lays `overrides` over it.
pub fn load(path: &Path, overrides: &[Override]) -> Result<Loaded> {
    let text = std::fs::read_to_string(path)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot read the settings {}", path.display()))?;
    let mut loaded = read(&path.display().to_string(), &text, overrides)?;
    loaded.path = Some(path.to_owned());
    Ok(loaded)
}

/// Reads settings from `text`, called `name` in reports.
pub fn read(name: &str, text: &str, overrides: &[Override]) -> Result<Loaded> {
    let invalid = |problems| InvalidSettings::new(name, text, problems);
    let (parsed, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let problems =
            errors.iter().map(|error| Problem::at(error.span().unwrap_or_default(), error.message()));
        return Err(invalid(problems.collect()).into());
    }
    let problems = shape::compare(parsed.get_ref(), Settings::json_schema());
    if !problems.is_empty() {
        return Err(invalid(problems).into());
    }
    let settings = toml::from_str::<Settings>(text).map_err(|error| {
        invalid(vec![Problem::at(error.span().unwrap_or_default(), first_line(error.message()))])
    })?;
    let written: Table = text.parse().into_diagnostic()?;
    let (settings, overridden) = lay_over(settings, &written, overrides)?;
    let problems: Vec<Problem> = settings
        .contradictions()
        .into_iter()
        .map(|(path, message)| {
            // Where no line is shown beside it, the message has to say which key is meant.
            let message = if message.contains(&path) { message } else { format!("`{path}`: {message}") };
            match overridden.get(&path) {
                Some(variable) => {
                    Problem { span: None, message: format!("{message} (set by {variable})"), help: None }
                }
                None => Problem::at(shape::locate(&parsed, &path), message),
            }
        })
        .collect();
    if let Some(problem) = problems.iter().find(|problem| problem.span.is_none()) {
        return Err(miette!("{}", problem.message));
    }
    if !problems.is_empty() {
        return Err(invalid(problems).into());
    }
    Ok(Loaded { path: None, settings, written, overridden })
}

fn lay_over(
    mut settings: Settings,
    written: &Table,
    overrides: &[Override],
) -> Result<(Settings, BTreeMap<String, String>)> {
    let mut table = written.clone();
    let mut overridden = BTreeMap::new();
    // One at a time, so that the one at fault is named.
    for each in overrides {
        if let Some(mistake) = overrides::mistakes(each).first() {
            return Err(miette!("{} is wrong: {mistake}", each.variable));
        }
        overrides::set(&mut table, &each.path, each.value.clone())
            .map_err(|problem| miette!("{} cannot be used: {problem}", each.variable))?;
        settings = Settings::deserialize(table.clone())
            .map_err(|error| miette!("{} is wrong: {}", each.variable, first_line(error.message())))?;
        overridden.insert(each.path.clone(), each.variable.clone());
    }
    Ok((settings, overridden))
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or(message)
}
