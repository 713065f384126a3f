//! The platform of a demo: opened in this process, listening on a free port, and trained from its own log.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_base::Clock;
use headwater_log::LogReader;
use headwater_registry::{Lineage, Registry};
use headwater_training::{ModelKind, train};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Trainer;
use super::error::DemoError;
use crate::interrupt;
use crate::platform::{Layout, Platform, PlatformOptions};
use crate::settings::{Loaded, Settings};

/// A platform that runs.
pub struct Hosted {
    platform: Platform,
    settings: Settings,
    runtime: Runtime,
    server: JoinHandle<Result<(), headwater_server::ServeError>>,
    stop: oneshot::Sender<()>,
    address: SocketAddr,
    data_dir: PathBuf,
    /// Removed when dropped, after everything else is.
    _folder: Option<TempDir>,
}

impl Hosted {
    /// Opens the platform in `data_dir`, or in a temporary folder, and listens where the settings say.
    pub fn start(
        settings: &str,
        data_dir: Option<PathBuf>,
        clock: &Arc<dyn Clock>,
        seed: u64,
    ) -> Result<Self, DemoError> {
        let platform_error = |error: &dyn std::fmt::Display| DemoError::Platform(error.to_string());
        let settings = Loaded::built_in(settings).map_err(|error| platform_error(&error))?.settings;
        let folder = match data_dir {
            Some(_) => None,
            None => Some(
                tempfile::Builder::new()
                    .prefix("headwater-demo-")
                    .tempdir()
                    .map_err(DemoError::io("making a temporary folder"))?,
            ),
        };
        let data_dir = data_dir.or_else(|| Some(folder.as_ref()?.path().to_owned())).unwrap_or_default();
        let options = PlatformOptions { open: true, seed };
        let platform =
            Platform::open(&settings, &data_dir, options, clock).map_err(|error| platform_error(&error))?;
        let runtime = Runtime::new().map_err(DemoError::io("starting the server"))?;
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind(&settings.server.listen))
            .map_err(DemoError::io("taking a free port"))?;
        let address = listener.local_addr().map_err(DemoError::io("taking a free port"))?;
        let (stop, stopped) = oneshot::channel::<()>();
        let app = Arc::clone(&platform.app);
        let server = runtime.spawn(headwater_server::serve(listener, app, async move {
            // A dropped sender means the same: stop.
            let _ = stopped.await;
        }));
        Ok(Self { platform, settings, runtime, server, stop, address, data_dir, _folder: folder })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Trains from the log of this platform.
    pub fn trainer(&self) -> Arc<dyn Trainer> {
        Arc::new(LogTrainer {
            events: Layout::of(&self.data_dir).events,
            settings: self.settings.clone(),
            registry: Arc::clone(&self.platform.registry),
        })
    }

    /// Where its data is.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Blocks until SIGINT or SIGTERM.
    pub fn until_interrupted(&self) {
        self.runtime.block_on(interrupt::signalled());
    }

    /// Drains the server, writes a checkpoint, closes the log.
    pub fn shutdown(self) -> Result<(), DemoError> {
        // The server may have ended by itself; then nobody listens to this.
        let _ = self.stop.send(());
        let served = self.runtime.block_on(self.server);
        let closed = self.platform.shutdown();
        match served {
            Ok(Ok(())) => closed.map_err(|error| DemoError::Platform(error.to_string())),
            Ok(Err(error)) => Err(DemoError::Platform(error.to_string())),
            Err(error) => Err(DemoError::Platform(error.to_string())),
        }
    }
}

/// Does what `headwater train --promote` does, in this process.
struct LogTrainer {
    events: PathBuf,
    settings: Settings,
    registry: Arc<Registry>,
}

impl Trainer for LogTrainer {
    fn train(&self) -> Result<String, DemoError> {
        fn failed(error: impl std::fmt::Display) -> DemoError {
            DemoError::Platform(format!("training failed: {error}"))
        }
        let reader = LogReader::open(&self.events).map_err(failed)?;
        let lineage = Lineage {
            log_from: vec![reader.start()],
            log_to: vec![reader.end()],
            settings: format!("{:016x}", self.settings.hash()),
            ..Lineage::default()
        };
        let events = reader.events_from(reader.start()).map(|entry| entry.map(|(_, event)| event));
        let options = self.settings.training.ials.options();
        let trained =
            train::train(ModelKind::Ials, &self.settings.schema(), events, &options, lineage, &mut |_| {})
                .map_err(failed)?;
        let version = self.registry.register(ModelKind::Ials.name(), trained.bundle).map_err(failed)?;
        self.registry.promote(&version.name, version.version, "headwater demo").map_err(failed)?;
        Ok(format!("{}@{}", version.name, version.version))
    }
}
