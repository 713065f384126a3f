//! SIGINT and SIGTERM during long commands: the first asks to stop cleanly, the second stops at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code of a process stopped by SIGINT.
const INTERRUPTED: i32 = 130;

/// Resolves at the next SIGINT or SIGTERM.
pub async fn signalled() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! {
                    _ = interrupt => {}
                    _ = terminate.recv() => {}
                }
            }
            Err(error) => {
                tracing::warn!(%error, "SIGTERM cannot be caught; SIGINT can");
                let _ = interrupt.await;
            }
        }
    }
    #[cfg(not(unix))]
    {
        let _ = interrupt.await;
    }
}

/// A flag that the first signal sets; the second one ends the process.
///
/// # Errors
/// The system gives no thread or no signals.
pub fn flag() -> std::io::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async {
            signalled().await;
            set.store(true, Ordering::Relaxed);
            tracing::info!("stopping; press again to stop at once");
            signalled().await;
            std::process::exit(INTERRUPTED);
        });
    })?;
    Ok(flag)
}
