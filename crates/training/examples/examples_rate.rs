//! How many training examples a second come out of logs on disk, and how small the logged vectors are.
//!
//! `cargo run --release -p headwater-training --example examples_rate [DECISIONS]`: 20 items a decision with 50 features,
//! half of them the user's, and 2 interactions for every decision.

#![allow(clippy::print_stdout, clippy::disallowed_methods)] // It measures time and prints what it measured.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_base::schema::InteractionType;
use headwater_base::time::ManualClock;
use headwater_base::{
    Actor, Clock, Decision, Event, EventId, Fact, FeatureValue, Fields, Interaction, ItemId, LoggedFeatures,
    RequestId, Rung, Schema, Shown, Timestamp, UserId,
};
use headwater_log::{DecisionLog, DecisionOptions, EmbeddedLog, EventLog as _, LogOptions, LogReader};
use headwater_training::examples::{ExampleOptions, Examples, NoReplay};

const ITEMS: u64 = 20;
const USERS: u64 = 30_000;

fn moment(number: u64) -> Timestamp {
    Timestamp::from_millis(1_764_000_000_000 + 100 * number as i64)
}

fn item(decision: u64, place: u64) -> ItemId {
    ItemId::trusted(format!("item-{}", (decision * 7_919 + place * 104_729) % 40_000))
}

fn value(decision: u64, place: u64, column: u64) -> FeatureValue {
    let row = if column < 25 { 0 } else { place + 1 };
    match column % 5 {
        0 => FeatureValue::Word(format!("word-{}", (decision + row * column) % 30).into()),
        1 | 2 => FeatureValue::Number(((decision + row * column) % 40) as f32),
        _ => FeatureValue::Number((decision + row) as f32 / (column + 3) as f32),
    }
}

fn decision(number: u64) -> Event {
    let time = moment(number);
    let shown = |place| Shown {
        item: item(number, place),
        score: 1.0 / (place + 1) as f32,
        source: "ials".into(),
        propensity: 0.5,
    };
    let row = |place| (0..50).map(|column| value(number, place, column)).collect();
    let request_id = format!("request-{number:016x}");
    let decision = Decision {
        request_id: RequestId::trusted(request_id.as_str()),
        surface: "home".into(),
        actor: Actor::user(UserId::trusted(format!("user-{}", number % USERS))),
        item: None,
        context: Fields::default(),
        position: vec![2 * number],
        model: "ials@1".into(),
        settings: 1,
        arms: Vec::new(),
        seed: number,
        rung: Rung::Personal,
        items: (0..ITEMS).map(shown).collect(),
        stages: Vec::new(),
        features: Some(Box::new(LoggedFeatures {
            schema: 1,
            time,
            share: 0.5,
            rows: (0..ITEMS).map(row).collect(),
        })),
    };
    Event { id: EventId::trusted(request_id), time, received: time, fact: Fact::Decision(Box::new(decision)) }
}

/// Every second one names the request.
fn interaction(number: u64, of: u64) -> Event {
    let time = moment(number).plus(Duration::from_secs(of + 1));
    let interaction = Interaction {
        kind: "click".into(),
        actor: Actor::user(UserId::trusted(format!("user-{}", number % USERS))),
        item: item(number, of * 3),
        value: None,
        request_id: (of == 0).then(|| RequestId::trusted(format!("request-{number:016x}"))),
        context: Fields::default(),
    };
    let id = EventId::trusted(format!("event-{number}-{of}"));
    Event { id, time, received: time, fact: Fact::Interaction(interaction) }
}

fn main() -> Result<(), Box<dyn Error>> {
    let decisions = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let (events_in, decisions_in) = (folder.path().join("events"), folder.path().join("decisions"));
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(moment(0)));
    let (log, _) = EmbeddedLog::open(&events_in, LogOptions::default(), Arc::clone(&clock))?;
    let (stream, _) = DecisionLog::open(&decisions_in, DecisionOptions::default(), clock)?;
    let mut batch = Vec::new();
    for number in 0..decisions {
        stream.append(&decision(number))?;
        batch.extend([interaction(number, 0), interaction(number, 1)]);
        if batch.len() == 1_000 || number + 1 == decisions {
            log.append(std::mem::take(&mut batch)).wait()?;
        }
    }
    stream.close();
    log.close();
    let bytes: u64 = std::fs::read_dir(&decisions_in)?
        .map(|entry| Ok(entry?.metadata()?.len()))
        .sum::<Result<u64, std::io::Error>>()?;

    let (events, stream) = (LogReader::open(&events_in)?, LogReader::open(&decisions_in)?);
    let schema = Schema {
        interactions: [("click".into(), InteractionType { weight: 1.0 })].into(),
        ..Schema::default()
    };
    let options = ExampleOptions { open: true, ..ExampleOptions::at(moment(0)) };
    let started = Instant::now();
    let mut no_replay = NoReplay;
    let mut examples = Examples::of(&events, &stream, schema, options, &mut no_replay);
    for example in examples.by_ref() {
        example?;
    }
    let (seconds, counts) = (started.elapsed().as_secs_f64(), examples.counts());
    println!("{counts:?}");
    println!(
        "{:.0} examples/s on one core; {} bytes a decision of {ITEMS} items with 50 features",
        counts.examples as f64 / seconds,
        bytes / decisions
    );
    Ok(())
}
