//! What can go wrong with a benchmark.

use headwater_base::ErrorKind;
use headwater_models::ModelError;

use super::client::ClientError;

/// Why a benchmark gave no figures.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The command line asks for something that is not there.
    #[error("{0}")]
    Usage(String),
    /// A file, a process or a socket failed.
    #[error("{doing}: {error}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the operating system said.
        error: std::io::Error,
    },
    /// A command of ours that the benchmark runs failed.
    #[error("`{command}` failed{}", quoted(.output))]
    Command {
        /// The command line.
        command: String,
        /// The end of what it wrote to standard error.
        output: String,
    },
    /// The load generator got something other than an answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server answered with something the benchmark cannot read, or that is wrong.
    #[error("unexpected answer: {0}")]
    Answer(String),
}

impl From<ModelError> for BenchError {
    fn from(error: ModelError) -> Self {
        Self::Answer(error.to_string())
    }
}

impl BenchError {
    /// For `map_err` on I/O.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |error| Self::Io { doing, error }
    }

    /// What the one who ran the command should do next.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Usage(_) => ErrorKind::Caller,
            Self::Io { .. } | Self::Client(ClientError::Connection(_)) => ErrorKind::Retry,
            Self::Command { .. } | Self::Client(_) | Self::Answer(_) => ErrorKind::Report,
        }
    }
}

fn quoted(output: &str) -> String {
    if output.is_empty() { String::new() } else { format!(":\n{}", output.trim_end()) }
}
