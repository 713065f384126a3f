//! `windowed`: five windowed features by the fold, beside Polars on the same events in the same run.
//!
//! Polars is given the events sorted by time as columns in memory, and computes each feature in three ways: running
//! totals and an as-of join by the entity for the tail of the window; the same with one column that holds entity and
//! time, which spares the grouping of the join; and rolling sums. Its tails hop as ours do, except for the rolling sums,
//! which cannot; then the sums of all values must be the same on both sides.

use std::path::Path;

use serde_json::{Value, json};

use super::backfill::{Backfill, backfill};
use super::declared::{Declared, FIVE};
use super::moments::{Moment, World};
use crate::bench::BenchError;
use crate::bench::peer::Environment;
use crate::bench::report::{Figure, Figures, Report};

const PACKAGES: [&str; 2] = ["polars", "numpy"];
const SCRIPT: &str = include_str!("../peers/polars_windows.py");
/// Ways in which Polars computes them.
const WAYS: [&str; 3] = ["asof_by", "asof_merged", "rolling"];
/// Largest relative difference of the sums of a column: ours are 32-bit numbers.
const TOLERANCE: f64 = 1e-6;

/// Computes them on both sides, in turn, `rounds` times.
pub(super) fn run(
    report: &mut Report,
    world: World,
    events: usize,
    rounds: usize,
    with_peer: bool,
) -> Result<(), BenchError> {
    // A late event changes what is known only after it is received, which a join by event time cannot express.
    let world = World { late: 0.0, ..world };
    let declared = Declared::compile(FIVE)?;
    let categories = world.categories();
    let mut ours = Vec::new();
    let mut theirs: Vec<Theirs> = Vec::new();
    let folder = tempfile::tempdir().map_err(BenchError::io("making a temporary folder"))?;
    let mut environment = None;
    if with_peer {
        match Environment::prepare("polars", &PACKAGES) {
            Ok(found) => {
                write(folder.path(), &categories, world.moments().take(events))?;
                environment = Some(found);
            }
            Err(reason) => report.notes.push(format!("no Polars beside: {reason}")),
        }
    }
    for _ in 0..rounds {
        let (done, _) = backfill(&declared, &categories, world.moments().take(events), true)?;
        ours.push(done);
        // Threads of Polars are set before it is loaded: 0 stands for its default.
        for threads in environment.iter().flat_map(|_| [1, 0]) {
            let Some(environment) = &environment else { continue };
            let arguments = [folder.path().display().to_string(), events.to_string(), threads.to_string()];
            let mut peer = environment.start(SCRIPT, folder.path(), &arguments)?;
            let ready = peer.reply()?;
            for way in WAYS {
                let reply = peer.order(&json!({ "way": way }))?;
                theirs.push(Theirs::read(way, threads == 1, &ready, &reply)?);
            }
        }
    }
    add(report, events, &declared, &ours, &theirs)
}

/// One run of the peer.
struct Theirs {
    way: &'static str,
    single: bool,
    version: String,
    core: f64,
    clock: f64,
    sums: Vec<f64>,
}

impl Theirs {
    fn read(way: &'static str, single: bool, ready: &Value, reply: &Value) -> Result<Self, BenchError> {
        let number = |key: &str| {
            let found = reply[key].as_f64();
            found.ok_or_else(|| BenchError::Answer(format!("no `{key}` in the peer's {reply}")))
        };
        let sums = reply["sums"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        let version = ready["version"].as_str().unwrap_or("of an unknown version").to_owned();
        Ok(Self { way, single, version, core: number("core")?, clock: number("clock")?, sums })
    }
}

fn add(
    report: &mut Report,
    events: usize,
    declared: &Declared,
    ours: &[Backfill],
    theirs: &[Theirs],
) -> Result<(), BenchError> {
    let per_second = |seconds: Vec<f64>| {
        let rates: Vec<f64> = seconds.iter().map(|seconds| events as f64 / seconds).collect();
        Figure::median(&rates, "1/s")
    };
    let own = per_second(ours.iter().map(|run| run.core).collect());
    report.figures.add("windowed_events_per_second", own.clone());
    let mut beside = Figures::default();
    let mut best: Option<(f64, String)> = None;
    for (single, threads) in [(true, "one_thread"), (false, "all_threads")] {
        for way in WAYS {
            let runs = || theirs.iter().filter(|run| run.way == way && run.single == single);
            if runs().next().is_none() {
                continue;
            }
            // One thread is compared by its time on a core, several by the clock.
            let seconds = runs().map(|run| if single { run.core } else { run.clock }).collect();
            let figure = per_second(seconds);
            report
                .figures
                .add(format!("speedup_{way}_{threads}"), Figure::once(own.value / figure.value, "ratio"));
            if best.as_ref().is_none_or(|(rate, _)| figure.value > *rate) {
                best = Some((figure.value, format!("{way} with {threads}")));
            }
            beside.add(format!("windowed_events_per_second_{way}_{threads}"), figure);
        }
    }
    for run in theirs.iter().filter(|run| run.way != "rolling") {
        compare(declared, &ours[0].sums, run)?;
    }
    if let (Some(version), Some((rate, way))) = (theirs.first().map(|run| run.version.clone()), best) {
        report.figures.add("windowed_speedup", Figure::once(own.value / rate, "ratio"));
        report.notes.push(format!(
            "windowed: {} over {events} events, ours on one core; the fastest of Polars is {way}",
            declared.names.join(", ")
        ));
        report.beside.push((format!("polars {version}"), beside));
    }
    Ok(())
}

/// Refuses a race in which the two sides did not compute the same.
fn compare(declared: &Declared, ours: &[f64], theirs: &Theirs) -> Result<(), BenchError> {
    for (column, name) in declared.names.iter().enumerate() {
        let (own, other) = (ours[column], theirs.sums.get(column).copied().unwrap_or(f64::NAN));
        let same = (own - other).abs() <= TOLERANCE * own.abs().max(1.0);
        if !same {
            let way = theirs.way;
            return Err(BenchError::Answer(format!("{name} adds up to {own} here and {other} by {way}")));
        }
    }
    Ok(())
}

/// Writes the columns for the peer, 8 bytes a number.
fn write(folder: &Path, categories: &[u32], moments: impl Iterator<Item = Moment>) -> Result<(), BenchError> {
    use std::io::Write as _;

    let names = ["time", "user", "item", "category", "kind", "value"];
    let failed = |error| BenchError::io("writing events for the peer")(error);
    let open = |name| std::fs::File::create(folder.join(name)).map(std::io::BufWriter::new);
    let mut files = names.map(open).into_iter().collect::<Result<Vec<_>, _>>().map_err(failed)?;
    for moment in moments {
        let numbers = [
            moment.time,
            i64::from(moment.user),
            i64::from(moment.item),
            i64::from(categories[moment.item as usize]),
            i64::from(moment.kind),
        ];
        let value = f64::from(moment.value.unwrap_or_default());
        let words = numbers.iter().map(|number| number.to_le_bytes()).chain([value.to_le_bytes()]);
        for (file, word) in files.iter_mut().zip(words) {
            file.write_all(&word).map_err(failed)?;
        }
    }
    files.iter_mut().try_for_each(std::io::Write::flush).map_err(failed)
}
