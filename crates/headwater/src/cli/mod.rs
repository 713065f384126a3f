//! The command line: what was typed ([`args`]) becomes a [`Context`], a command runs, the exit code says how it went.

pub mod archive;
pub mod args;
pub mod bench;
pub mod check;
pub mod context;
pub mod demo;
pub mod erase;
pub mod evaluate;
pub mod export;
pub mod failure;
pub mod features;
pub mod import;
pub mod init;
pub mod keys;
pub mod logging;
pub mod models;
pub mod progress;
pub mod serve;
pub mod train;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

use args::{Arguments, Command};
use context::Context;
pub use failure::{Failure, usage};

/// Runs a command line and says how it went: 0 it worked, 1 it failed, 2 it was asked wrongly.
pub fn run(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    let arguments = match Arguments::try_parse_from(&args) {
        Ok(arguments) => arguments,
        Err(error) => return misread(&error, args.iter().any(|arg| arg == "--json")),
    };
    let Arguments { global, command } = arguments;
    logging::start(global.log.as_deref().unwrap_or(command.default_log()));
    let json = global.json;
    let outcome = Context::new(global).and_then(|context| dispatch(&context, command));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}

/// Says what clap has to say: help and version on standard output, mistakes on standard error, and with `json` as the
/// one document that scripts wait for.
fn misread(error: &clap::Error, json: bool) -> ExitCode {
    if error.use_stderr() && json {
        let text = error.render().to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        return usage(message, "see --help").report(true);
    }
    // Nothing can be done about a closed terminal.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { 2 } else { 0 })
}

fn dispatch(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo(args) => demo::run(context, &args),
        Command::Bench(args) => bench::run(context, &args),
        Command::Init(args) => init::run(context, &args),
        Command::Check(args) => check::run(context, &args),
        Command::Serve(args) => serve::run(context, &args),
        Command::Import(args) => import::run(context, &args),
        Command::Export(args) => export::run(context, &args),
        Command::Archive(args) => archive::run(context, &args),
        Command::Erase(args) => erase::run(context, &args),
        Command::Train(args) => train::run(context, &args),
        Command::Evaluate(args) => evaluate::run(context, &args),
        Command::Models(args) => models::run(context, &args),
        Command::Features(args) => features::run(context, &args),
        Command::Keys(args) => keys::run(context, &args),
    }
}
