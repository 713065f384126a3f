//! Searches through each coarse stage against exact ones.

use std::sync::{Arc, Mutex};

use headwater_base::random::{Random, seeded};
use proptest::prelude::*;

use super::*;
use crate::model::{Allow, Scored};

/// Every stage there is, as its defaults have it.
fn stages() -> Vec<CoarseOptions> {
    // One thread, so that the graph is the same each time; walks over few rows that cost more than reading them.
    let graph = GraphOptions { degree: 32, list: 64, step_cost: 1.0, threads: 1, ..GraphOptions::default() };
    with_graph(CoarseOptions::default(), graph)
}

fn with_graph(clusters: CoarseOptions, graph: GraphOptions) -> Vec<CoarseOptions> {
    let mut all = vec![clusters];
    all.extend(crate::index::GRAPH_BUILT_IN.then_some(CoarseOptions::Graph(graph)));
    all
}

/// The same for a few rows.
fn small_stages(seed: u64) -> Vec<CoarseOptions> {
    let clusters = ClusterOptions { clusters: 5, seed, recall: 0.8, ..ClusterOptions::default() };
    let graph = GraphOptions {
        degree: 4,
        list: 8,
        step_cost: 0.1,
        recall: 0.8,
        threads: 1,
        ..GraphOptions::default()
    };
    with_graph(CoarseOptions::Clusters(clusters), graph)
}

/// Clusters of a certain number.
fn clusters(clusters: usize) -> CoarseOptions {
    CoarseOptions::Clusters(ClusterOptions { clusters, ..ClusterOptions::default() })
}

fn uniform(random: &mut Random) -> f32 {
    random.next_u32() as f32 / u32::MAX as f32 * 2.0 - 1.0
}

/// Vectors around a few tastes, some of them much longer than others, and queries of the same tastes.
fn vectors(rows: usize, d: usize, stream: &str) -> (Vec<f32>, Vec<f32>) {
    let mut random = seeded(5, stream);
    let tastes: Vec<f32> =
        (0..30 * d).map(|k| uniform(&mut random) / (1.0 + (k % d) as f32).sqrt()).collect();
    let mut around = |count: usize, spread: f32| {
        let mut all = Vec::with_capacity(count * d);
        for _ in 0..count {
            let taste = random.next_u32() as usize % 30 * d;
            let length = (uniform(&mut random) * spread).exp();
            let near = tastes[taste..taste + d].iter();
            all.extend(near.map(|x| length * (x + 0.2 * uniform(&mut random))));
        }
        all
    };
    (around(rows, 1.0), around(60, 0.1))
}

fn built(rows: usize, d: usize, options: &CoarseOptions) -> (QuantisedIndex, Vec<f32>) {
    let (vectors, queries) = vectors(rows, d, "coarse");
    let mut index = QuantisedIndex::from_rows(d, &vectors).unwrap();
    let coarse = Coarse::build(&index, &queries[..40 * d], options).unwrap();
    index.attach(Arc::new(coarse)).unwrap();
    (index, queries[40 * d..].to_vec())
}

fn recall(exact: &[Scored], found: &[Scored]) -> f64 {
    let met = exact.iter().filter(|scored| found.contains(scored)).count();
    met as f64 / exact.len().max(1) as f64
}

#[test]
fn recall_is_what_was_reported_and_few_rows_are_read() {
    for options in stages() {
        let (index, queries) = built(12_000, 24, &options);
        let report = *index.coarse().unwrap().report();
        assert!(report.recall > 0.9 && report.share < 0.3 && report.rows == 12_000, "{report:?}");
        let all = |_: Row| true;
        let measured: Vec<f64> = queries
            .chunks_exact(24)
            .map(|query| recall(&index.search_exact(query, 100, &all), &index.search(query, 100, &all)))
            .collect();
        let mean = measured.iter().sum::<f64>() / measured.len() as f64;
        assert!(mean > 0.9, "{options:?}: {mean}");
    }
}

#[test]
fn reading_every_cluster_is_the_exact_answer_bit_for_bit() {
    let (index, queries) = built(3_000, 10, &clusters(40));
    let clusters = index.coarse().unwrap();
    for query in queries.chunks_exact(10) {
        for limit in [1, 20, 500] {
            let all = |_: Row| true;
            let visit = index.visit_coarse(clusters, &QuantisedQuery::new(query), 40, limit, &all);
            assert_eq!(visit.top.into_ranked(), index.search_exact(query, limit, &all));
        }
    }
}

#[test]
fn a_recall_of_one_asks_for_every_cluster_that_held_anything() {
    let options = CoarseOptions::Clusters(ClusterOptions { recall: 1.0, ..ClusterOptions::default() });
    let (vectors, queries) = vectors(4_000, 16, "one");
    let index = QuantisedIndex::from_rows(16, &vectors).unwrap();
    // The same queries choose and measure: each stands twice.
    let doubled: Vec<f32> =
        queries.chunks_exact(16).flat_map(|query| [query, query]).flatten().copied().collect();
    assert_eq!(Coarse::build(&index, &doubled, &options).unwrap().report().recall, 1.0);
}

#[test]
fn the_same_rows_options_and_seed_give_the_same_answers() {
    for options in stages() {
        let build = || built(5_000, 16, &options);
        let ((one, queries), (other, _)) = (build(), build());
        assert_eq!(one.coarse().unwrap().report(), other.coarse().unwrap().report());
        for query in queries.chunks_exact(16) {
            assert_eq!(one.search(query, 50, &|_: Row| true), other.search(query, 50, &|_: Row| true));
        }
    }
}

#[cfg(feature = "graph-index")]
#[test]
fn a_walk_dearer_than_reading_every_row_is_not_walked() {
    let options = GraphOptions { degree: 8, list: 16, step_cost: 1e6, ..GraphOptions::default() };
    let (index, queries) = built(3_000, 16, &CoarseOptions::Graph(options));
    let report = index.coarse().unwrap().report();
    assert_eq!((report.recall, report.share, report.width), (1.0, 1.0, 3_000));
    for query in queries.chunks_exact(16) {
        let all = |_: Row| true;
        assert_eq!(index.search(query, 50, &all), index.search_exact(query, 50, &all));
    }
}

struct Listed(Vec<Row>);

impl Allow for Listed {
    fn allows(&self, row: Row) -> bool {
        self.0.contains(&row)
    }

    fn listed(&self) -> Option<&[Row]> {
        Some(&self.0)
    }
}

#[test]
fn filters_are_honoured_and_those_that_refuse_nearly_all_still_fill_the_list() {
    for options in stages() {
        let (index, queries) = built(12_000, 24, &options);
        for query in queries.chunks_exact(24) {
            for every in [2, 10, 400] {
                let allow = |row: Row| row.is_multiple_of(every);
                let found = index.search(query, 30, &allow);
                assert_eq!(found.len(), 30, "one in {every}");
                assert!(found.iter().all(|scored| allow(scored.row)));
                let exact = index.search_exact(query, 30, &allow);
                assert!(recall(&exact, &found) > 0.6, "one in {every}");
                if every == 400 {
                    assert_eq!(found, exact);
                }
            }
            let listed = Listed(vec![17, 4_000, 11_999, 60_000]);
            let allow = |row: Row| listed.0.contains(&row);
            assert_eq!(index.search(query, 30, &listed), index.search_exact(query, 30, &allow));
            assert_eq!(index.search(query, 30, &listed).len(), 3);
        }
    }
}

#[test]
fn a_stage_built_from_a_clone_joins_what_the_index_became() {
    let (vectors, queries) = vectors(4_000, 16, "join");
    for options in stages() {
        let mut index = QuantisedIndex::from_rows(16, &vectors[..3_000 * 16]).unwrap();
        let snapshot = index.clone();
        for vector in vectors[3_000 * 16..].chunks_exact(16) {
            index.append(vector).unwrap();
        }
        index.remove(7);
        let coarse = Arc::new(Coarse::build(&snapshot, &queries, &options).unwrap());
        index.attach(Arc::clone(&coarse)).unwrap();
        assert_eq!((index.tail(), coarse.report().rows), (1_000, 3_000));
        // What came later is read by every search, so the best of it is always found.
        let query = &vectors[3_500 * 16..3_501 * 16];
        let late = |row: Row| row >= 3_000;
        assert_eq!(index.search(query, 5, &late), index.search_exact(query, 5, &late));
        assert!(!index.search(&vectors[7 * 16..8 * 16], 4_000, &|_: Row| true).iter().any(|s| s.row == 7));

        let mut other = QuantisedIndex::new(15);
        assert!(other.attach(Arc::clone(&coarse)).is_err());
        assert!(QuantisedIndex::new(16).attach(coarse).is_err());
        assert!(Coarse::build(&index, &queries[..16], &options).is_err());
    }
    let index = QuantisedIndex::from_rows(16, &vectors).unwrap();
    let graph = Coarse::build(&index, &queries, &CoarseOptions::Graph(GraphOptions::default()));
    assert_eq!(graph.is_ok(), crate::index::GRAPH_BUILT_IN);
    let thin = Coarse::build(
        &index,
        &queries,
        &CoarseOptions::Graph(GraphOptions { degree: 1, ..GraphOptions::default() }),
    );
    assert!(matches!(thin, Err(ModelError::Option { option: "degree", .. })));
    let silly = CoarseOptions::Clusters(ClusterOptions { recall: f32::NAN, ..ClusterOptions::default() });
    assert!(Coarse::build(&index, &queries, &silly).is_err());
}

#[test]
fn inserts_removals_and_rebuilds_go_on_beside_searches() {
    stages().iter().for_each(go_on_beside_searches);
}

fn go_on_beside_searches(options: &CoarseOptions) {
    let (index, queries) = built(3_000, 16, options);
    let published = Mutex::new(Arc::new(index));
    let current = || Arc::clone(&published.lock().unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for step in 0..300u32 {
                let mut next = QuantisedIndex::clone(&current());
                let vector: Vec<f32> =
                    (0..16).map(|k| if k == 0 { 50.0 + step as f32 } else { 0.0 }).collect();
                let row = next.append(&vector).unwrap();
                assert!(next.remove(step));
                if step % 100 == 50 {
                    let coarse = Coarse::build(&next, &queries, options).unwrap();
                    next.attach(Arc::new(coarse)).unwrap();
                }
                *published.lock().unwrap() = Arc::new(next);
                // Each new row is longer than all before in its direction.
                assert_eq!(current().search(&vector, 1, &|_: Row| true)[0].row, row);
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                for query in queries.chunks_exact(16).cycle().take(400) {
                    let index = current();
                    let found = index.search(query, 20, &|_: Row| true);
                    assert_eq!(found.len(), 20);
                    let sound = |s: &Scored| s.score.is_finite() && index.is_live(s.row);
                    assert!(found.iter().all(sound));
                }
            });
        }
    });
    assert_eq!((current().len(), current().live_rows().count()), (3_300, 3_000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is appended, removed and built when: what is found is live, allowed, scored exactly and in order.
    #[test]
    fn answers_are_sound_whatever_happened(
        steps in prop::collection::vec((0u8..8, any::<u32>()), 1..120),
        seed in any::<u64>(),
        limit in 1usize..40,
        stage in any::<prop::sample::Index>(),
    ) {
        let options = *stage.get(&small_stages(seed));
        let d = 6;
        let mut random = seeded(seed, "steps");
        let mut index = QuantisedIndex::new(d);
        let mut removed = std::collections::HashSet::new();
        let queries: Vec<f32> = (0..8 * d).map(|_| uniform(&mut random)).collect();
        for (what, number) in steps {
            match what {
                0 if !index.is_empty() => {
                    let row = number % index.len() as Row;
                    prop_assert_eq!(index.remove(row), removed.insert(row));
                }
                1 => {
                    let coarse = Coarse::build(&index, &queries, &options).unwrap();
                    index.attach(Arc::new(coarse)).unwrap();
                }
                2 => {
                    // Rows that cannot be told apart, and such whose scores overflow.
                    let vector = if number % 5 == 0 { vec![3e38; d] } else { vec![0.25; d] };
                    index.append(&vector).unwrap();
                }
                _ => {
                    let vector: Vec<f32> = (0..d).map(|_| uniform(&mut random)).collect();
                    index.append(&vector).unwrap();
                }
            }
        }
        let allow = |row: Row| row % 3 != 1;
        for query in queries.chunks_exact(d) {
            let found = index.search(query, limit, &allow);
            let every: Vec<Row> = (0..index.len() as Row).collect();
            let mut scores = vec![0.0; every.len()];
            index.score(query, &every, &mut scores);
            let good = |row: Row| allow(row) && !removed.contains(&row) && scores[row as usize].is_finite();
            prop_assert_eq!(found.len(), limit.min(every.iter().filter(|row| good(**row)).count()));
            for scored in &found {
                prop_assert!(good(scored.row));
                prop_assert_eq!(scored.score, scores[scored.row as usize]);
            }
            prop_assert!(found.is_sorted_by(|a, b| crate::top::compare(a, b).is_lt()));
        }
    }
}
