//! Peers from PyPI, in a throw-away virtual environment made by the benchmark itself.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::BenchError;

/// Variables that would pin OpenBLAS to another machine's kernels and so slow the peer down.
const UNSET: [&str; 3] = ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "PYTHONPATH"];

/// A virtual environment with one peer in it.
#[derive(Debug)]
pub struct Environment {
    python: PathBuf,
}

impl Environment {
    /// Makes the environment `name` with `packages` (`implicit==0.7.3`) in the folder for temporary files, or takes
    /// the one an earlier run left there. The error is one line that says why there is no peer.
    pub fn prepare(name: &str, packages: &[&str]) -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("headwater-peer-{name}"));
        let python = folder.join("bin").join("python");
        let complete = folder.join("complete");
        if complete.is_file() && python.exists() {
            return Ok(Self { python });
        }
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))
            .map_err(|reason| format!("no Python environment: {reason}"))?;
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:"])
            .args(packages))
        .map_err(|reason| format!("{} cannot be had from PyPI: {reason}", packages.join(", ")))?;
        std::fs::write(&complete, packages.join("\n")).map_err(|error| error.to_string())?;
        Ok(Self { python })
    }

    /// Starts a script that answers orders, one JSON line each.
    pub fn start(&self, script: &str, folder: &Path, arguments: &[String]) -> Result<Peer, BenchError> {
        let file = folder.join("peer.py");
        std::fs::write(&file, script).map_err(BenchError::io("writing the peer's script"))?;
        let mut command = Command::new(&self.python);
        command.arg(&file).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        for variable in UNSET {
            command.env_remove(variable);
        }
        let mut child = command.spawn().map_err(BenchError::io("starting the peer"))?;
        let (Some(orders), Some(replies)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(BenchError::Answer("the peer has no standard streams".into()));
        };
        Ok(Peer { child, orders, replies: BufReader::new(replies) })
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{} cannot be run ({error})", command.get_program().to_string_lossy()))?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(errors.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason given").to_owned())
}

/// A running peer; killed when dropped.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    orders: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl Peer {
    /// The peer's next line.
    pub fn reply(&mut self) -> Result<serde_json::Value, BenchError> {
        let mut line = String::new();
        self.replies.read_line(&mut line).map_err(BenchError::io("reading from the peer"))?;
        serde_json::from_str(&line).map_err(|_| BenchError::Answer(format!("the peer said {line:?}")))
    }

    /// Gives an order and waits for its reply.
    pub fn order(&mut self, order: &serde_json::Value) -> Result<serde_json::Value, BenchError> {
        writeln!(self.orders, "{order}").map_err(BenchError::io("writing to the peer"))?;
        self.reply()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing is left behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
