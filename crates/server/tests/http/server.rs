//! A whole server in a temporary folder: log, views, follower, engine, registry.

use std::net::SocketAddr;
use std::sync::Arc;

use headwater_base::schema::InteractionType;
use headwater_base::time::ManualClock;
use headwater_base::value::FieldType;
use headwater_base::{Clock, Schema, Timestamp};
use headwater_features::{Follower, FollowerOptions, Views, ViewsOptions};
use headwater_log::request_id::RequestIds;
use headwater_log::{DecisionLog, DecisionOptions, EmbeddedLog, EventLog, LogOptions};
use headwater_pipeline::{
    DecisionRecorder, Engine, EngineParts, FilterSpec, Snapshot, SourceSpec, Surface, SurfaceSpec,
};
use headwater_registry::{Registry, Scope};
use headwater_server::{App, AppParts, Limits, ServeError, serve};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::Client;

/// The moment all tests live in.
pub(crate) const NOW: &str = "2026-11-24T05:00:00Z";

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) registry: Arc<Registry>,
    pub(crate) log: Arc<EmbeddedLog>,
    pub(crate) follower: Arc<Follower>,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<Result<(), ServeError>>>,
    _folder: TempDir,
}

pub(crate) fn schema() -> Schema {
    Schema {
        interactions: [("click", 1.0), ("purchase", 5.0)]
            .map(|(name, weight)| (name.into(), InteractionType { weight }))
            .into(),
        items: [
            ("category", FieldType::Categorical),
            ("price", FieldType::Numeric),
            ("tags", FieldType::Tags),
        ]
        .map(|(name, field_type)| (name.into(), field_type))
        .into(),
        users: [("country".into(), FieldType::Categorical)].into(),
        context: [("device".into(), FieldType::Categorical)].into(),
        repeats: false,
    }
}

fn surface(name: &str, sources: &[&str], filters: &[&str]) -> SurfaceSpec {
    SurfaceSpec {
        sources: sources.iter().map(|word| SourceSpec::parse(word).unwrap()).collect(),
        filters: filters.iter().map(|word| FilterSpec::parse(word).unwrap()).collect(),
        ..SurfaceSpec::named(name)
    }
}

impl Server {
    /// A server that needs no keys, with the default limits.
    pub(crate) async fn open() -> Self {
        Self::start(Limits::default(), true).await
    }

    /// A server that needs keys.
    pub(crate) async fn closed() -> Self {
        Self::start(Limits::default(), false).await
    }

    pub(crate) async fn start(limits: Limits, open: bool) -> Self {
        let folder = TempDir::new().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(NOW.parse::<Timestamp>().unwrap()));
        let schema = Arc::new(schema());
        let (log, _) =
            EmbeddedLog::open(&folder.path().join("events"), LogOptions::default(), Arc::clone(&clock))
                .unwrap();
        let log = Arc::new(log);
        let (decisions, _) = DecisionLog::open(
            &folder.path().join("decisions"),
            DecisionOptions::default(),
            Arc::clone(&clock),
        )
        .unwrap();
        let decisions = Arc::new(decisions);
        let views = Arc::new(Views::new(Arc::clone(&schema), ViewsOptions::default()));
        let follower = Follower::start(
            Arc::clone(&log) as Arc<dyn EventLog>,
            Arc::clone(&views),
            Arc::clone(&clock),
            FollowerOptions { checkpoints: None, ..FollowerOptions::default() },
        );
        let follower = Arc::new(follower.unwrap());
        let registry = Arc::new(Registry::open(folder.path(), Arc::clone(&clock)).unwrap());
        let engine = Arc::new(Engine::new(EngineParts {
            views: Arc::clone(&views),
            schema: Arc::clone(&schema),
            recorder: Arc::new(DecisionRecorder::new(Arc::clone(&decisions))),
            clock: Arc::clone(&clock),
            request_ids: Arc::new(RequestIds::new(1)),
            cache: None,
        }));
        let surfaces = [
            surface("home", &["neighbours", "trending"], &["seen"]),
            surface("similar", &["neighbours"], &[]),
        ];
        let surfaces = surfaces.iter().map(|spec| Surface::assemble(spec, &schema).unwrap());
        engine.publish(Snapshot::new(surfaces.collect::<Vec<_>>(), [], 7));
        let app = App::new(AppParts {
            log: Arc::clone(&log) as Arc<dyn EventLog>,
            decisions,
            views,
            follower: Arc::clone(&follower),
            engine,
            registry: Arc::clone(&registry),
            schema,
            clock,
            event_ids: Arc::new(RequestIds::new(2)),
            limits,
            open,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(serve(listener, Arc::new(app), async {
            let _ = stopped.await;
        }));
        Self { address, registry, log, follower, stop: Some(stop), running: Some(running), _folder: folder }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    /// A client with a new key of these scopes.
    pub(crate) async fn client_with(&self, scopes: &[Scope]) -> Client {
        let (_, secret) = self.registry.create_key("test", scopes).unwrap();
        self.client().await.with_key(&secret)
    }

    /// Tells the server to stop; await the handle for how it ended.
    pub(crate) fn stop(&mut self) -> JoinHandle<Result<(), ServeError>> {
        self.stop.take().unwrap().send(()).unwrap();
        self.running.take().unwrap()
    }
}
