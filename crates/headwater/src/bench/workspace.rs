//! A data folder of a benchmark's own, the commands of this very binary that fill it, and the server on it.
//!
//! The server is a process of its own, so that its memory is its own and the load generator shares nothing with it
//! but the cores. The folder lies in the current directory: where the benchmark is run says which disk it measures.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use headwater_base::Event;
use headwater_log::LogReader;
use serde_json::Value;
use tempfile::TempDir;

use super::BenchError;
use super::client::{Connection, prepare};
use crate::clock::Stopwatch;
use crate::platform::Layout;

/// A temporary data folder with its settings.
#[derive(Debug)]
pub struct Workspace {
    folder: TempDir,
    program: PathBuf,
}

impl Workspace {
    /// Makes the folder in the current directory and writes the settings there.
    pub fn create(settings: &str) -> Result<Self, BenchError> {
        let folder = tempfile::Builder::new()
            .prefix("headwater-bench-")
            .tempdir_in(".")
            .map_err(BenchError::io("making a folder in the current directory"))?;
        let program = std::env::current_exe().map_err(BenchError::io("finding this program"))?;
        let workspace = Self { folder, program };
        workspace.settings(settings)?;
        Ok(workspace)
    }

    /// The data folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces the settings; a running server keeps its own.
    pub fn settings(&self, settings: &str) -> Result<(), BenchError> {
        std::fs::write(self.path().join("headwater.toml"), settings)
            .map_err(BenchError::io("writing the settings"))
    }

    /// Bytes the folder takes on the disk.
    pub fn bytes(&self) -> u64 {
        fn below(folder: &Path) -> u64 {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries
                .filter_map(|entry| {
                    let metadata = entry.metadata().ok()?;
                    Some(if metadata.is_dir() { below(&entry.path()) } else { metadata.len() })
                })
                .sum()
        }
        below(self.path())
    }

    /// Reads every event of the log, as another process than the server would.
    pub fn each_event(&self, mut take: impl FnMut(&Event)) -> Result<(), BenchError> {
        let failed =
            |error: headwater_log::LogError| BenchError::Answer(format!("the log cannot be read: {error}"));
        let reader = LogReader::open(&Layout::of(self.path()).events).map_err(failed)?;
        for event in reader.events_from(reader.start()) {
            take(&event.map_err(failed)?.1);
        }
        Ok(())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .arg("--data-dir")
            .arg(self.path())
            .arg("--settings")
            .arg(self.path().join("headwater.toml"))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command of ours to its end and returns the document it prints.
    pub fn run(&self, arguments: &[&str]) -> Result<Value, BenchError> {
        let shown = || format!("headwater {}", arguments.join(" "));
        let output = self
            .command(arguments)
            .args(["--json", "--quiet", "--log", "warn"])
            .output()
            .map_err(BenchError::io(format!("starting {}", shown())))?;
        if !output.status.success() {
            let output = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(BenchError::Command { command: shown(), output });
        }
        serde_json::from_slice(&output.stdout)
            .map_err(|error| BenchError::Answer(format!("{} printed no document: {error}", shown())))
    }

    /// A key that may send events and read answers.
    pub fn key(&self) -> Result<String, BenchError> {
        let created = self.run(&["keys", "create", "bench", "--scopes", "ingest,read"])?;
        match created["secret"].as_str() {
            Some(secret) => Ok(secret.to_owned()),
            None => Err(BenchError::Answer(format!("`keys create` gave no secret: {created}"))),
        }
    }

    /// Starts `serve` and waits until it is ready.
    pub fn serve(&self) -> Result<Server, BenchError> {
        let watch = Stopwatch::start();
        let child = self
            .command(&["serve", "--quiet", "--log", "warn"])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(BenchError::io("starting headwater serve"))?;
        let mut server = Server { child, address: ([127, 0, 0, 1], 0).into(), ready_after: Duration::ZERO };
        let Some(stdout) = server.child.stdout.take() else {
            return Err(BenchError::Answer("the server has no standard output".into()));
        };
        let mut said = BufReader::new(stdout);
        server.address = announced(&mut said)?;
        // Nothing more is expected there, but a full pipe would stop the server.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        super::load::runtime()?.block_on(ready(server.address))?;
        server.ready_after = watch.elapsed();
        Ok(server)
    }
}

/// The address in the line with which the server says where it listens. Its errors go to our standard error.
fn announced(output: &mut impl BufRead) -> Result<SocketAddr, BenchError> {
    let mut said = String::new();
    loop {
        let start = said.len();
        let read = output.read_line(&mut said).map_err(BenchError::io("reading from the server"))?;
        if read == 0 {
            return Err(BenchError::Command { command: "headwater serve".into(), output: said });
        }
        let address = said[start..]
            .split_once("http://")
            .and_then(|(_, rest)| rest.split(|c: char| c.is_whitespace() || c == '/').next()?.parse().ok());
        if let Some(address) = address {
            return Ok(address);
        }
    }
}

async fn ready(address: SocketAddr) -> Result<(), BenchError> {
    let watch = Stopwatch::start();
    let mut request = Vec::new();
    prepare(&mut request, "GET", "/health/ready", None, b"");
    loop {
        if let Ok(mut connection) = Connection::open(address).await
            && let Ok(reply) = connection.send(&request).await
            && reply.ok().is_ok()
        {
            return Ok(());
        }
        if watch.elapsed() > Duration::from_secs(120) {
            return Err(BenchError::Answer("the server was not ready after two minutes".into()));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until the metrics say what the index of a model is.
async fn indexed(address: SocketAddr) -> Result<(), BenchError> {
    let watch = Stopwatch::start();
    let mut request = Vec::new();
    prepare(&mut request, "GET", "/metrics", None, b"");
    let mut connection = Connection::open(address).await?;
    loop {
        let metrics = connection.send(&request).await?.ok()?;
        if String::from_utf8_lossy(metrics).contains("\nheadwater_index_recall{") {
            return Ok(());
        }
        if watch.elapsed() > Duration::from_secs(600) {
            return Err(BenchError::Answer(
                "the server had no index after ten minutes; `--set wait_for_index=false` does without".into(),
            ));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A running server; killed without warning when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    ready_after: Duration,
}

impl Server {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From the start of the process to the first ready answer.
    pub fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// Waits until the items of its model are searched through an index, and says how long that took.
    pub fn indexed(&self) -> Result<Duration, BenchError> {
        let watch = Stopwatch::start();
        super::load::runtime()?.block_on(indexed(self.address))?;
        Ok(watch.elapsed())
    }

    /// Memory the process holds now, in bytes.
    pub fn resident_bytes(&self) -> Result<u64, BenchError> {
        let path = format!("/proc/{}/status", self.child.id());
        let resident = headwater_training::memory::line(&path, "VmRSS");
        resident.ok_or_else(|| {
            BenchError::Answer("the system does not say how much memory the server holds".into())
        })
    }

    /// Kills the process with SIGKILL, as a crash would.
    pub fn kill(mut self) -> Result<(), BenchError> {
        self.child.kill().map_err(BenchError::io("killing the server"))?;
        self.child.wait().map_err(BenchError::io("waiting for the server"))?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `kill` there is nothing left to end; both calls then fail harmlessly.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_what_the_server_says() {
        let said = "A note.\nHeadwater listens on http://127.0.0.1:4711\nmore\n";
        assert_eq!(announced(&mut said.as_bytes()).unwrap(), ([127, 0, 0, 1], 4711).into());
        let failed = announced(&mut "the folder is locked\n".as_bytes()).unwrap_err();
        assert!(failed.to_string().contains("the folder is locked"), "{failed}");
    }
}
