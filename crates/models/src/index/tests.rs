//! The index against a scan of every row in f32, bit for bit.

use headwater_base::random::{Random, seeded};
use rand::Rng as _;

use super::*;
use crate::top::compare;

fn uniform(random: &mut Random) -> f32 {
    random.next_u32() as f32 / u32::MAX as f32 * 2.0 - 1.0
}

/// Every row scored in f32, filtered, sorted.
fn scan(index: &QuantisedIndex, query: &[f32], limit: usize, allow: &dyn Allow) -> Vec<Scored> {
    let rows: Vec<Row> = (0..index.len() as Row).collect();
    let mut scores = vec![0.0; rows.len()];
    index.score(query, &rows, &mut scores);
    let scored = rows.into_iter().zip(scores).map(|(row, score)| Scored { row, score });
    let mut all: Vec<Scored> = scored.filter(|s| s.score.is_finite() && allow.allows(s.row)).collect();
    all.sort_by(compare);
    all.truncate(limit);
    all
}

fn check(index: &QuantisedIndex, query: &[f32]) {
    for limit in [1, 2, 7, 100, 10_000] {
        let all = |_: Row| true;
        assert_eq!(index.search(query, limit, &all), scan(index, query, limit, &all), "limit {limit}");
        let some = |row: Row| row % 7 == 3;
        assert_eq!(index.search(query, limit, &some), scan(index, query, limit, &some), "limit {limit}");
    }
}

#[test]
fn random_rows_of_many_lengths() {
    for (dimensions, rows) in [(1, 300), (3, 50), (16, 1_000), (50, 700), (128, 1_500)] {
        let mut random = seeded(11, "index");
        let vectors: Vec<f32> = (0..rows * dimensions).map(|_| uniform(&mut random)).collect();
        let index = QuantisedIndex::from_rows(dimensions, &vectors).unwrap();
        for _ in 0..3 {
            let query: Vec<f32> = (0..dimensions).map(|_| uniform(&mut random)).collect();
            check(&index, &query);
        }
    }
}

#[test]
fn adversarial_rows_and_queries() {
    let d = 20;
    let mut random = seeded(12, "index");
    let mut index = QuantisedIndex::new(d);
    let base: Vec<f32> = (0..d).map(|_| uniform(&mut random)).collect();
    for k in 0..600u32 {
        let row: Vec<f32> = match k % 8 {
            // Many rows that differ by less than the codes can tell, and some that do not differ at all.
            0 | 1 => base.iter().map(|x| x * (1.0 + 1e-6 * (k / 16) as f32)).collect(),
            2 => base.clone(),
            // One large number drowns the others' codes.
            3 => (0..d).map(|j| if j == 0 { 1e6 } else { uniform(&mut random) }).collect(),
            4 => vec![0.0; d],
            // Subnormal, tiny and huge rows.
            5 => (0..d).map(|_| uniform(&mut random) * 1e-44).collect(),
            6 => (0..d).map(|_| uniform(&mut random) * 1e-20).collect(),
            _ => (0..d).map(|_| uniform(&mut random) * 3e38).collect(),
        };
        index.append(&row).unwrap();
    }
    let mut queries = vec![base.clone(), vec![0.0; d], base.iter().map(|x| -x).collect()];
    for size in [1e-44, 1e-38, 1e-20, 1e20, 3e38] {
        queries.push(base.iter().map(|x| x * size).collect());
    }
    queries.push((0..d).map(|j| if j == 3 { 1e30 } else { 1.0 }).collect());
    for query in queries {
        check(&index, &query);
    }
}

#[test]
fn the_filter_is_asked_little() {
    let mut random = seeded(13, "index");
    let vectors: Vec<f32> = (0..5_000 * 32).map(|_| uniform(&mut random)).collect();
    let index = QuantisedIndex::from_rows(32, &vectors).unwrap();
    let query: Vec<f32> = (0..32).map(|_| uniform(&mut random)).collect();
    let asked = std::cell::Cell::new(0);
    let allow = |row: Row| {
        asked.set(asked.get() + 1);
        row.is_multiple_of(2)
    };
    assert_eq!(index.search(&query, 50, &allow).len(), 50);
    assert!(asked.get() < 300, "asked {} times", asked.get());
}

#[test]
fn appending_leaves_earlier_snapshots_alone() {
    let mut index = QuantisedIndex::new(2);
    assert!(index.search(&[1.0, 0.0], 5, &|_: Row| true).is_empty());
    for k in 0..600 {
        index.append(&[k as f32, 1.0]).unwrap();
    }
    let before = index.clone();
    assert_eq!(index.append(&[1e3, 1.0]).unwrap(), 600);
    assert_eq!((before.len(), index.len()), (600, 601));
    assert_eq!(before.search(&[1.0, 0.0], 1, &|_: Row| true)[0].row, 599);
    assert_eq!(index.search(&[1.0, 0.0], 1, &|_: Row| true)[0].row, 600);
    assert_eq!((before.row(600), index.row(600)), (None, Some(&[1e3, 1.0][..])));
    assert!(
        Arc::ptr_eq(&before.chunks[0], &index.chunks[0]) && !Arc::ptr_eq(&before.chunks[2], &index.chunks[2])
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut index = QuantisedIndex::new(2);
    assert!(index.append(&[1.0]).is_err() && index.append(&[1.0, f32::NAN]).is_err());
    assert!(QuantisedIndex::from_rows(2, &[1.0; 3]).is_err() && QuantisedIndex::from_rows(0, &[]).is_err());
    index.append(&[1.0, 2.0]).unwrap();
    assert!(index.search(&[1.0], 3, &|_: Row| true).is_empty());
    assert!(index.search(&[f32::NAN, 1.0], 3, &|_: Row| true).is_empty());
}
