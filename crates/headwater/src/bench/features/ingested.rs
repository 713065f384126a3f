//! `ingest`: events into a whole server with the twenty features declared, beside one without any.
//!
//! Both servers are there all the time, and the load goes to one and then to the other in rounds that change who is
//! first, so that a slow spell of the machine meets both.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::declared::{DOMAIN, KINDS, TWENTY};
use super::moments::World;
use crate::bench::BenchError;
use crate::bench::client::{Connection, prepare};
use crate::bench::load::{self, Plan};
use crate::bench::report::{Figure, Report};
use crate::bench::traffic::{EventSource, EventTails};
use crate::bench::workspace::{Server, Workspace};

/// Items upserted in one request.
const ITEMS: usize = 1_000;

/// One of the two servers.
struct Side {
    server: Server,
    key: String,
    rates: Vec<f64>,
    // Removed when it is dropped, after the server.
    _workspace: Workspace,
}

/// How the load is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) connections: usize,
    pub(super) batch: usize,
    pub(super) seconds: f64,
    pub(super) warm_up: f64,
    pub(super) rounds: usize,
}

/// Measures both in the current directory.
pub(super) fn run(report: &mut Report, world: World, load: Load) -> Result<(), BenchError> {
    let tails = Arc::new(tails(world));
    let mut sides = [Side::start("", world)?, Side::start(TWENTY, world)?];
    for round in 0..load.rounds {
        for turn in [round % 2, 1 - round % 2] {
            sides[turn].drive(&tails, load, round)?;
        }
    }
    let [without, with] = &sides;
    let ratios: Vec<f64> =
        with.rates.iter().zip(&without.rates).map(|(with, without)| with / without).collect();
    report.figures.add("ingest_events_per_second", Figure::median(&without.rates, "1/s"));
    report.figures.add("ingest_events_per_second_20_features", Figure::median(&with.rates, "1/s"));
    report.figures.add("ingest_ratio", Figure::median(&ratios, "ratio"));
    report.notes.push(format!(
        "ingest: {} events a request, {} connections, {} rounds of {} s a side; events happen as they are sent",
        load.batch, load.connections, load.rounds, load.seconds
    ));
    Ok(())
}

impl Side {
    fn start(features: &str, world: World) -> Result<Self, BenchError> {
        let workspace =
            Workspace::create(&format!("{DOMAIN}{features}\n[server]\nlisten = \"127.0.0.1:0\"\n"))?;
        let key = workspace.key()?;
        let server = workspace.serve()?;
        let side = Self { server, key, rates: Vec::new(), _workspace: workspace };
        side.upsert(&world.categories())?;
        Ok(side)
    }

    fn upsert(&self, categories: &[u32]) -> Result<(), BenchError> {
        let items: Vec<_> = (0..)
            .zip(categories)
            .map(|(item, category): (u32, _)| {
                json!({ "id": format!("i{item}"), "category": format!("category-{category}") })
            })
            .collect();
        load::runtime()?.block_on(async {
            let mut connection = Connection::open(self.server.address()).await?;
            let mut request = Vec::new();
            for items in items.chunks(ITEMS) {
                let body = json!(items).to_string();
                prepare(&mut request, "POST", "/v1/items", Some(&self.key), body.as_bytes());
                connection.send(&request).await?.ok()?;
            }
            Ok(())
        })
    }

    fn drive(&mut self, tails: &Arc<EventTails>, load: Load, round: usize) -> Result<(), BenchError> {
        let source = |number| {
            let prefix = format!("r{round}c{number}-");
            EventSource::new(prefix, Arc::clone(tails), load.batch, Some(self.key.clone()))
        };
        let sources = (0..load.connections).map(source).collect();
        let plan = Plan {
            warm_up: Duration::from_secs_f64(if round == 0 { load.warm_up } else { load.warm_up / 4.0 }),
            run: Duration::from_secs_f64(load.seconds),
            runs: 1,
        };
        let (runs, _) = load::runtime()?.block_on(load::closed_loop(self.server.address(), sources, plan))?;
        self.rates.extend(runs.iter().map(|run| run.units as f64 / plan.run.as_secs_f64()));
        Ok(())
    }
}

/// Bodies of events as the world has them, without a time: an event happens when it is received.
fn tails(world: World) -> EventTails {
    let mut moments = world.moments();
    EventTails::made(|| {
        let moment = moments.next()?;
        let value = moment.value.map(|value| format!(r#","value":{value}"#)).unwrap_or_default();
        let kind = KINDS[usize::from(moment.kind)];
        Some(format!(r#"","type":"{kind}","user":"u{}","item":"i{}"{value}}}"#, moment.user, moment.item))
    })
}
