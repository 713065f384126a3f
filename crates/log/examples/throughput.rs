//! How many events a second the log takes, durably: single events from 64 appenders, and batches of 100 from 8.
//!
//! `cargo run --release -p headwater-log --example throughput [FOLDER]`; the folder decides which disk is measured.

#![allow(clippy::print_stdout, clippy::disallowed_methods)] // It measures time and prints what it measured.

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use headwater_base::time::ManualClock;
use headwater_base::{Actor, Event, EventId, Fact, Fields, Interaction, ItemId, Timestamp, UserId, Value};
use headwater_log::{EmbeddedLog, EventLog, LogOptions, codec};

const RUN: Duration = Duration::from_secs(3);

fn event(number: u64) -> Event {
    let now = Timestamp::from_micros(1_764_000_000_000_000 + number as i64);
    Event {
        id: EventId::trusted(format!("event-{number:x}")),
        time: now,
        received: now.plus(Duration::from_millis(35)),
        fact: Fact::Interaction(Interaction {
            kind: "click".into(),
            actor: Actor::user(UserId::trusted(format!("user-{}", number % 30_000))),
            item: ItemId::trusted(format!("item-{}", number % 40_000)),
            value: None,
            request_id: None,
            context: Fields::new([("device".into(), Value::Categorical("mobile".into()))]),
        }),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let parent = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    encoding();
    for (appenders, batch) in [(1, 1), (64, 1), (8, 100)] {
        let folder = tempfile::tempdir_in(&parent)?;
        appending(folder.path(), appenders, batch)?;
    }
    Ok(())
}

fn encoding() {
    let events: Vec<Event> = (0..100_000).map(event).collect();
    let (mut bytes, mut ends) = (Vec::with_capacity(16 << 20), Vec::new());
    let started = Instant::now();
    for event in &events {
        codec::encode(event, &mut bytes);
        ends.push(bytes.len());
    }
    let encoded = started.elapsed();
    let started = Instant::now();
    let mut start = 0;
    for end in ends {
        black_box(codec::decode(&bytes[start..end]).is_ok());
        start = end;
    }
    println!(
        "codec: {} bytes an event, encode {:?}, decode {:?}",
        bytes.len() / events.len(),
        encoded / 100_000,
        started.elapsed() / 100_000
    );
}

fn appending(folder: &Path, appenders: usize, batch: u64) -> Result<(), Box<dyn Error>> {
    let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_764_000_000)));
    let (log, _) = EmbeddedLog::open(folder, LogOptions::default(), clock.clone())?;
    let (log, numbers) = (Arc::new(log), AtomicU64::new(0));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..appenders {
            scope.spawn(|| {
                while started.elapsed() < RUN {
                    let first = numbers.fetch_add(batch, Ordering::Relaxed);
                    if log.append((first..first + batch).map(event).collect()).wait().is_err() {
                        return;
                    }
                }
            });
        }
    });
    let (elapsed, stored) = (started.elapsed(), log.end().0[0]);
    println!("{appenders} appenders, {batch} a batch: {:.0} events/s", stored as f64 / elapsed.as_secs_f64());
    log.close();
    drop(log);
    let started = Instant::now();
    let (_log, recovery) = EmbeddedLog::open(folder, LogOptions::default(), clock)?;
    println!("  reopened in {:?}: {recovery}", started.elapsed());
    Ok(())
}
