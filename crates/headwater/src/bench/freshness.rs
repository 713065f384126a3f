//! `bench freshness`: how long after an event's acknowledgement the answer has changed.
//!
//! A trial asks for a user, sends an interaction of that user with the first item of the answer, and the moment it
//! is acknowledged asks again. The new answer must leave that item out and must differ in the scores of what stayed:
//! the fold-in has met the event. An answer that does not is stale, and is asked for again until it does. The default
//! cache is on, and a steady stream of other users' events goes in beside.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use headwater_base::Clock as _;
use headwater_base::random::seeded;
use headwater_training::presets::Preset;
use rand::RngExt as _;
use serde::Deserialize;
use tokio::task::JoinSet;

use super::BenchError;
use super::client::{Connection, prepare};
use super::interactions::Traffic;
use super::knobs::Knobs;
use super::latency::Latencies;
use super::load;
use super::loaded;
use super::report::{Figure, Report};
use super::traffic::{EventSource, EventTails};
use crate::clock::{Stopwatch, SystemClock};

/// How often a stale answer is asked for again before the trial is given up.
const PATIENCE: usize = 1_000;

#[derive(Debug, Deserialize, PartialEq)]
struct Answer {
    rung: String,
    items: Vec<Item>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Item {
    id: String,
    score: Option<f32>,
}

/// What the trials of one connection saw.
#[derive(Default)]
struct Trials {
    acknowledged: Latencies,
    changed: Latencies,
    stale: u64,
    done: u64,
}

struct Asker {
    connection: Connection,
    key: String,
    kind: String,
    limit: usize,
    request: Vec<u8>,
}

/// Runs it on a data set, in a folder of its own in the current directory.
pub fn run(preset: Preset, data: &Path, mut knobs: Knobs) -> Result<Report, BenchError> {
    let factors = knobs.take("factors", 128)?;
    let trials: usize = knobs.take("trials", 10_000)?;
    let connections = knobs.take("connections", 4_usize)?.max(1);
    let events_per_second = knobs.take("events_per_second", 500.0)?;
    let limit = knobs.take("limit", 20)?;
    let seed = knobs.take("seed", 1)?;
    knobs.finish()?;

    let loaded = loaded::load(preset, data, factors, true)?;
    let server = loaded.workspace.serve()?;
    let tails = EventTails::new(&loaded.traffic, &SystemClock.now().to_string(), seed);
    let events = EventSource::steady("steady", &Arc::new(tails), Some(&loaded.key));
    let traffic = Arc::new(loaded.traffic);

    let stop = Arc::new(AtomicBool::new(false));
    let total = load::runtime()?.block_on(async {
        let steady =
            tokio::spawn(load::open_loop(server.address(), events, events_per_second, Arc::clone(&stop)));
        let mut tasks = JoinSet::new();
        for number in 0..connections {
            // Users are dealt out, so that no other connection changes this one's answers.
            let own = trials / connections + usize::from(number < trials % connections);
            let (traffic, key, address) = (Arc::clone(&traffic), loaded.key.clone(), server.address());
            let asking = Asking { address, key, limit, seed, number, connections };
            tasks.spawn(async move { asking.run(&traffic, own).await });
        }
        let mut total = Trials::default();
        while let Some(joined) = tasks.join_next().await {
            let own = joined.map_err(|error| BenchError::Answer(error.to_string()))??;
            total.acknowledged.merge(&own.acknowledged);
            total.changed.merge(&own.changed);
            total.stale += own.stale;
            total.done += own.done;
        }
        stop.store(true, Ordering::Relaxed);
        steady.await.map_err(|error| BenchError::Answer(error.to_string()))??;
        Ok::<_, BenchError>(total)
    })?;

    let mut report = Report::new("freshness");
    let figures = &mut report.figures;
    figures.add("p50_ms", Figure::once(total.changed.quantile_ms(0.5), "ms"));
    figures.add("p99_ms", Figure::once(total.changed.quantile_ms(0.99), "ms"));
    figures.add("longest_ms", Figure::once(total.changed.longest().as_secs_f64() * 1e3, "ms"));
    figures.add("acknowledged_p99_ms", Figure::once(total.acknowledged.quantile_ms(0.99), "ms"));
    figures.add("stale", Figure::once(total.stale as f64, "events"));
    figures.add("trials", Figure::once(total.done as f64, "events"));
    report.notes.push(format!(
        "from an event's acknowledgement to an answer without its item and with other scores; {} items, {factors} \
         factors, {connections} connections beside {events_per_second} events/s, default cache",
        traffic.items.len()
    ));
    Ok(report)
}

struct Asking {
    address: SocketAddr,
    key: String,
    limit: usize,
    seed: u64,
    number: usize,
    connections: usize,
}

impl Asking {
    async fn run(self, traffic: &Traffic, trials: usize) -> Result<Trials, BenchError> {
        let mut random = seeded(self.seed, &format!("bench/freshness/{}", self.number));
        let mut asker = Asker {
            connection: Connection::open(self.address).await?,
            key: self.key,
            kind: traffic.kind.clone(),
            limit: self.limit,
            request: Vec::new(),
        };
        let mut seen = Trials::default();
        let dealt = traffic.users.len().div_ceil(self.connections);
        while (seen.done as usize) < trials {
            let user = random.random_range(0..dealt) * self.connections + self.number;
            if let Some(user) = traffic.users.get(user) {
                asker.trial(user, &mut seen).await?;
            }
        }
        Ok(seen)
    }
}

impl Asker {
    async fn trial(&mut self, user: &str, seen: &mut Trials) -> Result<(), BenchError> {
        let before = self.ask(user).await?;
        let Some(touched) = before.items.first().map(|item| item.id.clone()) else {
            return Err(BenchError::Answer(format!("nothing was recommended to {user}")));
        };
        let body = format!(r#"{{"type":"{}","user":"{user}","item":"{touched}"}}"#, self.kind);
        prepare(&mut self.request, "POST", "/v1/events", Some(&self.key), body.as_bytes());
        let watch = Stopwatch::start();
        self.connection.send(&self.request).await?.ok()?;
        seen.acknowledged.record(watch.elapsed());
        let watch = Stopwatch::start();
        for attempt in 0..PATIENCE {
            let after = self.ask(user).await?;
            if reflects(&before, &after, &touched) {
                seen.changed.record(watch.elapsed());
                seen.done += 1;
                return Ok(());
            }
            seen.stale += u64::from(attempt == 0);
        }
        Err(BenchError::Answer(format!("an event of {user} never changed the answer")))
    }

    async fn ask(&mut self, user: &str) -> Result<Answer, BenchError> {
        let body = format!(r#"{{"surface":"home","user":"{user}","limit":{}}}"#, self.limit);
        prepare(&mut self.request, "POST", "/v1/recommend", Some(&self.key), body.as_bytes());
        let reply = self.connection.send(&self.request).await?.ok()?;
        serde_json::from_slice(reply)
            .map_err(|error| BenchError::Answer(format!("{error} in {}", String::from_utf8_lossy(reply))))
    }
}

/// Whether an answer has met an interaction with `touched`: the item is gone, and nothing kept its score.
fn reflects(before: &Answer, after: &Answer, touched: &str) -> bool {
    let score = |answer: &Answer, id: &str| {
        answer.items.iter().find(|item| item.id == id).and_then(|item| item.score)
    };
    let kept: Vec<_> = after.items.iter().filter(|item| score(before, &item.id).is_some()).collect();
    let rescored = kept.iter().any(|item| score(before, &item.id) != item.score);
    !after.items.is_empty() && score(after, touched).is_none() && (rescored || kept.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(items: &[(&str, f32)]) -> Answer {
        let items = items.iter().map(|(id, score)| Item { id: (*id).into(), score: Some(*score) }).collect();
        Answer { rung: "personal".into(), items }
    }

    #[test]
    fn an_answer_reflects_an_event_when_the_item_is_gone_and_scores_moved() {
        let before = answer(&[("a", 0.9), ("b", 0.8)]);
        assert!(reflects(&before, &answer(&[("b", 0.7), ("c", 0.6)]), "a"));
        assert!(reflects(&before, &answer(&[("c", 0.6)]), "a"));
        assert!(!reflects(&before, &answer(&[("b", 0.8), ("c", 0.6)]), "a"), "only filtered");
        assert!(!reflects(&before, &answer(&[("a", 0.5), ("b", 0.7)]), "a"), "still there");
        assert!(!reflects(&before, &answer(&[]), "a"), "nothing left");
    }
}
