//! Measures the views on a file of histories: `fold split|sequence FILE [THREADS]`.
//!
//! `split` lines are a user and all of their items; `sequence` lines are one user and one item. Prints the cost of an
//! event, the memory of the views, and the cost of a checkpoint and of restoring it.
#![allow(clippy::disallowed_methods, reason = "this measures")]
#![allow(clippy::print_stdout, reason = "this prints what it measured")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use headwater_base::schema::InteractionType;
use headwater_base::{Actor, Event, EventId, Fact, Fields, Interaction, ItemId, Schema, Timestamp, UserId};
use headwater_features::{Views, ViewsOptions};
use headwater_log::{Batch, Partition};

const BATCH: usize = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(shape), Some(path)) = (arguments.next(), arguments.next()) else {
        return Err("usage: fold split|sequence FILE [THREADS]".into());
    };
    let mut options = ViewsOptions::default();
    if let Some(threads) = arguments.next() {
        options.threads = threads.parse()?;
    }
    let schema = Arc::new(Schema {
        interactions: [("click".into(), InteractionType { weight: 1.0 })].into(),
        ..Schema::default()
    });
    let batches = read(&shape, Path::new(&path))?;
    let count: usize = batches.iter().map(|batch| batch.events.len()).sum();
    let before = resident()?;

    let views = Views::new(Arc::clone(&schema), options.clone());
    let (start, processor) = (Instant::now(), processor_seconds()?);
    for batch in &batches {
        views.apply(batch)?;
    }
    let (seconds, processor) = (start.elapsed().as_secs_f64(), processor_seconds()? - processor);
    let memory = resident()? - before;
    let (users, _) = views.actors();
    println!(
        "fold: {count} events in {seconds:.3} s, {:.3} us an event, {:.3} us of processor time, {} threads",
        seconds * 1e6 / count as f64,
        processor * 1e6 / count as f64,
        options.threads
    );
    let megabytes = memory as f64 / 1e6;
    println!(
        "memory: {megabytes:.1} MB for {users} users and {} items, {:.0} bytes a user",
        views.catalogue().len(),
        memory as f64 / users as f64
    );

    let folder = tempfile::tempdir()?;
    let start = Instant::now();
    let mut bytes = Vec::new();
    views.write_state(&mut bytes)?;
    println!("state: {:.1} MB written in {:.3} s", bytes.len() as f64 / 1e6, start.elapsed().as_secs_f64());
    let start = Instant::now();
    views.checkpoint(folder.path())?;
    println!("checkpoint: {:.3} s with its sync", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let (_, restored) = Views::open(folder.path(), schema, options)?;
    println!("restore: {:.3} s, {restored}", start.elapsed().as_secs_f64());
    reads(&views);
    Ok(())
}

/// Times what a request reads.
fn reads(views: &Views) {
    const TIMES: u32 = 2_000;
    let time = |name: &str, read: &dyn Fn(u32)| {
        let start = Instant::now();
        (0..TIMES).for_each(read);
        println!("{name}: {:.1} us", start.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES));
    };
    time("trending(100)", &|_| drop(views.trending(100, &|_| true, None)));
    time("neighbours(100)", &|item| drop(views.neighbours(item, 100)));
    time("profile", &|user| drop(views.profile(&Actor::user(UserId::trusted(user.to_string())))));
}

fn read(shape: &str, path: &Path) -> Result<Vec<Batch>, Box<dyn Error>> {
    let text = std::fs::read_to_string(path)?;
    let mut events = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let Some(user) = words.next() else { continue };
        let items: Vec<&str> = if shape == "split" { words.collect() } else { words.take(1).collect() };
        events.extend(items.into_iter().map(|item| (user, item)));
    }
    let stamped: Vec<Event> = events
        .into_iter()
        .enumerate()
        .map(|(index, (user, item))| {
            let time = Timestamp::from_seconds(1_700_000_000 + index as i64);
            let interaction = Interaction {
                kind: "click".into(),
                actor: Actor::user(UserId::trusted(user)),
                item: ItemId::trusted(item),
                value: None,
                request_id: None,
                context: Fields::default(),
            };
            let id = EventId::trusted(index.to_string());
            Event { id, time, received: time, fact: Fact::Interaction(interaction) }
        })
        .collect();
    let batches = stamped.chunks(BATCH).enumerate().map(|(index, events)| Batch {
        partition: Partition(0),
        first: (index * BATCH) as u64,
        events: events.into(),
    });
    Ok(batches.collect())
}

/// Processor time of this process, in user space: what is left to compare on a busy machine.
fn processor_seconds() -> Result<f64, Box<dyn Error>> {
    const TICKS_A_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(") ").ok_or("no name")?.1;
    let ticks: f64 = after_name.split_whitespace().nth(11).ok_or("no utime")?.parse()?;
    Ok(ticks / TICKS_A_SECOND)
}

/// Resident memory of this process, in bytes.
fn resident() -> Result<i64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kilobytes: i64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024)
}
