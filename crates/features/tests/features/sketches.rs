//! Beyond what is kept as it is: distinct counts, quantiles and frequent words within the errors that they promise, in one
//! tile, over the tiles of a window, and after a session was merged into a user.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use headwater_base::{Actor, Event, Fact, FeatureValue, Fields, SessionId, UserId};
use headwater_features::declared::{Aggregate, Attribute, Definition, Part};
use headwater_features::{FeatureRequest, FeatureSpec, Replay, Views};
use headwater_log::{Batch, Partition};

use super::world::*;

/// The standard error of HyperLogLog with 2^11 registers, 1.04 / sqrt(2^11).
const DISTINCT_ERROR: f64 = 0.023;
/// How far a quantile's rank may be off.
const RANK_ERROR: f64 = 0.02;
/// Of `n` words, a count is at most `n / FREQUENT` too low: Misra and Gries, with so many words in a tile.
const FREQUENT: usize = 128;
/// The value at a place.
type Shape = fn(usize, &mut Numbers) -> f32;
/// Days over which the events of a test are spread.
const DAYS: i64 = 20;

/// Pseudo-random numbers, the same every time (Steele, Lea and Flood, 2014).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// In [0, 1).
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// One tile for everything, and one for each of 20 days.
fn both(aggregate_of: &Aggregate) -> Vec<FeatureSpec> {
    let spec =
        |window| Definition::Aggregate(aggregate(&[Part::User], aggregate_of.clone(), &[], window, None));
    vec![feature("whole", spec(None)), feature("days", spec(Some((DAYS + 1) * DAY)))]
}

/// Reads the features of user `u` after `events`, of which a random half were done by an anonymous session that turned
/// out to be that user.
fn read(
    specs: &[FeatureSpec],
    events: &[(Option<f32>, String)],
    numbers: &mut Numbers,
) -> [Vec<FeatureValue>; 2] {
    let merge = Fact::Merge { session: SessionId::trusted("s"), user: UserId::trusted("u") };
    let step = DAYS * DAY / events.len() as i64;
    let mut logs: [Vec<Event>; 2] = [Vec::new(), Vec::new()];
    for (number, (value, item)) in (0..).zip(events) {
        let halved = if numbers.next().is_multiple_of(2) { session("s") } else { user("u") };
        for (log, actor) in logs.iter_mut().zip([user("u"), halved]) {
            log.push(event(number * step, number * step, interaction("click", actor, item, *value)));
        }
    }
    logs[1].push(event(DAYS * DAY, DAYS * DAY, merge));
    logs.map(|log| {
        let mut replay = Replay::new(&schema(), &options(specs));
        (0..).zip(&log).for_each(|(offset, event)| replay.fold(Partition(0), offset, event));
        let (actor, context) = (user("u"), Fields::default());
        let request = FeatureRequest { actor: &actor, context: &context, time: at(DAYS * DAY) };
        replay.features(&request, &columns(specs), &[None]).row(0).cloned().collect()
    })
}

fn number(value: &FeatureValue) -> f64 {
    match value {
        FeatureValue::Number(number) => f64::from(*number),
        other => panic!("{other:?} is no number"),
    }
}

#[test]
fn different_items_are_counted_within_the_error() {
    let mut numbers = Numbers(1);
    let specs = both(&Aggregate::Distinct(Attribute::Item));
    let mut squares = Vec::new();
    for different in [40, 209, 1_000, 5_000] {
        for run in 0..6 {
            // Each comes once or twice.
            let mut events: Vec<(Option<f32>, String)> = Vec::new();
            for item in 0..different {
                let times = 1 + usize::from(numbers.next().is_multiple_of(3));
                // Other items than before, so that the errors are independent.
                events.extend(vec![(None, format!("r{run}-{}-{item}", numbers.next())); times]);
            }
            for values in read(&specs, &events, &mut numbers) {
                for value in &values {
                    let error = number(value) / f64::from(different) - 1.0;
                    assert!(error.abs() < 4.0 * DISTINCT_ERROR, "{value:?} of {different}");
                    squares.push(error * error);
                }
            }
        }
    }
    let error = (squares.iter().sum::<f64>() / squares.len() as f64).sqrt();
    assert!(error < DISTINCT_ERROR, "{error}");
    assert!(error > 0.0, "it was exact, so no sketch was read");
}

#[test]
fn quantiles_are_within_the_error_of_their_rank() {
    let mut numbers = Numbers(2);
    let specs: Vec<FeatureSpec> = [0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 1.0]
        .iter()
        .flat_map(|rank| both(&Aggregate::Quantile(*rank)))
        .collect();
    // Even, with a long tail, over many orders of magnitude, sorted either way, moving on, and with few different values.
    // Between two values that come often a digest interpolates, so there a value near by counts as the value.
    let shapes: [(f64, Shape); 7] = [
        (0.0, |_, numbers| numbers.share() as f32),
        (0.0, |_, numbers| (60.0 * numbers.share() - 30.0).exp() as f32),
        (0.0, |place, _| -(place as f32)),
        (0.0, |place, numbers| ((place / 1_000) as f64 * 10.0 + numbers.share()) as f32),
        (0.0, |_, numbers| (1.0 / (1.0 - numbers.share())) as f32),
        (0.0, |place, _| place as f32),
        (0.05, |_, numbers| (numbers.next() % 5) as f32),
    ];
    let mut worst: f64 = 0.0;
    for (near, shape) in shapes {
        for many in [129, 400, 20_000] {
            let values: Vec<f32> = (0..many).map(|place| shape(place, &mut numbers)).collect();
            let events: Vec<_> = values.iter().map(|value| (Some(*value), "i".to_owned())).collect();
            let ranks = [0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 1.0];
            for read in read(&specs, &events, &mut numbers) {
                for (rank, read) in ranks.iter().flat_map(|rank| [rank, rank]).zip(&read) {
                    let got = number(read);
                    let share = |holds: &dyn Fn(f64) -> bool| {
                        values.iter().filter(|value| holds(f64::from(**value))).count() as f64
                            / f64::from(many as u32)
                    };
                    // The ranks that the value has: an interval where it comes more than once or lies between two.
                    let (below, up_to) =
                        (share(&|value| value < got - near), share(&|value| value <= got + near));
                    let error = (below - rank).max(rank - up_to);
                    worst = worst.max(error);
                    assert!(error <= RANK_ERROR, "{got} at {rank} of {many}: ranks {below} to {up_to}");
                    let (least, most) = (
                        values.iter().copied().fold(f32::MAX, f32::min),
                        values.iter().copied().fold(f32::MIN, f32::max),
                    );
                    assert!(got >= f64::from(least) && got <= f64::from(most));
                    assert!(*rank != 0.0 || got == f64::from(least), "{got} is not the least, {least}");
                    assert!(*rank != 1.0 || got == f64::from(most), "{got} is not the most, {most}");
                }
            }
        }
    }
    assert!(worst > 0.0, "it was exact, so no sketch was read");
}

#[test]
fn frequent_words_are_those_that_misra_and_gries_promise() {
    let mut numbers = Numbers(3);
    let k = 10;
    let specs = both(&Aggregate::TopK { of: Attribute::Item, k });
    for many in [200, 3_000, 10_000] {
        let mut counts: HashMap<String, usize> = HashMap::new();
        let mut events = Vec::new();
        for _ in 0..many {
            // A long tail: item n comes about 1 / n as often as the first.
            let item = format!("i{}", (2_000f64.powf(numbers.share())) as usize);
            *counts.entry(item.clone()).or_default() += 1;
            events.push((None, item));
        }
        let mut sorted: Vec<usize> = counts.values().copied().collect();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        let too_low = many / FREQUENT;
        for values in read(&specs, &events, &mut numbers) {
            for value in values {
                let FeatureValue::Words(words) = &value else { panic!("{value:?} are no words") };
                assert_eq!(words.iter().collect::<HashSet<_>>().len(), k, "{value:?}");
                for word in words.iter() {
                    let count = counts[word.as_str()];
                    assert!(
                        count + too_low >= sorted[k - 1],
                        "{word} came {count} times, of {:?}",
                        &sorted[..k]
                    );
                }
                for (word, count) in &counts {
                    let certain = *count > sorted[k] + too_low;
                    assert!(!certain || words.iter().any(|other| other == word), "{word} came {count} times");
                }
            }
        }
    }
}

#[test]
fn as_many_frequent_words_are_given_as_may_be_asked() {
    let k = 100;
    let specs = both(&Aggregate::TopK { of: Attribute::Item, k });
    let events: Vec<_> = (0..300).map(|number| (None, format!("i{}", number % k))).collect();
    for values in read(&specs, &events, &mut Numbers(4)) {
        for value in values {
            let FeatureValue::Words(words) = &value else { panic!("{value:?} are no words") };
            assert_eq!(words.len(), k);
        }
    }
}

/// The same events give the same bytes, whatever was read from a checkpoint on the way.
#[test]
fn sketches_are_the_same_bytes_every_time() {
    let aggregates = [
        Aggregate::Distinct(Attribute::Item),
        Aggregate::Quantile(0.5),
        Aggregate::TopK { of: Attribute::Item, k: 10 },
        Aggregate::LastN { of: Attribute::Item, n: 100 },
    ];
    let specs: Vec<FeatureSpec> = aggregates
        .iter()
        .flat_map(both)
        .enumerate()
        .map(|(number, spec)| feature(&format!("f{number}"), spec.definition))
        .collect();
    let mut numbers = Numbers(5);
    let who = |number: u64| -> Actor { [user("u"), session("s")][(number % 2) as usize].clone() };
    let mut log: Vec<Event> = (0..8_000)
        .map(|number| {
            let time = number * DAYS * DAY / 8_000;
            let value = Some(numbers.share() as f32);
            let item = format!("i{}", numbers.next() % 900);
            event(time, time, interaction("click", who(numbers.next()), &item, value))
        })
        .collect();
    let merge = Fact::Merge { session: SessionId::trusted("s"), user: UserId::trusted("u") };
    log.insert(6_000, event(15 * DAY, 15 * DAY, merge));
    let fold = |restores: &[usize]| {
        let schema = Arc::new(schema());
        let mut views = Views::new(Arc::clone(&schema), options(&specs));
        let bytes = |views: &Views| {
            let mut bytes = Vec::new();
            views.write_state(&mut bytes).expect("memory takes all");
            bytes
        };
        let mut first = 0;
        for until in restores.iter().copied().chain([log.len()]) {
            let batch =
                Batch { partition: Partition(0), first: first as u64, events: log[first..until].into() };
            views.apply(&batch).expect("no gap");
            views = Views::read_state(Arc::clone(&schema), options(&specs), &mut &bytes(&views)[..])
                .expect("a state");
            first = until;
        }
        bytes(&views)
    };
    let once = fold(&[]);
    for restores in [vec![50], vec![40, 1_000, 1_001, 5_999], vec![6_000, 6_001, 7_500]] {
        assert!(once == fold(&restores), "restored at {restores:?}");
    }
}
