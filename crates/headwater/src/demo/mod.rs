//! `headwater demo`: the whole platform in one process, with a simulated population, or real interactions replayed,
//! acting on it through its HTTP interface.
//!
//! The platform is the one `serve` runs, on an embedded store in a temporary folder (or `--data-dir`), open to
//! anybody on this machine, on a free port. The demo trains the model itself, from the log, while the server serves.

pub mod caller;
pub mod error;
pub mod hosted;
pub mod population;
pub mod replay;
pub mod screen;
pub mod simulated;
pub mod tally;
pub mod visit;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use headwater_base::Clock;
use headwater_training::presets::Preset;
use serde::Serialize;

pub use error::DemoError;
use hosted::Hosted;
use population::PopulationOptions;
use replay::ReplayResult;
use screen::Screen;
use simulated::{SimulatedOptions, SimulatedResult};

/// Trains on what the log holds, registers and promotes; returns `name@version`.
pub trait Trainer: Send + Sync {
    /// Blocks while it trains; the server takes the new model within a second.
    fn train(&self) -> Result<String, DemoError>;
}

/// Flags of `demo`.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// Length of the live part.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = clap::value_parser!(u64).range(1..=110))]
    seconds: u64,
    /// What the simulated population follows from: the same seed and answers give the same clicks.
    #[arg(long, default_value_t = PopulationOptions::default().seed)]
    seed: u64,
    /// Simulated users.
    #[arg(long, default_value_t = PopulationOptions::default().users, conflicts_with = "data")]
    users: usize,
    /// Simulated items at the start.
    #[arg(long, default_value_t = PopulationOptions::default().items, conflicts_with = "data")]
    items: usize,
    /// Replay real interactions from this folder instead of simulating any.
    #[arg(long, value_name = "DIR", requires = "preset")]
    data: Option<PathBuf>,
    /// Format of the real interactions: movielens, split, sequence, sessions, online-retail.
    #[arg(long, value_name = "NAME", requires = "data")]
    preset: Option<Preset>,
    /// Leave the server up afterwards, until Ctrl-C.
    #[arg(long)]
    keep: bool,
}

/// What a demo showed.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum DemoResult {
    /// With a simulated population.
    Simulated(SimulatedResult),
    /// With real interactions.
    Replay(ReplayResult),
}

impl DemoResult {
    /// What it showed, in words.
    pub fn text(&self) -> String {
        match self {
            Self::Simulated(result) => result.text(),
            Self::Replay(result) => result.text(),
        }
    }
}

/// A finished demo whose server may still be up.
pub struct Demo {
    /// What it showed.
    pub result: DemoResult,
    hosted: Hosted,
    keep: bool,
}

impl Demo {
    /// Runs it: in `data_dir`, or in a temporary folder. `live` draws on standard error while it runs.
    pub fn run(
        args: &DemoArgs,
        data_dir: Option<PathBuf>,
        clock: &Arc<dyn Clock>,
        live: bool,
    ) -> Result<Self, DemoError> {
        let hosted = Hosted::start(&settings(args.preset), data_dir, clock, args.seed)?;
        let address = hosted.address();
        let mut screen = Screen::new(live);
        screen.say(&format!(
            "Headwater is up on http://{address}, its data in {}, open to this machine.",
            hosted.data_dir().display()
        ));
        let length = Duration::from_secs(args.seconds);
        let trainer = hosted.trainer();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(DemoError::io("starting the simulation"))?;
        let result = runtime.block_on(async {
            match args.data.as_deref().zip(args.preset) {
                Some((data, preset)) => replay::run(address, preset, data, length, trainer, &mut screen)
                    .await
                    .map(DemoResult::Replay),
                None => {
                    let population = PopulationOptions {
                        seed: args.seed,
                        users: args.users.max(1),
                        items: args.items.max(simulated::FEWEST_ITEMS),
                        ..PopulationOptions::default()
                    };
                    let options = SimulatedOptions { population, length };
                    simulated::run(address, options, trainer, &mut screen).await.map(DemoResult::Simulated)
                }
            }
        })?;
        Ok(Self { result, hosted, keep: args.keep })
    }

    /// What to try next, as commands that work as they stand.
    pub fn next(&self) -> String {
        let address = self.hosted.address();
        let (who, item) = match &self.result {
            DemoResult::Simulated(_) => {
                (r#""user":"user-0007""#.to_owned(), r#""type":"click","item":"item-0042""#.to_owned())
            }
            DemoResult::Replay(result) => (result.somebody(), result.something()),
        };
        let mut text = String::from("What to try next:\n\n");
        if self.keep {
            text.push_str(&format!(
                "  curl -s http://{address}/v1/recommend?explain=true -H content-type:application/json \\\n    \
                 -d '{{\"surface\":\"home\",{who},\"limit\":5}}'\n  \
                 curl -s http://{address}/v1/events -H content-type:application/json \\\n    \
                 -d '{{{item},{who}}}'     # then ask again: the answer has changed\n  \
                 curl -s http://{address}/metrics\n\n\
                 The server is up until Ctrl-C.\n"
            ));
        } else {
            text.push_str(
                "  headwater demo --keep                                      # leaves the server up, to ask it yourself\n  \
                 headwater demo --data DIR --preset movielens               # real interactions instead\n  \
                 headwater init --template shop                             # settings of your own domain\n  \
                 headwater import events.jsonl                              # your own history\n  \
                 headwater train --model ials                               # and a model of it\n  \
                 headwater keys create app && headwater serve\n",
            );
        }
        text
    }

    /// Leaves the server up until Ctrl-C where `--keep` asks for it, then shuts down.
    pub fn finish(self) -> Result<(), DemoError> {
        if self.keep {
            self.hosted.until_interrupted();
        }
        self.hosted.shutdown()
    }
}

/// The settings of a demo: the simulated shop of one interaction type, or the preset's own domain.
fn settings(preset: Option<Preset>) -> String {
    let domain = match preset {
        Some(preset) => preset.settings(),
        None => {
            "[interactions.click]\nweight = 1.0\n\n[items.fields]\ncategory = \"categorical\"\n".to_owned()
        }
    };
    let seen = if preset.is_some_and(|preset| preset.schema().repeats) { "" } else { "\"seen\", " };
    format!(
        "{domain}\n[surfaces.home]\nsources = [\"ials\", \"neighbours\", \"trending\", \"popular\"]\n\
         filters = [{seen}\"available\"]\n\n[surfaces.popular]\nsources = [\"popular\"]\n\
         filters = [{seen}\"available\"]\n\n[training.ials]\nfactors = 32\n\n\
         [server]\nlisten = \"127.0.0.1:0\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Loaded;

    #[test]
    fn the_settings_of_every_demo_are_sound() {
        for preset in [None].into_iter().chain(Preset::ALL.map(Some)) {
            let text = settings(preset);
            assert!(Loaded::built_in(&text).is_ok(), "{preset:?}: {text}");
        }
    }
}
