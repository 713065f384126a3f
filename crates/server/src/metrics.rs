//! What the server counts, for Prometheus.
//!
//! The recorder is the server's own, not the process's: two servers in one process do not mix. Handles are made once
//! and kept, so that counting costs an atomic addition.

use std::collections::HashMap;
use std::time::Duration;

use headwater_base::Rung;
use headwater_pipeline::Answer;
use metrics::{Counter, Histogram, counter, gauge, histogram, with_local_recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};
use parking_lot::RwLock;

use crate::wire::reply::Accepted;

/// Upper bounds of the latency buckets, in seconds.
const BUCKETS: [f64; 14] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
const RUNGS: [Rung; 5] = [Rung::Personal, Rung::Neighbours, Rung::Trending, Rung::Popular, Rung::Empty];

/// The server's counters.
pub struct Metrics {
    recorder: PrometheusRecorder,
    answers: Vec<(Rung, Counter)>,
    cache_hits: Counter,
    decisions_lost: Counter,
    events: EventCounters,
    skipped: RwLock<HashMap<String, Counter>>,
}

struct EventCounters {
    accepted: Counter,
    duplicates: Counter,
    refused: RwLock<HashMap<&'static str, Counter>>,
}

/// What is measured of one model's index.
pub(crate) type IndexGauges = [(&'static str, f64); 4];

/// Counters of one route.
pub(crate) struct RouteMetrics {
    by_class: [Counter; 6],
    seconds: Histogram,
}

impl RouteMetrics {
    pub(crate) fn count(&self, status: u16, took: Duration) {
        self.by_class[usize::from(status / 100).min(5)].increment(1);
        self.seconds.record(took.as_secs_f64());
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let latency = Matcher::Full("headwater_request_seconds".to_owned());
        let builder = PrometheusBuilder::new().set_buckets_for_metric(latency, &BUCKETS);
        let recorder = builder.unwrap_or_else(|_| PrometheusBuilder::new()).build_recorder();
        let (answers, cache_hits, decisions_lost, events) = with_local_recorder(&recorder, || {
            describe();
            let answers =
                RUNGS.map(|rung| (rung, counter!("headwater_answers_total", "rung" => rung.as_str())));
            let events = EventCounters {
                accepted: counter!("headwater_events_total", "outcome" => "accepted"),
                duplicates: counter!("headwater_events_total", "outcome" => "duplicate"),
                refused: RwLock::default(),
            };
            let hits = counter!("headwater_cache_hits_total");
            (answers.to_vec(), hits, counter!("headwater_decisions_lost_total"), events)
        });
        Self { recorder, answers, cache_hits, decisions_lost, events, skipped: RwLock::default() }
    }

    pub(crate) fn route(&self, method: &'static str, path: &'static str) -> RouteMetrics {
        with_local_recorder(&self.recorder, || RouteMetrics {
            by_class: std::array::from_fn(|class| {
                let status = format!("{class}xx");
                counter!("headwater_requests_total", "method" => method, "route" => path, "status" => status)
            }),
            seconds: histogram!("headwater_request_seconds", "method" => method, "route" => path),
        })
    }

    pub(crate) fn answer(&self, answer: &Answer) {
        if let Some((_, counter)) = self.answers.iter().find(|(rung, _)| *rung == answer.rung) {
            counter.increment(1);
        }
        if answer.cached {
            self.cache_hits.increment(1);
        }
        if answer.stages.iter().any(|stage| stage.name == headwater_pipeline::record::LOST) {
            self.decisions_lost.increment(1);
        }
        for stage in answer.stages.iter().filter(|stage| !stage.skipped.is_empty()) {
            let known = self.skipped.read().get(stage.name.as_str()).cloned();
            let counter = known.unwrap_or_else(|| {
                let name = stage.name.to_string();
                let counter = with_local_recorder(
                    &self.recorder,
                    || counter!("headwater_stages_skipped_total", "stage" => name.clone()),
                );
                self.skipped.write().insert(name, counter.clone());
                counter
            });
            counter.increment(1);
        }
    }

    pub(crate) fn ingested(&self, accepted: &Accepted) {
        self.events.accepted.increment(accepted.accepted as u64);
        self.events.duplicates.increment(accepted.duplicates as u64);
        for refused in &accepted.refused {
            let known = self.events.refused.read().get(refused.code).cloned();
            let counter = known.unwrap_or_else(|| {
                let counter = with_local_recorder(
                    &self.recorder,
                    || counter!("headwater_events_refused_total", "code" => refused.code),
                );
                self.events.refused.write().insert(refused.code, counter.clone());
                counter
            });
            counter.increment(1);
        }
    }

    /// The text Prometheus scrapes, with gauges as of now.
    pub(crate) fn render(&self, gauges: &[(&'static str, f64)], indexes: &[(String, IndexGauges)]) -> String {
        with_local_recorder(&self.recorder, || {
            for (name, value) in gauges {
                gauge!(*name).set(*value);
            }
            for (model, own) in indexes {
                for (name, value) in own {
                    gauge!(*name, "model" => model.clone()).set(*value);
                }
            }
        });
        self.recorder.handle().render()
    }

    /// Folds what histograms gathered; called every few seconds so that unscraped samples do not pile up.
    pub(crate) fn fold(&self) {
        self.recorder.handle().run_upkeep();
    }
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!("headwater_requests_total", "Requests by route and class of status");
    describe_histogram!("headwater_request_seconds", "Time from a request's head to its reply");
    describe_counter!("headwater_answers_total", "Answers by rung of the fallback ladder");
    describe_counter!("headwater_cache_hits_total", "Answers taken from the cache");
    describe_counter!("headwater_decisions_lost_total", "Decisions that could not be recorded");
    describe_counter!("headwater_stages_skipped_total", "Stages skipped by deadline or failure");
    describe_counter!("headwater_events_total", "Events stored and events known already");
    describe_counter!("headwater_events_refused_total", "Events refused, by code");
    describe_gauge!("headwater_log_events", "Offset after the last event of the log");
    describe_gauge!("headwater_log_lag_events", "Events of the log not yet folded into the views");
    describe_gauge!("headwater_cached_answers", "Answers held in the cache");
    describe_gauge!("headwater_views_memory_bytes", "Users and sessions in memory; only with a memory_limit");
    describe_gauge!("headwater_views_on_disk", "Users and sessions on the disk; only with a memory_limit");
    describe_gauge!(
        "headwater_views_thawed",
        "Users and sessions that came back from the disk since the start"
    );
    describe_gauge!("headwater_views_failed_reads", "Profiles that requests could not read from the disk");
    describe_gauge!(
        "headwater_index_recall",
        "Share of the exact 100 best items that a search meets, as measured"
    );
    describe_gauge!("headwater_index_read_share", "Share of the items that a search reads");
    describe_gauge!(
        "headwater_index_items",
        "Items in clusters or the graph; later ones are read by every search"
    );
    describe_gauge!("headwater_index_bytes", "Memory of clusters or graph, beside that of the vectors");
    describe_gauge!("headwater_catalogue_items", "Items of the catalogue, deleted ones included");
}
