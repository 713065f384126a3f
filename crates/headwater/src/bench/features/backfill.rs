//! `backfill`: every event's features as of its moment, then the event folded, on one core.

use std::hint::black_box;
use std::path::Path;

use headwater_base::Event;
use headwater_features::Replay;
use headwater_log::Partition;

use super::core_time::{CoreTime, forget_peak, memory};
use super::data_set::DataSet;
use super::declared::{Declared, TWENTY};
use super::moments::{Moment, World, upserts};
use crate::bench::BenchError;
use crate::bench::report::{Figure, Report};

/// Events made at once, outside the timing: few enough to be near when they are folded, as those of a log's block are.
const CHUNK: usize = 1 << 14;

/// The events of a backfill.
pub(super) struct Input {
    name: String,
    events: Events,
}

enum Events {
    MadeUp(World, usize),
    Of(DataSet),
}

impl Input {
    /// So many events of a made-up world.
    pub(super) fn made_up(world: World, events: usize) -> Self {
        let name = match events {
            events if events % 1_000_000 == 0 => format!("{}m", events / 1_000_000),
            events => events.to_string(),
        };
        Self { name, events: Events::MadeUp(world, events) }
    }

    /// A data set, named as its folder.
    pub(super) fn data_set(path: &Path, events: DataSet) -> Self {
        let name = path.file_name().map_or("data".into(), |name| name.to_string_lossy().replace('-', "_"));
        Self { name, events: Events::Of(events) }
    }

    fn run(&self, declared: &Declared) -> Result<Backfill, BenchError> {
        let (done, _) = match &self.events {
            Events::MadeUp(world, events) => {
                backfill(declared, &world.categories(), world.moments().take(*events), true)?
            }
            Events::Of(data) => backfill(declared, &data.categories, data.moments.iter().copied(), true)?,
        };
        Ok(done)
    }
}

/// Measures the backfill of the twenty over each input, in turn, `rounds` times.
pub(super) fn run(report: &mut Report, inputs: &[Input], rounds: usize) -> Result<(), BenchError> {
    let declared = Declared::compile(TWENTY)?;
    let mut rates = vec![Vec::new(); inputs.len()];
    let mut shares = Vec::new();
    // The largest input of the first round decides on the peak: later rounds find what earlier ones left.
    let before = memory("VmRSS")?;
    forget_peak()?;
    let mut peaks = vec![0.0_f64; inputs.len()];
    for round in 0..rounds {
        for (index, input) in inputs.iter().enumerate() {
            let done = input.run(&declared)?;
            rates[index].push(done.events as f64 / done.core);
            shares.push(done.core / done.clock);
            if round == 0 {
                peaks[index] = memory("VmHWM")? - before;
            }
        }
    }
    let medians: Vec<f64> = rates.iter().map(|rates| Figure::median(rates, "1/s").value).collect();
    let least = medians.iter().copied().fold(f64::INFINITY, f64::min);
    report.figures.add("events_per_second", Figure::once(least, "1/s"));
    for (input, rates) in inputs.iter().zip(&rates) {
        report.figures.add(format!("events_per_second_{}", input.name), Figure::median(rates, "1/s"));
    }
    let mut made_up: Vec<(usize, f64)> = inputs
        .iter()
        .zip(&medians)
        .filter_map(|(input, rate)| match input.events {
            Events::MadeUp(_, events) => Some((events, *rate)),
            Events::Of(_) => None,
        })
        .collect();
    made_up.sort_by_key(|(events, _)| *events);
    if let [(_, few), .., (_, many)] = made_up.as_slice() {
        report.figures.add("growth", Figure::once(many / few, "ratio"));
    }
    let peak = peaks.iter().copied().fold(0.0, f64::max);
    report.figures.add("backfill_peak_bytes", Figure::once(peak, "bytes"));
    report.notes.push(format!(
        "backfill: {} features, each event's features read as of its moment and then the event folded, by the time \
         on one core ({:.0} % of the clock's); the least of {}; growth: the rate of the most made-up events by that \
         of the fewest; peak: resident memory above the start's",
        declared.names.len(),
        Figure::median(&shares, "").value * 100.0,
        inputs.iter().map(|input| input.name.as_str()).collect::<Vec<_>>().join(", "),
    ));
    Ok(())
}

/// What a backfill took and gave.
#[derive(Debug, Default)]
pub(super) struct Backfill {
    pub(super) events: u64,
    /// Time on a core and by the clock, seconds.
    pub(super) core: f64,
    pub(super) clock: f64,
    /// By column: the sum of all numbers.
    pub(super) sums: Vec<f64>,
}

/// Folds `moments` after the upserts of the items; with `reads`, each event's features are read before it.
pub(super) fn backfill(
    declared: &Declared,
    categories: &[u32],
    moments: impl Iterator<Item = Moment>,
    reads: bool,
) -> Result<(Backfill, Replay), BenchError> {
    let columns = if reads { declared.columns() } else { Vec::new() };
    let mut replay = Replay::new(&declared.schema, &declared.options);
    let mut offset = 0;
    for event in upserts(categories) {
        replay.fold(Partition(0), offset, &event);
        offset += 1;
    }
    let mut table = replay.table(&columns);
    let mut done = Backfill { sums: vec![0.0; columns.len()], ..Backfill::default() };
    let mut moments = moments.peekable();
    let mut events: Vec<Event> = Vec::with_capacity(CHUNK);
    while moments.peek().is_some() {
        events.clear();
        events.extend((offset..).zip(moments.by_ref().take(CHUNK)).map(|(at, moment)| moment.event(at)));
        let time = CoreTime::start()?;
        replay.backfill(Partition(0), (offset..).zip(&events), &mut table);
        for (column, sum) in done.sums.iter_mut().enumerate() {
            let numbers = black_box(&table).numbers(column).into_iter().flatten();
            *sum += numbers.filter(|number| !number.is_nan()).map(f64::from).sum::<f64>();
        }
        let (core, clock) = time.seconds()?;
        done.core += core;
        done.clock += clock;
        done.events += events.len() as u64;
        offset += events.len() as u64;
    }
    Ok((done, replay))
}
