//! What encoding costs: nanoseconds to fit and to encode a row of 50 features of all kinds, and for 200 rows at once.
//!
//! `cargo run --release -p headwater-features --example encode_cost`

#![allow(clippy::print_stdout, clippy::disallowed_methods)] // It measures time and prints what it measured.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use headwater_base::random::stable_hash;
use headwater_base::{FeatureType, FeatureValue};
use headwater_features::encode::SparseEntry;
use headwater_features::{EncodedSchema, EncodingSpec, SchemaFitting};

const ROWS: usize = 1000;
const CANDIDATES: usize = 200;
const ROUNDS: usize = 200;

/// How many features have which encoder; 50 in all. `true` gives embeddings where there is a choice.
fn encoders(embedding: bool) -> Vec<(usize, FeatureType, String)> {
    use FeatureType::{Number, Word, Words};
    let output = if embedding { ", embedding" } else { "" };
    vec![
        (25, Number, "standardise(missing)".into()),
        (8, Number, "log1p(standardise, missing)".into()),
        (6, Number, format!("quantile_bins(16{output})")),
        (6, Word, format!("one_hot(50{output})")),
        (3, Word, "hashed(100000)".into()),
        (2, Words, format!("multi_hot(100{output})")),
    ]
}

fn specs(encoders: &[(usize, FeatureType, String)]) -> Result<Vec<EncodingSpec>, Box<dyn Error>> {
    let mut specs = Vec::new();
    for (times, kind, encoder) in encoders {
        for _ in 0..*times {
            let name = format!("feature_{}@1", specs.len());
            specs.push(EncodingSpec { name: name.into(), kind: *kind, encoder: encoder.parse()? });
        }
    }
    Ok(specs)
}

/// A value that depends on row and column alone; one in ten is missing.
fn value(kind: FeatureType, row: usize, column: usize) -> FeatureValue {
    let chance = stable_hash(&format!("{row} {column}"));
    let word = |chance: u64| format!("word-{}", chance % 80).into();
    match kind {
        _ if chance.is_multiple_of(10) => FeatureValue::Missing,
        FeatureType::Number => FeatureValue::Number((chance % 100_003) as f32 / 97.0),
        FeatureType::Word => FeatureValue::Word(word(chance / 10)),
        FeatureType::Words => FeatureValue::Words((1..4).map(|part| word(chance >> (8 * part))).collect()),
    }
}

/// The shortest of several rounds, over the rows of each: what it costs while nobody interrupts.
fn cost(mut round: impl FnMut() -> Result<(), Box<dyn Error>>, rows: usize) -> Result<f64, Box<dyn Error>> {
    let mut shortest = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        round()?;
        shortest = shortest.min(start.elapsed());
    }
    Ok(shortest.as_nanos() as f64 / rows as f64)
}

fn main() -> Result<(), Box<dyn Error>> {
    let alone = encoders(false).into_iter().map(|(_, kind, encoder)| (50, kind, encoder));
    for (name, encoders) in [("50 mixed, columns", encoders(false)), ("50 mixed, embeddings", encoders(true))]
        .map(|(name, encoders)| (name.to_owned(), encoders))
        .into_iter()
        .chain(alone.map(|encoder| (format!("50 {}", encoder.2), vec![encoder])))
    {
        let specs = specs(&encoders)?;
        let row =
            |row| specs.iter().enumerate().map(|(column, spec)| value(spec.kind, row, column)).collect();
        let rows: Vec<Vec<FeatureValue>> = (0..ROWS).map(row).collect();
        let fit = || {
            let mut fitting = SchemaFitting::new(specs.clone())?;
            rows.iter().try_for_each(|row| fitting.observe(row, 1.0))?;
            fitting.freeze().map_err(Box::<dyn Error>::from)
        };
        let schema: EncodedSchema = fit()?;
        let fitting = cost(|| fit().map(|schema| drop(black_box(schema))), ROWS)?;

        // The store's columns, in another order than the model's.
        let provided: Vec<_> = specs.iter().rev().map(|spec| (spec.name.as_str(), spec.kind)).collect();
        let binding = schema.bind(&provided)?;
        let stored: Vec<Vec<FeatureValue>> =
            rows.iter().map(|row| row.iter().rev().cloned().collect()).collect();
        let width = schema.dense_width();
        let mut dense = vec![0.0; width * CANDIDATES];
        let mut sparse: Vec<SparseEntry> = Vec::new();
        let encoding = cost(
            || {
                sparse.clear();
                for (place, row) in stored[..CANDIDATES].iter().enumerate() {
                    let dense = &mut dense[place * width..(place + 1) * width];
                    schema.encode_bound(&binding, row, dense, &mut sparse)?;
                }
                black_box((&dense, &sparse));
                Ok(())
            },
            CANDIDATES,
        )?;
        println!(
            "{name}: {width} columns, {} rows of embeddings; fit {fitting:.0} ns/row, encode {encoding:.0} ns/row, \
             {:.1} us for {CANDIDATES} rows",
            schema.sparse_size(),
            encoding * CANDIDATES as f64 / 1000.0
        );
    }
    Ok(())
}
