//! What can be typed: the commands and the flags they share. Plain data; nothing is opened or read here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Real-time recommendations: events in, answers that already know the last event out.
#[derive(Debug, Parser)]
#[command(name = "headwater", version, max_term_width = 100, propagate_version = true)]
pub struct Arguments {
    /// Flags of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Heading of the flags that every command takes, so that a command's own come first.
const EVERYWHERE: &str = "Options of every command";

/// Flags of every command.
#[derive(Clone, Debug, Args)]
pub struct GlobalArgs {
    /// Folder that holds the log, views, models and keys [default: headwater-data; `demo`: a temporary one].
    #[arg(long, help_heading = EVERYWHERE, global = true, value_name = "DIR", env = "HEADWATER_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Settings file [default: headwater.toml in the data folder, else in the current folder].
    #[arg(long, help_heading = EVERYWHERE, global = true, value_name = "FILE", env = "HEADWATER_SETTINGS")]
    pub settings: Option<PathBuf>,
    /// Print exactly one JSON document on standard output, and nothing else there.
    #[arg(long, help_heading = EVERYWHERE, global = true)]
    pub json: bool,
    /// No progress and no notes on standard error.
    #[arg(long, short, help_heading = EVERYWHERE, global = true)]
    pub quiet: bool,
    /// What is logged on standard error: error, warn, info, debug, trace, or a filter such as `headwater_log=debug`
    /// [default: info; `demo` and `bench`: warn].
    #[arg(long, help_heading = EVERYWHERE, global = true, value_name = "FILTER", env = "HEADWATER_LOG")]
    pub log: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the whole platform at work, with a simulated population or with real interactions replayed.
    Demo(super::demo::DemoArgs),
    /// Measure this machine: training, ingest, answers, freshness, import.
    Bench(super::bench::BenchArgs),
    /// Write a settings file to start from.
    Init(super::init::InitArgs),
    /// Check the settings and print what is in effect.
    Check(super::check::CheckArgs),
    /// Run the platform on a data folder, until SIGINT or SIGTERM.
    Serve(super::serve::ServeArgs),
    /// Bring files into the log.
    Import(super::import::ImportArgs),
    /// Write events of the log, or training examples, as JSON lines or Parquet.
    Export(super::export::ExportArgs),
    /// Keep the log as Parquet, partitioned by day.
    Archive(super::archive::ArchiveArgs),
    /// Delete a user, and erase what is known of them from every file.
    Erase(super::erase::EraseArgs),
    /// Train a model on the whole log, and register it.
    Train(super::train::TrainArgs),
    /// Say how good a model is on a data set.
    Evaluate(super::evaluate::EvaluateArgs),
    /// What is registered, what serves, and how it came to be.
    Models(super::models::ModelsArgs),
    /// What is declared about users, items and moments, and every definition it has had.
    Features(super::features::FeaturesArgs),
    /// Who may call, and what for.
    Keys(super::keys::KeysArgs),
}

impl Command {
    /// What is logged where nothing is said: what draws a live view is not written over.
    pub fn default_log(&self) -> &'static str {
        match self {
            Self::Demo(_) | Self::Bench(_) => "warn",
            _ => "info",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }
}
