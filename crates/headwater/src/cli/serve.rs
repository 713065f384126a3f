//! `headwater serve`: the whole platform on one folder, until SIGINT or SIGTERM.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use headwater_registry::Registry;
use miette::{IntoDiagnostic as _, WrapErr as _};
use serde::Serialize;
use tokio::net::TcpListener;

use super::context::Context;
use super::failure::{Failure, failed};
use crate::clock::Stopwatch;
use crate::interrupt::Signals;
use crate::output::thousands;
use crate::platform::{Platform, PlatformOptions};

/// Flags of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address and port to listen on; port 0 takes a free one [default: `server.listen` of the settings].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Write the port to this file once the server answers.
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,
    /// Answer everybody without a key. Only where nobody else can reach the port.
    #[arg(long)]
    open: bool,
}

#[derive(Serialize)]
struct Started {
    url: String,
    port: u16,
    data_dir: PathBuf,
    settings: Option<PathBuf>,
    ready_seconds: f64,
    events: u64,
    replayed_events: u64,
    torn_bytes: u64,
    items: usize,
    models: Vec<String>,
    open: bool,
}

pub(super) fn run(context: &Context, args: &ServeArgs) -> Result<(), Failure> {
    let watch = Stopwatch::start();
    let loaded = context.settings()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .into_diagnostic()
        .wrap_err("cannot start the server's threads")?;
    let address = args.listen.as_deref().unwrap_or(&loaded.settings.server.listen);
    // Before the data is opened: a port that is taken should not cost a replay.
    let listener = runtime.block_on(TcpListener::bind(address)).map_err(|error| {
        failed(
            "listen",
            format!("cannot listen on {address}: {error}"),
            "is another server running there? Choose another port with `--listen`, or port 0 for a free one",
        )
    })?;
    let port = listener.local_addr().into_diagnostic()?.port();
    let url = format!("http://{}", listener.local_addr().into_diagnostic()?);
    let options = PlatformOptions { open: args.open, seed: seed(context) };
    let platform = Platform::open(&loaded.settings, &context.data_dir, options, &context.clock)?;
    let opened = &platform.store.opened;
    let started = Started {
        url,
        port,
        data_dir: context.data_dir.clone(),
        settings: loaded.path.clone(),
        ready_seconds: watch.seconds(),
        events: opened.recovery.events(),
        replayed_events: opened.replayed,
        torn_bytes: opened.recovery.torn_bytes,
        items: platform.store.views.catalogue().len(),
        models: platform.engine.snapshot().models.values().map(|model| model.label().to_string()).collect(),
        open: args.open,
    };
    report(context, &started, &platform);
    if !args.open {
        warn_without_keys(context, &platform.registry)?;
    }
    let app = Arc::clone(&platform.app);
    let served = runtime.block_on(async {
        // Before anybody is told that the server is up: a signal right after must not kill it.
        let mut signals = Signals::catch().into_diagnostic().wrap_err("cannot catch signals")?;
        context.output.result(&started, || format!("Headwater listens on {}", started.url))?;
        if let Some(file) = &args.port_file {
            write_port(file, port)?;
        }
        let stop = async {
            signals.next().await;
            tracing::info!("stopping: no new connections, requests under way finish");
        };
        headwater_server::serve(listener, app, stop).await.into_diagnostic()
    });
    let closed = platform.shutdown();
    served?;
    closed?;
    tracing::info!("stopped");
    Ok(())
}

fn report(context: &Context, started: &Started, platform: &Platform) {
    let opened = &platform.store.opened;
    tracing::info!(log = %opened.recovery, "opened");
    tracing::info!(views = %opened.restored, replayed = opened.replayed, "folded");
    if started.models.is_empty() {
        context.output.note("No model serves yet: `headwater train --model ials` trains one; until then the worse rungs answer.");
    }
    tracing::info!(
        events = %thousands(started.events),
        items = %thousands(started.items as u64),
        models = %started.models.join(", "),
        seconds = started.ready_seconds,
        "ready"
    );
}

fn warn_without_keys(context: &Context, registry: &Registry) -> Result<(), Failure> {
    if registry.list_keys()?.iter().all(|key| key.revoked.is_some()) {
        context.output.note(
            "There is no key yet, so every request is refused: `headwater keys create LABEL` makes one.",
        );
    }
    Ok(())
}

/// Written beside and renamed, so that who waits for the file never reads half of it.
fn write_port(file: &PathBuf, port: u16) -> miette::Result<()> {
    let partial = file.with_extension("partial");
    std::fs::write(&partial, port.to_string())
        .and_then(|()| std::fs::rename(&partial, file))
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot write {}", file.display()))
}

/// Differs from start to start and from process to process, which is all that request ids need.
fn seed(context: &Context) -> u64 {
    let text = format!("{} {}", context.clock.now().as_micros(), std::process::id());
    headwater_base::random::stable_hash(&text)
}
