//! The thread that erases deleted users, so that nobody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use headwater_base::ErrorKind;

use crate::erasure::Eraser;

/// How soon it is tried again where another process was archiving.
const AGAIN: Duration = Duration::from_secs(60);

/// The running thread.
pub(super) struct Erasing {
    stopped: Arc<AtomicBool>,
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Erasing {
    /// Starts the thread: what was interrupted, or asked for meanwhile, is done at once, and then every `period`.
    pub(super) fn start(eraser: Eraser, period: Duration) -> std::io::Result<Self> {
        let stopped = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stopped);
        let (stop, wait) = channel();
        let thread = std::thread::Builder::new().name("erasure".into()).spawn(move || {
            loop {
                // What failed is tried again the next time; until then the users are out of every answer all the same.
                let mut pause = period;
                if let Err(error) = eraser.run(&|| !told.load(Ordering::Relaxed)) {
                    tracing::error!(%error, "deleted users are not erased from all files yet");
                    if error.kind() == ErrorKind::Retry {
                        pause = period.min(AGAIN);
                    }
                }
                if wait.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
        Ok(Self { stopped, stop, thread })
    }

    /// Ends the thread after the segment it works on, and waits for it.
    pub(super) fn stop(self) {
        self.stopped.store(true, Ordering::Relaxed);
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the thread that erases had panicked");
        }
    }
}
