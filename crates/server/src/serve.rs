//! Runs the routes on a listener until told to stop, then drains.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::app::App;
use crate::routes;

/// How often gathered histogram samples are folded.
const UPKEEP: Duration = Duration::from_secs(5);
/// Pause after a failed accept: out of descriptors, which only time mends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What ends a server otherwise than by being told to.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Requests were still under way when the drain time was over.
    #[error("requests were still under way after {0:?}; they were cut off")]
    CutOff(Duration),
}

/// Serves until `shutdown` resolves; then stops accepting, lets the requests under way finish within the drain time
/// and closes idle connections.
///
/// # Errors
/// [`ServeError::CutOff`] where the drain time was not enough.
pub async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let limits = *app.limits();
    let router = routes::router(&app);
    let connections = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout).half_close(false);

    let upkeep = tokio::spawn({
        let app = Arc::clone(&app);
        async move {
            let mut ticks = tokio::time::interval(UPKEEP);
            loop {
                ticks.tick().await;
                app.metrics.fold();
            }
        }
    });

    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        let (stream, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Replies are written whole; waiting to fill packets would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }

    app.drain();
    drop(listener);
    let drained = tokio::time::timeout(limits.drain, graceful.shutdown()).await;
    upkeep.abort();
    drained.map_err(|_| ServeError::CutOff(limits.drain))
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> std::io::Result<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}
