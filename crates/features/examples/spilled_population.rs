//! Prints what a population costs that exceeds its memory: events a second, memory, reads, a checkpoint.
//!
//! `cargo run --release -p headwater-features --example spilled_population [USERS] [EVENTS] [LIMIT_MIB]`; without a
//! limit, everybody is in memory. Eight in ten events are of one in five users.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a command for developers: prints, and panics to report"
)]
#![allow(clippy::disallowed_methods, reason = "it measures")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_base::random::stable_hash;
use headwater_base::schema::InteractionType;
use headwater_base::value::FieldType;
use headwater_base::{
    Actor, Event, EventId, Fact, Fields, Interaction, ItemId, Schema, Timestamp, UserId, Value,
};
use headwater_features::declared::{
    Aggregate, AggregateSpec, Attribute, Conditions, Definition, FieldRef, Part,
};
use headwater_features::{FeatureSpec, Plan, SpillOptions, Views, ViewsOptions};
use headwater_log::{Batch, Partition};

const BATCH: usize = 4096;
const ITEMS: usize = 20_000;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>().unwrap());
    let users = arguments.next().unwrap_or(1_000_000);
    let events = arguments.next().unwrap_or(3_000_000);
    let limit = arguments.next();
    let folder = tempfile::tempdir_in(".").unwrap();
    let schema = Arc::new(Schema {
        interactions: [("click".into(), InteractionType { weight: 1.0 })].into(),
        items: [("category".into(), FieldType::Categorical)].into(),
        ..Schema::default()
    });
    let spill = limit.map(|limit| SpillOptions { limit: limit << 20, folder: folder.path().into() });
    let plan = Arc::new(Plan::new(&features(), &schema).unwrap());
    let views = Views::new(schema, ViewsOptions { plan, spill, threads: 1, ..ViewsOptions::default() });
    apply(
        &views,
        (0..ITEMS)
            .map(|item| {
                event(
                    item,
                    Fact::ItemUpsert {
                        item: ItemId::trusted(format!("i{item}")),
                        fields: Fields::new([(
                            "category".into(),
                            Value::Categorical(format!("c{}", item % 50).into()),
                        )]),
                        removed: Vec::new(),
                        available: None,
                        patch: false,
                    },
                )
            })
            .collect(),
    );
    let (mut folded, mut slowest) = (Duration::ZERO, Duration::ZERO);
    for first in (0..events).step_by(BATCH) {
        let batch = (first..events.min(first + BATCH)).map(|number| click(number, users)).collect();
        let began = Instant::now();
        apply(&views, batch);
        folded += began.elapsed();
        slowest = slowest.max(began.elapsed());
    }
    println!("{:>12.0} events a second, slowest batch {slowest:?}", events as f64 / folded.as_secs_f64());
    println!("{:>12} resident MiB, peak {}", status("VmRSS") >> 10, status("VmHWM") >> 10);
    println!("{:>12?}", views.spilled());
    let reads = 20_000;
    let began = Instant::now();
    let found = (0..reads)
        .map(|number| views.profile(&user(stable_hash(&format!("r{number}")) as usize % users)).unwrap())
        .map(|profile| profile.interactions.len());
    let found: usize = found.sum();
    println!("{:>12?} to read a profile of anybody ({found} interactions)", began.elapsed() / reads);
    let began = Instant::now();
    let path = views.checkpoint(folder.path()).unwrap();
    println!("{:>12?} for a checkpoint of {} MiB", began.elapsed(), path.metadata().unwrap().len() >> 20);
    let began = Instant::now();
    views.rewrite_spilled().unwrap();
    println!("{:>12?} to rewrite what is on the disk", began.elapsed());
    println!("{:>12} resident MiB, peak {}", status("VmRSS") >> 10, status("VmHWM") >> 10);
}

fn apply(views: &Views, events: Vec<Event>) {
    let first = views.position().offset(Partition(0));
    views.apply(&Batch { partition: Partition(0), first, events: events.into() }).unwrap();
}

fn user(number: usize) -> Actor {
    Actor::user(UserId::trusted(format!("user-{number}")))
}

fn click(number: usize, users: usize) -> Event {
    let drawn = stable_hash(&number.to_string()) as usize;
    let of = if drawn % 10 < 8 { users / 5 } else { users };
    event(
        number,
        Fact::Interaction(Interaction {
            kind: "click".into(),
            actor: user(drawn / 10 % of.max(1)),
            item: ItemId::trusted(format!("i{}", drawn / 7 % ITEMS)),
            value: Some(1.0),
            request_id: None,
            context: Fields::default(),
        }),
    )
}

/// A hundred milliseconds after the one before.
fn event(number: usize, fact: Fact) -> Event {
    let time = Timestamp::from_micros(1_767_225_600_000_000 + 100_000 * number as i64);
    Event { id: EventId::trusted(format!("e{number}")), time, received: time, fact }
}

/// Features of users and of users with a category.
fn features() -> Vec<FeatureSpec> {
    let entities = [vec![Part::User], vec![Part::User, Part::Field(FieldRef::Item("category".into()))]];
    let kinds = [Aggregate::Count, Aggregate::Sum, Aggregate::TimeSince, Aggregate::Last(Attribute::Item)];
    let hours = [Some(24), Some(7 * 24), None];
    let mut specs = Vec::new();
    for number in 0..entities.len() * kinds.len() * hours.len() {
        let aggregate = AggregateSpec {
            entity: entities[number % 2].clone(),
            aggregate: kinds[number / 2 % 4].clone(),
            types: vec!["click".into()],
            window: hours[number / 8].map(|hours| Duration::from_secs(3_600 * hours)),
            decay: None,
            conditions: Conditions::default(),
        };
        let name = format!("f{number}").into();
        specs.push(FeatureSpec { name, version: 1, definition: Definition::Aggregate(aggregate) });
    }
    specs.truncate(20);
    specs
}

/// A line of the process's status, KiB.
fn status(line: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let found = text.lines().find_map(|said| said.strip_prefix(line)?.strip_prefix(':'));
    found.unwrap().trim().trim_end_matches(" kB").parse().unwrap()
}
