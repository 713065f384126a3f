//! The folder the lives have in common, and one life.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use headwater::clock::SystemClock;
use headwater_base::Schema;
use headwater_features::ViewsOptions;
use headwater_registry::Registry;

use crate::support;

/// A data folder with settings and a key.
pub(super) struct Site {
    inner: support::Site,
    pub(super) data: PathBuf,
    pub(super) key: String,
    log: PathBuf,
}

/// One life of the server; killed when dropped.
pub(super) struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Site {
    /// Makes settings from the shop's template, with segments and checkpoints small enough to be hit by kills.
    pub(super) fn create() -> Self {
        let inner = support::Site::of("shop");
        let text = std::fs::read_to_string(inner.path("headwater.toml")).expect("the settings");
        let text = text
            .replace("listen = \"127.0.0.1:7600\"", "listen = \"127.0.0.1:0\"")
            .replace("[views]\n", "[views]\ncheckpoint_events = 120\n");
        assert!(
            text.contains("127.0.0.1:0") && text.contains("checkpoint_events"),
            "the template changed:\n{text}"
        );
        let small = "\n[log]\nsegment_size = \"64KiB\"\n\n[decisions]\nsegment_size = \"64KiB\"\n";
        inner.write("headwater.toml", &(text + small));
        let created = inner.json(&["keys", "create", "crash-test", "--scopes", "ingest,read,admin"]);
        let key = created["secret"].as_str().expect("a secret").to_owned();
        Self { data: inner.path("headwater-data"), log: inner.path("log"), inner, key }
    }

    /// What the server folds its views with.
    pub(super) fn views(&self) -> (Arc<Schema>, ViewsOptions) {
        let settings = headwater::settings::load(&self.inner.path("headwater.toml"), &[]);
        let settings = settings.expect("the settings").settings;
        let schema = Arc::new(settings.schema());
        // The definitions that the server wrote down, so that its checkpoints are read and its features are replayed.
        let registry = Registry::open(&self.data, Arc::new(SystemClock)).expect("the control database");
        let plan = headwater::platform::plan(&registry, &settings, &schema).expect("the template's features");
        assert!(!plan.is_empty(), "the template declares no features");
        (schema, ViewsOptions { plan, ..settings.views_options() })
    }

    /// Starts a server, which may not be listening yet.
    pub(super) fn spawn(&self) -> Server {
        let log = OpenOptions::new().create(true).append(true).open(&self.log).expect("a file for its log");
        let mut serve = self.inner.command(&["serve"]);
        let mut child = serve.stdout(Stdio::piped()).stderr(log).spawn().expect("headwater serve");
        let output = BufReader::new(child.stdout.take().expect("its standard output"));
        Server { child, output }
    }

    /// Starts a server and waits until it listens.
    pub(super) fn start(&self) -> (Server, SocketAddr) {
        let mut server = self.spawn();
        let address = server.address().unwrap_or_else(|| {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            panic!("the server ended instead of listening:\n{log}")
        });
        (server, address)
    }
}

impl Server {
    /// Waits for the line that says where it listens; `None` if it ends instead.
    pub(super) fn address(&mut self) -> Option<SocketAddr> {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the server's output");
        let (_, address) = line.trim_end().split_once("listens on http://")?;
        Some(address.parse().unwrap_or_else(|_| panic!("no address: {line}")))
    }

    /// SIGKILL: nothing in the process gets to run again.
    pub(super) fn kill(&mut self) {
        self.child.kill().expect("killing the server");
        self.child.wait().expect("the server's end");
    }

    /// SIGTERM, which asks it to finish its work; returns whether it said that all was well.
    pub(super) fn stop(mut self) -> bool {
        let pid = self.child.id().to_string();
        let asked = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &pid]).status();
        assert!(asked.expect("a shell").success());
        self.child.wait().expect("the server's end").success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
