//! Prints what one answer costs: an exact ranking of a Gowalla-sized catalogue, cache off, decision logged.
//!
//! `cargo run --release -p headwater-pipeline --example recommend_cost [ITEMS] [FACTORS] [HISTORY]`

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a command for developers: prints, and panics to report"
)]
#![allow(clippy::disallowed_methods, reason = "it measures")]

use std::sync::Arc;
use std::time::Instant;

use headwater_base::random::seeded;
use headwater_base::schema::InteractionType;
use headwater_base::time::ManualClock;
use headwater_base::{
    Actor, Clock, Event, EventId, Fact, Fields, Interaction, ItemId, Schema, Timestamp, UserId,
};
use headwater_features::{Views, ViewsOptions};
use headwater_log::request_id::RequestIds;
use headwater_log::{Batch, DecisionLog, DecisionOptions, Partition, Position};
use headwater_models::ials::{Ials, IalsOptions, IalsParts};
use headwater_pipeline::{
    DecisionRecorder, Engine, EngineParts, LoadedModel, Request, Snapshot, Surface, SurfaceSpec,
};
use rand::RngExt as _;

const USERS: usize = 2_000;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>().unwrap());
    let items = arguments.next().unwrap_or(40_981);
    let factors = arguments.next().unwrap_or(128);
    let history = arguments.next().unwrap_or(30);
    let schema = Arc::new(Schema {
        interactions: [("click".into(), InteractionType { weight: 1.0 })].into(),
        ..Schema::default()
    });
    let views = Arc::new(Views::new(Arc::clone(&schema), ViewsOptions::default()));
    let now = Timestamp::from_seconds(1_000_000);
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(now));
    let mut random = seeded(1, "recommend_cost");
    let click = |number: usize, user: usize, item: usize| Event {
        id: EventId::trusted(format!("e{number}")),
        time: now,
        received: now,
        fact: Fact::Interaction(Interaction {
            kind: "click".into(),
            actor: Actor::user(UserId::trusted(format!("u{user}"))),
            item: ItemId::trusted(format!("i{item}")),
            value: None,
            request_id: None,
            context: Fields::default(),
        }),
    };
    let mut events: Vec<Event> = (0..items).map(|item| click(item, USERS, item)).collect();
    for number in 0..USERS * history {
        events.push(click(items + number, number % USERS, random.random_range(0..items)));
    }
    views.apply(&Batch { partition: Partition(0), first: 0, events: events.into() }).unwrap();

    // A spectrum that falls as a trained one does.
    let spectrum: Vec<f32> = (0..factors).map(|factor| 1.0 / (1.0 + factor as f32).sqrt()).collect();
    let item_factors: Vec<f32> = (0..items * factors)
        .map(|place| spectrum[place % factors] * random.random_range(-1.0..1.0))
        .collect();
    let item_gram =
        (0..factors).map(|factor| items as f32 * spectrum[factor] * spectrum[factor] / 3.0).collect();
    let user_gram =
        (0..factors * factors).map(|place| if place % (factors + 1) == 0 { 1.0 } else { 0.0 }).collect();
    let options = IalsOptions { factors, ..IalsOptions::default() };
    let ials =
        Ials::from_parts(IalsParts { options, users: USERS, item_factors, item_gram, user_gram }).unwrap();
    let ids = (0..items).map(|item| ItemId::trusted(format!("i{item}"))).collect();
    let model = LoadedModel::ials("ials", 1, ials, ids, Position::default()).unwrap();

    let folder = std::env::temp_dir().join(format!("recommend-cost-{}", std::process::id()));
    let (decisions, _) = DecisionLog::open(&folder, DecisionOptions::default(), Arc::clone(&clock)).unwrap();
    let engine = Engine::new(EngineParts {
        views,
        schema: Arc::clone(&schema),
        recorder: Arc::new(DecisionRecorder::new(Arc::new(decisions))),
        clock,
        request_ids: Arc::new(RequestIds::new(1)),
        cache: None,
    });
    let surface = Surface::assemble(&SurfaceSpec::named("home"), &schema).unwrap();
    engine.publish(Snapshot::new([surface], [Arc::new(model)], 0));

    let mut micros: Vec<f64> = Vec::new();
    for user in 0..USERS {
        let request = Request {
            surface: "home".into(),
            actor: Actor::user(UserId::trusted(format!("u{user}"))),
            ..Request::default()
        };
        let started = Instant::now();
        let answer = engine.recommend(&request).unwrap();
        micros.push(started.elapsed().as_secs_f64() * 1e6);
        assert_eq!((answer.items.len(), answer.model.as_str(), answer.recorded), (20, "ials@1", true));
    }
    micros.sort_by(f64::total_cmp);
    let mean = micros.iter().sum::<f64>() / micros.len() as f64;
    let at = |share: f64| micros[(micros.len() as f64 * share) as usize];
    println!("{items} items x {factors} factors, {history} past interactions, 20 answered, decision logged");
    println!(
        "best decile {:.0} us, median {:.0} us, mean {mean:.0} us, p99 {:.0} us",
        at(0.1),
        at(0.5),
        at(0.99)
    );
    std::fs::remove_dir_all(folder).unwrap();
}
