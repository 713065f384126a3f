//! `read`: fifty features for two hundred candidates, from warm state.

use std::fmt::Write as _;
use std::hint::black_box;

use headwater_base::random::seeded;
use headwater_base::{Fields, Timestamp};
use headwater_features::{FeatureRequest, FeatureRows};
use rand::RngExt as _;

use super::backfill::backfill;
use super::declared::{Declared, TWENTY};
use super::moments::{World, actor};
use crate::bench::BenchError;
use crate::bench::latency::Latencies;
use crate::bench::report::{Figure, Report};
use crate::clock::Stopwatch;

/// Requests before anything is counted.
const WARM_UP: usize = 500;

/// The twenty, and six more over each of five windows.
pub(super) fn fifty() -> String {
    let mut text = TWENTY.to_owned();
    for window in ["2h", "6h", "2d", "8d", "20d"] {
        let ctr = r#"{ rate = ["click", ["click", "impression"]], prior = [1, 20] }"#;
        for (name, entity, aggregate) in [
            ("item_clicks", r#""item""#, r#"{ count = "click" }"#),
            ("item_ctr", r#""item""#, ctr),
            ("item_spent", r#""item""#, r#"{ sum = "purchase" }"#),
            ("user_ctr", r#""user""#, ctr),
            ("user_category_ctr", r#"["user", "item.category"]"#, ctr),
            ("category_spent", r#""item.category""#, r#"{ sum = "purchase" }"#),
        ] {
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "\n[features.{name}_{window}]\nentity = {entity}\naggregate = {aggregate}\nwindow = \"{window}\"\n"
            );
        }
    }
    text
}

/// Folds `events`, then asks `requests` times.
pub(super) fn run(
    report: &mut Report,
    world: World,
    events: usize,
    requests: usize,
    candidates: usize,
) -> Result<(), BenchError> {
    let declared = Declared::compile(&fifty())?;
    let columns = declared.columns();
    let mut last = 0;
    let moments = world.moments().take(events).inspect(|moment| last = moment.received);
    let (_, replay) = backfill(&declared, &world.categories(), moments, false)?;
    let mut random = seeded(world.seed, "bench/features/requests");
    let mut rows = FeatureRows::default();
    let mut latencies = Latencies::default();
    let context = Fields::default();
    for request in 0..WARM_UP + requests {
        let actor = actor(random.random_range(0..world.users));
        let items: Vec<_> = (0..candidates).map(|_| Some(world.item(&mut random))).collect();
        let time = Timestamp::from_micros(last * 1_000);
        let request_for = FeatureRequest { actor: &actor, context: &context, time };
        let watch = Stopwatch::start();
        replay.features_into(&request_for, &columns, black_box(&items), &mut rows);
        black_box(&rows);
        if request >= WARM_UP {
            latencies.record(watch.elapsed());
        }
    }
    let micros = |share| Figure::once(latencies.quantile_ms(share) * 1e3, "us");
    report.figures.add("read_us", micros(0.5));
    report.figures.add("read_p99_us", micros(0.99));
    report.notes.push(format!(
        "read: {} features for {candidates} candidates drawn by Zipf's law, {requests} requests of different users \
         after {events} events of {} users",
        columns.len(),
        world.users
    ));
    Ok(())
}
