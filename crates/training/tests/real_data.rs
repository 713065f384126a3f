//! The presets and the quality of iALS on real data, whose folder `HEADWATER_DATA` names.
//!
//! `HEADWATER_DATA=DIR cargo test --release -p headwater-training --test real_data -- --ignored`

use std::ops::ControlFlow;
use std::path::PathBuf;

use headwater_base::Fact;
use headwater_training::evaluate::{Estimate, Metrics};
use headwater_training::presets::{self, Preset, Record};
use headwater_training::{Dataset, EvaluateOptions, Evaluation, ModelKind, TrainingOptions, evaluate};

fn data(name: &str) -> PathBuf {
    let folder =
        std::env::var_os("HEADWATER_DATA").expect("HEADWATER_DATA names the folder of the data sets");
    PathBuf::from(folder).join(name)
}

/// Interactions, metadata events, refused and left-out lines.
fn counts(preset: Preset, name: &str) -> [usize; 4] {
    let mut counts = [0; 4];
    let schema = preset.schema();
    presets::read(preset, &data(name), &mut |record, _| {
        let slot = match &record {
            Record::Event(event) => {
                schema.validate(event).expect("events keep the schema of their preset");
                usize::from(!matches!(event.fact, Fact::Interaction(_)))
            }
            Record::Refused(_) => 2,
            Record::LeftOut(_) => 3,
        };
        counts[slot] += 1;
        ControlFlow::Continue(())
    })
    .expect("the data set is in HEADWATER_DATA");
    counts
}

fn run(kind: ModelKind, preset: Preset, name: &str, settings: &[&str]) -> Evaluation {
    let dataset = Dataset::from_preset(preset, &data(name), &mut |_| {}).expect("the data set reads");
    let mut options = EvaluateOptions { validate: false, ..EvaluateOptions::default() };
    options.training = TrainingOptions::for_preset(kind, preset);
    options.training.set_all(kind, settings).expect("the settings read");
    evaluate(kind, &dataset, &options, &mut |_| {}).expect("the data set suffices")
}

fn ndcg_at_10(metrics: &Metrics) -> Estimate {
    metrics["ndcg@10"]
}

#[test]
#[ignore = "needs the real data sets: set HEADWATER_DATA"]
fn every_line_of_the_presets_is_accounted_for() {
    assert_eq!(counts(Preset::Movielens, "ml-100k"), [100_000, 1_682 + 943, 0, 0]);
    assert_eq!(counts(Preset::Split, "gowalla"), [810_128, 0, 0, 0]);
    assert_eq!(counts(Preset::Sequence, "ml-1m-seq"), [999_611, 0, 0, 0]);
    let [interactions, _, refused, left_out] = counts(Preset::OnlineRetail, "online-retail");
    assert_eq!((interactions, refused, left_out), (541_909 - 10_624, 0, 10_624));
    let [clicks, metadata, refused, _] = counts(Preset::Sessions, "diginetica");
    assert!(clicks > 2 * 186_670);
    assert_eq!((metadata, refused), (0, 0));
}

#[test]
#[ignore = "needs the real data sets and minutes: set HEADWATER_DATA"]
fn gowalla_reaches_what_the_model_is_known_for() {
    for (factors, least_recall, least_ndcg) in [("factors=128", 0.163, 0.140), ("factors=256", 0.172, 0.146)]
    {
        let report = run(ModelKind::Ials, Preset::Split, "gowalla", &[factors]);
        assert_eq!((report.cases, report.items), (29_858, 40_981));
        let (recall, ndcg) = (report.metrics["recall@20"].value, report.metrics["ndcg@20"].value);
        assert!(
            recall >= least_recall && ndcg >= least_ndcg,
            "{factors}: recall@20 {recall}, ndcg@20 {ndcg}"
        );
    }
}

#[test]
#[ignore = "needs the real data sets: set HEADWATER_DATA"]
fn by_time_films_and_a_shop_are_better_served_than_by_popularity() {
    for (preset, name) in [(Preset::Movielens, "ml-100k"), (Preset::OnlineRetail, "online-retail")] {
        let report = run(ModelKind::Ials, preset, name, &[]);
        let (mine, popular) = (ndcg_at_10(&report.metrics), ndcg_at_10(&report.beside["popular"]));
        assert!(mine.low > popular.high, "{preset}: {mine:?} beside {popular:?}");
    }
}

#[test]
#[ignore = "needs the real data sets and minutes: set HEADWATER_DATA"]
fn the_filter_beats_what_is_published_of_it_on_gowalla() {
    let report = run(ModelKind::Filter, Preset::Split, "gowalla", &[]);
    let (recall, ndcg) = (report.metrics["recall@20"].value, report.metrics["ndcg@20"].value);
    assert!(recall >= 0.1850 && ndcg >= 0.1520, "recall@20 {recall:.4}, ndcg@20 {ndcg:.4}");
    let lost = report.whole.expect("a filter has a whole").difference["ndcg@20"];
    assert!(lost.value > -0.002 && report.peak_memory_bytes < 8_000_000_000, "{lost:?}");
}

#[test]
#[ignore = "needs the real data sets: set HEADWATER_DATA"]
fn sessions_of_a_shop_are_continued_by_those_like_them() {
    let report = run(ModelKind::Sessions, Preset::Sessions, "diginetica", &[]);
    let (hits, rank) = (report.metrics["hit_rate@20"].value, report.metrics["mrr@20"].value);
    assert_eq!(report.cases, 60_858);
    assert!(hits >= 0.515 && rank >= 0.180, "hit_rate@20 {hits:.4}, mrr@20 {rank:.4}");
}

#[test]
#[ignore = "needs the real data sets and minutes: set HEADWATER_DATA"]
fn a_blend_beats_each_of_its_members_on_gowalla() {
    // Half of the preset's factors, for time.
    let report = run(ModelKind::Blend, Preset::Split, "gowalla", &["ials.factors=512"]);
    let (recall, ndcg) = (report.metrics["recall@20"].value, report.metrics["ndcg@20"].value);
    assert!(recall >= 0.1905 && ndcg >= 0.1590, "recall@20 {recall:.4}, ndcg@20 {ndcg:.4}");
    assert!(report.peak_memory_bytes < 8_000_000_000);
}

#[test]
#[ignore = "needs the real data sets: set HEADWATER_DATA"]
fn the_next_film_is_told_by_histories_like_this_one() {
    let report = run(ModelKind::Sessions, Preset::Sequence, "ml-1m-seq", &[]);
    let (hits, ndcg) = (report.metrics["hit_rate@10"].value, report.metrics["ndcg@10"].value);
    assert!(hits >= 0.275 && ndcg >= 0.160, "hit_rate@10 {hits:.4}, ndcg@10 {ndcg:.4}");
}

#[test]
#[ignore = "needs the real data sets: set HEADWATER_DATA"]
fn films_nobody_has_seen_are_better_ranked_by_their_attributes_than_at_random() {
    let report = run(ModelKind::Ials, Preset::Movielens, "ml-100k", &[]);
    let cold = report.cold_items.expect("the preset learns from attributes");
    let difference = cold.difference["random"]["ndcg@10"];
    assert!(difference.low > 0.0, "{difference:?}");
}
