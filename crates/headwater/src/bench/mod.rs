//! `headwater bench`: load generators and peers on this machine, and what they measured as named figures.
//!
//! The load comes from this process, on one thread; the server is a process of its own, started from the same
//! binary. What each benchmark means and what it gave is in `docs/benchmarks.md`.

pub mod client;
pub mod error;
pub mod features;
pub mod freshness;
pub mod ials;
pub mod import;
pub mod index;
pub mod ingest;
pub mod interactions;
pub mod knobs;
pub mod latency;
pub mod load;
pub mod loaded;
pub mod peer;
pub mod report;
pub mod serve;
pub mod sessions;
pub mod traffic;
pub mod workspace;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use headwater_training::presets::Preset;

pub use error::BenchError;
use knobs::Knobs;
use report::Report;

/// The benchmarks there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Bench {
    /// Training of the factorisation, beside `implicit` [Gowalla, or another data set in its format].
    Ials,
    /// Events in over HTTP, batched and one by one; what was acknowledged is looked for after a kill.
    Ingest,
    /// Answers out over HTTP beside a steady stream of events, without and with the cache (Gowalla).
    Serve,
    /// Answers to sessions over HTTP, with every decision logged and without (Diginetica).
    Sessions,
    /// From an event's acknowledgement to a changed answer (Gowalla).
    Freshness,
    /// Declared features folded and read, beside Polars [made-up events, MovieLens-1M].
    Features,
    /// The best of a million made-up items, exactly and through clusters: recall, rate, inserts, memory.
    Index,
    /// A data set into an empty log, and the start of a server on it [MovieLens-1M].
    Import,
}

/// Flags of `bench`.
#[derive(Clone, Debug, Args)]
pub struct BenchArgs {
    /// What to measure.
    bench: Bench,
    /// Folder of the data set [default: HEADWATER_DATA, or the folder `gowalla`, `diginetica` or `ml-1m-seq` below it].
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Format of the data set.
    #[arg(long, value_name = "PRESET")]
    preset: Option<Preset>,
    /// Sizes and lengths, such as `runs=5`, `seconds=10`, `connections=16`, `factors=64,128`; repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// Runs a benchmark; its data folders are made in the current directory and removed.
pub fn run(arguments: &BenchArgs, data_root: Option<&Path>) -> Result<Report, BenchError> {
    let knobs = Knobs::parse(&arguments.set)?;
    let data = |folder: &str| -> Result<PathBuf, BenchError> {
        let below = |root: &Path| Some(root.join(folder)).filter(|path| path.exists());
        let chosen = arguments.data.clone();
        let found = chosen.or_else(|| below(data_root?).or_else(|| data_root.map(Path::to_owned)));
        let path = found.ok_or_else(|| {
            BenchError::Usage(format!(
                "no data: name the folder of {folder} with --data, or set HEADWATER_DATA"
            ))
        })?;
        if path.exists() {
            Ok(path)
        } else {
            Err(BenchError::Usage(format!("{} is not there", path.display())))
        }
    };
    let preset = |default| arguments.preset.unwrap_or(default);
    match arguments.bench {
        Bench::Ials => ials::run(&data("gowalla")?, knobs),
        Bench::Ingest => ingest::run(knobs),
        Bench::Serve => serve::run(preset(Preset::Split), &data("gowalla")?, knobs),
        Bench::Sessions => sessions::run(preset(Preset::Sessions), &data("diginetica")?, knobs),
        Bench::Freshness => freshness::run(preset(Preset::Split), &data("gowalla")?, knobs),
        Bench::Features => {
            let wanted = arguments.data.is_some() || data_root.is_some();
            let data = if wanted { Some(data("ml-1m-seq")?) } else { None };
            features::run(preset(Preset::Sequence), data.as_deref(), knobs)
        }
        Bench::Index => index::run(knobs),
        Bench::Import => import::run(preset(Preset::Sequence), &data("ml-1m-seq")?, knobs),
    }
}
