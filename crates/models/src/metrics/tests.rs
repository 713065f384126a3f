//! Hand-worked cases, and each metric against a slow reference written straight from its definition.

use proptest::prelude::*;

use super::*;

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

#[test]
fn a_case_worked_by_hand() {
    // Hits at ranks 2 and 4, three relevant items, one of them never found.
    let judged = Judged::new(&[7, 3, 9, 5, 1], &[3, 5, 8, 3]).unwrap();
    assert!(close(judged.recall(4), 2.0 / 3.0) && close(judged.recall(3), 1.0 / 3.0));
    assert!(close(judged.precision(4), 0.5) && close(judged.precision(10), 0.2));
    assert!(close(judged.hit_rate(1), 0.0) && close(judged.hit_rate(2), 1.0));
    let log2 = f64::log2;
    let ideal = 1.0 + 1.0 / log2(3.0) + 1.0 / log2(4.0);
    assert!(close(judged.ndcg(5), (1.0 / log2(3.0) + 1.0 / log2(5.0)) / ideal));
    // At k = 2 the ideal list has two hits only.
    assert!(close(judged.ndcg(2), (1.0 / log2(3.0)) / (1.0 + 1.0 / log2(3.0))));
    assert!(close(judged.average_precision(5), (1.0 / 2.0 + 2.0 / 4.0) / 3.0));
    assert!(close(judged.average_precision(2), (1.0 / 2.0) / 2.0));
    assert!(close(judged.reciprocal_rank(5), 0.5) && close(judged.reciprocal_rank(1), 0.0));
}

#[test]
fn a_perfect_list_scores_one_and_an_empty_one_nothing() {
    let perfect = Judged::new(&[4, 2], &[2, 4]).unwrap();
    for value in [perfect.recall(2), perfect.precision(2), perfect.ndcg(2), perfect.ndcg(9)] {
        assert!(close(value, 1.0));
    }
    assert!(close(perfect.average_precision(2), 1.0));
    let empty = Judged::new(&[], &[2]).unwrap();
    for value in [empty.recall(5), empty.precision(5), empty.ndcg(5), empty.average_precision(5)] {
        assert!(close(value, 0.0));
    }
    assert!(close(empty.ndcg(0), 0.0) && close(empty.precision(0), 0.0));
    assert_eq!(Judged::new(&[1, 2], &[]), None);
}

#[test]
fn auc_worked_by_hand() {
    // Pairs: (3 over 1), (3 over 2), (2 over 1), and 2 ties with 2: 3.5 of 4.
    assert!(close(auc(&[3.0, 2.0], [1.0, 2.0]).unwrap(), 3.5 / 4.0));
    assert!(close(auc(&[f32::NAN], [f32::INFINITY, 0.0]).unwrap(), 0.25));
    assert!(close(auc(&[0.0], [-0.0]).unwrap(), 0.5));
    assert_eq!(auc(&[], [1.0]), None);
    assert_eq!(auc(&[1.0], []), None);
}

#[test]
fn coverage_counts_each_row_once() {
    let mut coverage = Coverage::new(4);
    coverage.add(&[1, 1, 3, 99]);
    let mut other = Coverage::new(4);
    other.add(&[0, 1]);
    coverage.merge(&other);
    assert!(close(coverage.share(), 0.75));
    assert!(close(Coverage::new(0).share(), 0.0));
}

proptest! {
    #[test]
    fn equal_to_slow_references(
        ranked in Just((0u32..12).collect::<Vec<_>>()).prop_shuffle(),
        length in 0usize..=12,
        relevant in prop::collection::vec(0u32..15, 1..8),
        k in 1usize..15,
    ) {
        let ranked = &ranked[..length];
        let judged = Judged::new(ranked, &relevant).unwrap();
        let set: std::collections::BTreeSet<u32> = relevant.iter().copied().collect();
        let is_hit = |rank: usize| rank <= ranked.len() && set.contains(&ranked[rank - 1]);
        let hits = |k: usize| (1..=k).filter(|&rank| is_hit(rank)).count() as f64;
        prop_assert!(close(judged.recall(k), hits(k) / set.len() as f64));
        prop_assert!(close(judged.precision(k), hits(k) / k as f64));
        prop_assert!(close(judged.hit_rate(k), f64::from(u8::from(hits(k) > 0.0))));
        let gain = |hit: &dyn Fn(usize) -> bool| -> f64 {
            (1..=k).map(|rank| if hit(rank) { 2f64.ln() / ((rank + 1) as f64).ln() } else { 0.0 }).sum()
        };
        prop_assert!(close(judged.ndcg(k), gain(&is_hit) / gain(&|rank| rank <= set.len())));
        let average: f64 =
            (1..=k).map(|rank| if is_hit(rank) { hits(rank) / rank as f64 } else { 0.0 }).sum();
        prop_assert!(close(judged.average_precision(k), average / k.min(set.len()) as f64));
        let first = (1..=k).find(|&rank| is_hit(rank)).map_or(0.0, |rank| 1.0 / rank as f64);
        prop_assert!(close(judged.reciprocal_rank(k), first));
    }

    #[test]
    fn auc_equals_counting_all_pairs(
        positives in prop::collection::vec((-4i8..4).prop_map(f32::from), 1..9),
        negatives in prop::collection::vec((-4i8..4).prop_map(f32::from), 1..9),
    ) {
        let mut right = 0.0;
        for positive in &positives {
            for negative in &negatives {
                right += if positive > negative { 1.0 } else if positive == negative { 0.5 } else { 0.0 };
            }
        }
        let pairs = (positives.len() * negatives.len()) as f64;
        prop_assert!(close(auc(&positives, negatives).unwrap(), right / pairs));
    }
}
