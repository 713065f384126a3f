//! What every command works with, built from the parsed flags.

use std::path::PathBuf;
use std::sync::Arc;

use headwater_base::Clock;
use headwater_registry::Registry;
use miette::{IntoDiagnostic as _, WrapErr as _, miette};

use super::args::GlobalArgs;
use super::failure::Failure;
use crate::clock::SystemClock;
use crate::output::Output;
use crate::settings::overrides::{self, Override};
use crate::settings::{self, Loaded};

/// The data folder where none is asked for.
const DATA_DIR: &str = "headwater-data";

/// What every command works with.
pub struct Context {
    /// How results are printed.
    pub output: Output,
    /// The folder that holds everything.
    pub data_dir: PathBuf,
    /// The same, where it was asked for.
    pub chosen_data_dir: Option<PathBuf>,
    /// The machine's clock.
    pub clock: Arc<dyn Clock>,
    settings_path: Option<PathBuf>,
    overrides: Vec<Override>,
}

impl Context {
    /// Reads the environment; opens nothing.
    pub fn new(global: GlobalArgs) -> Result<Self, Failure> {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let overrides = overrides::from_environment(variables)
            .map_err(|problem| Failure::from(miette!(code = "unknown_setting", "{problem}")))?;
        Ok(Self {
            output: Output::new(global.json, global.quiet),
            data_dir: global.data_dir.clone().unwrap_or_else(|| PathBuf::from(DATA_DIR)),
            chosen_data_dir: global.data_dir,
            clock: Arc::new(SystemClock),
            settings_path: global.settings,
            overrides,
        })
    }

    /// The file the settings are read from, if there is one.
    pub fn settings_file(&self) -> Option<PathBuf> {
        settings::find(self.settings_path.as_deref(), &self.data_dir)
    }

    /// The effective settings; an error that says how to get some where there is no file.
    pub fn settings(&self) -> Result<Loaded, Failure> {
        match self.settings_file() {
            Some(path) => Ok(settings::load(&path, &self.overrides)?),
            None => Err(miette!(
                code = "no_settings",
                help =
                    "write a file with `headwater init --template shop`, or name one with `--settings FILE`",
                "no settings: neither {} nor headwater.toml in the current folder exists",
                self.data_dir.join(settings::load::FILE_NAME).display()
            )
            .into()),
        }
    }

    /// Settings compiled into the binary, with the overrides of the environment.
    pub fn built_in_settings(&self, text: &str) -> Result<Loaded, Failure> {
        Ok(settings::load::read("built-in settings", text, &self.overrides)?)
    }

    /// The models and keys of the data folder where there are any; makes nothing.
    pub fn existing_registry(&self) -> Result<Option<Registry>, Failure> {
        if self.data_dir.join("control.db").is_file() { self.registry().map(Some) } else { Ok(None) }
    }

    /// The models and keys of the data folder.
    pub fn registry(&self) -> Result<Registry, Failure> {
        std::fs::create_dir_all(&self.data_dir)
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot create the data folder {}", self.data_dir.display()))?;
        Ok(Registry::open(&self.data_dir, Arc::clone(&self.clock))?)
    }
}
