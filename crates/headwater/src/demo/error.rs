//! What can go wrong with a demo.

use headwater_base::ErrorKind;

use crate::bench::client::ClientError;

/// Why a demo ended early.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The command line asks for something that is not there.
    #[error("{0}")]
    Usage(String),
    /// The platform did not start, or training failed.
    #[error("{0}")]
    Platform(String),
    /// A folder or a socket failed.
    #[error("{doing}: {error}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the operating system said.
        error: std::io::Error,
    },
    /// The server did not answer as it should.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server answered with something that cannot be read.
    #[error("unexpected answer: {0}")]
    Answer(String),
}

impl DemoError {
    /// For `map_err` on I/O.
    pub fn io(doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::Io { doing, error }
    }

    /// What the one who ran the command should do next.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Usage(_) => ErrorKind::Caller,
            Self::Io { .. } => ErrorKind::Retry,
            Self::Platform(_) | Self::Client(_) | Self::Answer(_) => ErrorKind::Report,
        }
    }
}
