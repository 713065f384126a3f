//! What every model promises, checked on every model.
//!
//! A new kind of model joins by a line in [`models`].
#![allow(clippy::unwrap_used, reason = "helpers of tests may stop the test as well as a test may")]

use std::sync::Arc;

use headwater_base::{Fields, Timestamp, Value};
use headwater_models::blend::{Blend, BlendOptions, Member};
use headwater_models::content::{Attributes, Content, ContentMap, ContentOptions, Example};
use headwater_models::filter::{self, Exact, Filter, FilterOptions, Form};
use headwater_models::ials::{Ials, IalsOptions, train};
use headwater_models::index::{ClusterOptions, CoarseOptions, GRAPH_BUILT_IN, GraphOptions};
use headwater_models::matrix::Csr;
use headwater_models::peers::{Peers, PeersOptions};
use headwater_models::popular::Popular;
use headwater_models::streaming::{
    CoVisitation, CoVisitationOptions, SessionNeighbours, SessionOptions, Visit,
};
use headwater_models::{Embed, Past, Query, Retrieve, Row, Score, Scored};

/// A model under test, freshly made each time.
struct Subject {
    name: &'static str,
    retrieve: Box<dyn Retrieve>,
    score: Option<Box<dyn Score>>,
    embed: Option<Box<dyn Embed>>,
    /// Whether it answers without a history.
    needs_history: bool,
}

const ITEMS: usize = 80;

/// Three tastes of users; item 79 is nobody's.
fn matrix_of(items: usize) -> Csr {
    let pairs = (0..90u32).flat_map(|user| {
        (0..3 + user % 11)
            .map(move |k| (user, (user % 3) * 26 + (user * 5 + k * 7) % 26, 1.0 + (k % 2) as f32))
    });
    Csr::from_pairs(90, items, pairs).unwrap()
}

fn matrix() -> Csr {
    matrix_of(ITEMS)
}

fn ials() -> Ials {
    let options = IalsOptions { factors: 12, iterations: 6, ..IalsOptions::default() };
    train(&matrix(), &options, &mut |_| {}).unwrap()
}

/// What an item says of itself: whose taste it is.
fn taste(row: usize) -> Fields {
    Fields::new([("taste".into(), Value::Categorical(["a", "b", "c"][(row / 26).min(2)].into()))])
}

/// Learnt from the items of the tastes.
fn content(model: &Ials) -> ContentMap {
    let options = ContentOptions { buckets: 64, lambda: 0.1, ..ContentOptions::default() };
    let fields = ["taste".to_owned()];
    let attributes: Vec<Attributes> =
        (0..78).map(|row| Attributes::new(&taste(row), &fields, options.buckets)).collect();
    let examples = (0..).zip(&attributes).map(|(row, attributes)| Example {
        attributes,
        vector: model.index().row(row).unwrap(),
        weight: 1.0,
    });
    let examples: Vec<Example<'_>> = examples.collect();
    let content = Content::train(&examples, model.options().factors, &options).unwrap();
    ContentMap { fields: fields.into(), content }
}

/// A factorisation that was trained without the last item and knows it by what it says of itself: taste a.
fn with_content(saved: bool) -> Ials {
    let options = IalsOptions { factors: 12, iterations: 6, ..IalsOptions::default() };
    let mut model = train(&matrix_of(ITEMS - 1), &options, &mut |_| {}).unwrap();
    let mut map = content(&model);
    if saved {
        let parts = (*map.content.options(), map.content.dimensions(), map.content.map().to_vec());
        map.content = Content::from_parts(parts.0, parts.1, parts.2).unwrap();
        model = Ials::from_parts(model.to_parts()).unwrap();
    }
    model.append_item(&map.vector(&taste(0)).unwrap()).unwrap();
    model
}

fn filter() -> (Filter, Exact) {
    let options = FilterOptions { components: 8, sharpen: 0.1, ..FilterOptions::default() };
    filter::train(&matrix(), &options, &mut |_| {}).unwrap()
}

fn ease() -> (Filter, Exact) {
    let options = FilterOptions { form: Form::Ease, lambda: 5.0, ..FilterOptions::default() };
    filter::train(&matrix(), &options, &mut |_| {}).unwrap()
}

/// The same interactions as a stream: users take turns.
fn stream() -> impl Iterator<Item = (usize, Visit)> {
    let mut visits: Vec<(usize, usize, Row)> = Vec::new();
    for (user, row) in matrix().iter().enumerate() {
        visits.extend(row.indices.iter().enumerate().map(|(step, item)| (step, user, *item)));
    }
    visits.sort_unstable();
    (0..).zip(visits).map(|(second, (_, user, row))| {
        (user, Visit { row, time: Timestamp::from_seconds(1_700_000_000 + second), weight: 1.0 })
    })
}

fn co_visitation() -> CoVisitation {
    let mut model = CoVisitation::new(&CoVisitationOptions::default());
    let mut histories: Vec<Vec<Visit>> = vec![Vec::new(); 90];
    for (user, visit) in stream() {
        model.observe(visit, histories[user].iter().rev().copied());
        histories[user].push(visit);
    }
    model
}

fn co_visitation_again() -> CoVisitation {
    let model = co_visitation();
    CoVisitation::from_parts(&CoVisitationOptions::default(), model.newest(), model.lists().cloned())
}

fn sessions() -> SessionNeighbours {
    let mut model = SessionNeighbours::new(&SessionOptions::default());
    for (user, visit) in stream() {
        model.observe(user as u64, visit.row, visit.time);
    }
    model
}

fn sessions_again() -> SessionNeighbours {
    let model = sessions();
    SessionNeighbours::from_parts(&SessionOptions::default(), model.newest(), model.sessions()).unwrap()
}

fn streaming(name: &'static str, model: impl Retrieve + 'static) -> Subject {
    Subject { name, retrieve: Box::new(model), score: None, embed: None, needs_history: true }
}

fn peers() -> Peers {
    Peers::new(matrix(), &PeersOptions::default()).unwrap()
}

fn blend(factors: Ials, filter: Filter, peers: Peers) -> Blend {
    let members = vec![
        (Member::Ials(Box::new(factors)), 0.4),
        (Member::Filter(Arc::new(filter)), 0.6),
        (Member::Peers(Arc::new(peers)), 0.5),
    ];
    Blend::new(BlendOptions::default(), members).unwrap()
}

fn whole_blend() -> Blend {
    let members =
        vec![(Member::Ials(Box::new(ials())), 0.4), (Member::WholeFilter(Arc::new(filter().1)), 0.6)];
    Blend::new(BlendOptions { depth: ITEMS }, members).unwrap()
}

fn models() -> Vec<Subject> {
    let saved_peers = Peers::new(peers().matrix().clone(), peers().options()).unwrap();
    let grown = |name, model: Ials| Subject {
        name,
        retrieve: Box::new(model.clone()),
        score: Some(Box::new(model.clone())),
        embed: Some(Box::new(model)),
        needs_history: true,
    };
    let plain = |name, peers: Peers| Subject {
        name,
        retrieve: Box::new(peers.clone()),
        score: Some(Box::new(peers)),
        embed: None,
        needs_history: true,
    };
    let blended = |name, blend: Blend| Subject {
        name,
        retrieve: Box::new(blend.clone()),
        score: Some(Box::new(blend)),
        embed: None,
        needs_history: true,
    };
    let saved = Ials::from_parts(ials().to_parts()).unwrap();
    let mut clustered = ials();
    let options = ClusterOptions { clusters: 6, recall: 1.0, ..ClusterOptions::default() };
    let options = CoarseOptions::Clusters(options);
    clustered.attach(Arc::new(clustered.coarse(&options).unwrap())).unwrap();
    let graph = GRAPH_BUILT_IN.then(|| {
        // One thread gives the same graph each time; this cheap, a walk is worth it among any number of items.
        let options = GraphOptions { recall: 1.0, threads: 1, step_cost: 0.01, ..GraphOptions::default() };
        let mut ials = ials();
        ials.attach(Arc::new(ials.coarse(&CoarseOptions::Graph(options)).unwrap())).unwrap();
        assert!(ials.index().coarse().unwrap().report().width < 1_000);
        ials
    });
    let saved_filter = Filter::from_parts(filter().0.to_parts()).unwrap();
    let mut all = vec![
        Subject {
            name: "popular",
            retrieve: Box::new(Popular::from_matrix(&matrix())),
            score: Some(Box::new(Popular::from_matrix(&matrix()))),
            embed: None,
            needs_history: false,
        },
        Subject {
            name: "ials",
            retrieve: Box::new(ials()),
            score: Some(Box::new(ials())),
            embed: Some(Box::new(ials())),
            needs_history: true,
        },
        Subject {
            name: "ials, saved and loaded",
            retrieve: Box::new(saved.clone()),
            score: Some(Box::new(saved.clone())),
            embed: Some(Box::new(saved.clone())),
            needs_history: true,
        },
        Subject {
            name: "clusters of ials",
            retrieve: Box::new(clustered.clone()),
            score: Some(Box::new(clustered.clone())),
            embed: Some(Box::new(clustered)),
            needs_history: true,
        },
        Subject {
            name: "filter",
            retrieve: Box::new(filter().0),
            score: Some(Box::new(filter().0)),
            embed: None,
            needs_history: true,
        },
        Subject {
            name: "filter, saved and loaded",
            retrieve: Box::new(saved_filter.clone()),
            score: Some(Box::new(saved_filter.clone())),
            embed: None,
            needs_history: true,
        },
        grown("content", with_content(false)),
        grown("content, saved and loaded", with_content(true)),
        streaming("neighbours", co_visitation()),
        streaming("neighbours, saved and loaded", co_visitation_again()),
        streaming("sessions", sessions()),
        streaming("sessions, saved and loaded", sessions_again()),
        blended("blend", blend(ials(), filter().0, peers())),
        blended("blend, saved and loaded", blend(saved, saved_filter, saved_peers.clone())),
        plain("peers", peers()),
        plain("peers, saved and loaded", saved_peers),
        blended("whole blend", whole_blend()),
        Subject {
            name: "closed form",
            retrieve: Box::new(ease().0),
            score: Some(Box::new(ease().0)),
            embed: None,
            needs_history: true,
        },
        Subject {
            name: "exact closed form",
            retrieve: Box::new(ease().1),
            score: Some(Box::new(ease().1)),
            embed: None,
            needs_history: true,
        },
        Subject {
            name: "exact filter",
            retrieve: Box::new(filter().1),
            score: Some(Box::new(filter().1)),
            embed: None,
            needs_history: true,
        },
    ];
    all.extend(graph.map(|graph| Subject {
        name: "graph of ials",
        retrieve: Box::new(graph.clone()),
        score: Some(Box::new(graph.clone())),
        embed: Some(Box::new(graph)),
        needs_history: true,
    }));
    all
}

fn past(row: Row) -> Past {
    Past { row, weight: 1.0, age: 60.0 }
}

fn history() -> Vec<Past> {
    [3, 40, 3, 10, 17].map(past).to_vec()
}

fn all(_: Row) -> bool {
    true
}

fn ask(subject: &Subject, history: &[Past], limit: usize, allow: &dyn Fn(Row) -> bool) -> Vec<Scored> {
    let found = subject.retrieve.retrieve(&Query { history, item: None }, limit, &allow);
    check_list(subject, &found, limit);
    found
}

/// Finite, ordered, ties by row, no repetition, within the limit and the catalogue.
fn check_list(subject: &Subject, found: &[Scored], limit: usize) {
    let name = subject.name;
    assert!(found.len() <= limit, "{name}: more than asked for");
    assert!(found.iter().all(|s| s.score.is_finite()), "{name}: a score is not finite");
    assert!(found.iter().all(|s| (s.row as usize) < subject.retrieve.items()), "{name}: an unknown row");
    for pair in found.windows(2) {
        let ordered =
            pair[0].score > pair[1].score || (pair[0].score == pair[1].score && pair[0].row < pair[1].row);
        assert!(ordered, "{name}: {pair:?} are not in order");
    }
    let mut rows: Vec<Row> = found.iter().map(|s| s.row).collect();
    rows.sort_unstable();
    rows.dedup();
    assert_eq!(rows.len(), found.len(), "{name}: a row came twice");
}

#[test]
fn the_same_question_has_the_same_answer_from_a_model_made_anew() {
    for (one, other) in models().iter().zip(&models()) {
        let answers = [one, one, other].map(|subject| ask(subject, &history(), 20, &all));
        assert!(!answers[0].is_empty(), "{}: no answer", one.name);
        assert_eq!(answers[0], answers[1], "{}", one.name);
        assert_eq!(answers[0], answers[2], "{}", one.name);
    }
}

#[test]
fn a_saved_model_answers_as_the_one_it_came_from() {
    let models = models();
    for kind in ["ials", "content", "filter", "blend", "peers", "neighbours", "sessions"] {
        let of_kind = models.iter().filter(|m| m.name.starts_with(kind));
        let answers: Vec<_> = of_kind.map(|m| ask(m, &history(), ITEMS, &all)).collect();
        assert_eq!(answers.len(), 2);
        assert_eq!(answers[0], answers[1]);
    }
}

#[test]
fn an_empty_or_unknown_history_says_nothing() {
    for subject in &models() {
        let strangers = [past(5_000), past(Row::MAX)];
        let broken = [0.0, -1.0, f32::NAN, f32::INFINITY].map(|weight| Past { weight, ..past(3) });
        for history in [&[][..], &strangers, &broken] {
            let found = ask(subject, history, 10, &all);
            assert_eq!(found.is_empty(), subject.needs_history, "{}", subject.name);
            if let Some(embed) = &subject.embed {
                let mut vector = vec![7.0; embed.dimensions()];
                assert!(!embed.embed(&Query { history, item: None }, &mut vector), "{}", subject.name);
            }
            if let Some(score) = &subject.score {
                let mut scores = [0.0; 2];
                score.score(&Query { history, item: None }, &[3, 4], &mut scores);
                let nothing = scores.iter().all(|s| *s == f32::NEG_INFINITY);
                assert_eq!(nothing, subject.needs_history, "{}", subject.name);
            }
        }
    }
}

#[test]
fn unknown_rows_among_known_ones_change_nothing() {
    for subject in &models() {
        let mut mixed = history();
        mixed.insert(1, past(5_000));
        mixed.push(Past { weight: f32::NAN, ..past(9) });
        assert_eq!(ask(subject, &mixed, 20, &all), ask(subject, &history(), 20, &all), "{}", subject.name);
    }
}

#[test]
fn repeated_items_and_huge_histories_are_answered() {
    for subject in &models() {
        let repeated = vec![past(3); 50];
        assert!(!ask(subject, &repeated, 10, &all).is_empty(), "{}", subject.name);
        let huge: Vec<Past> = (0..10_000).map(|k| past(k * 7 % 79)).collect();
        assert_eq!(ask(subject, &huge, 10, &all).len(), 10, "{}", subject.name);
        let heavy = [Past { weight: f32::MAX, ..past(3) }, Past { weight: f32::MAX, ..past(4) }];
        ask(subject, &heavy, 10, &all);
    }
}

#[test]
fn limits_from_none_to_more_than_there_is() {
    for subject in &models() {
        assert!(ask(subject, &history(), 0, &all).is_empty(), "{}", subject.name);
        let everything = ask(subject, &history(), usize::MAX, &all);
        assert!(everything.len() <= ITEMS);
        for limit in [1, 2, 7, 33, ITEMS, 10 * ITEMS] {
            let expected = &everything[..limit.min(everything.len())];
            assert_eq!(ask(subject, &history(), limit, &all), expected, "{}", subject.name);
        }
    }
}

#[test]
fn the_filter_is_exact() {
    for subject in &models() {
        assert!(ask(subject, &history(), 10, &|_| false).is_empty(), "{}", subject.name);
        let everything = ask(subject, &history(), ITEMS, &all);
        for modulus in [2, 5, 13] {
            let allow = |row: Row| row % modulus == 1;
            let expected: Vec<Scored> = everything.iter().copied().filter(|s| allow(s.row)).take(4).collect();
            assert_eq!(ask(subject, &history(), 4, &allow), expected, "{}", subject.name);
        }
    }
}

#[test]
fn scores_are_those_of_the_list() {
    for subject in &models() {
        let Some(score) = &subject.score else { continue };
        let history = history();
        let query = Query { history: &history, item: None };
        let found = ask(subject, &history, 30, &all);
        let mut rows: Vec<Row> = found.iter().map(|s| s.row).collect();
        rows.extend([ITEMS as Row, Row::MAX]);
        let mut scores = vec![f32::NAN; rows.len()];
        score.score(&query, &rows, &mut scores);
        let expected: Vec<f32> = found.iter().map(|s| s.score).chain([f32::NEG_INFINITY; 2]).collect();
        assert_eq!(scores, expected, "{}", subject.name);
    }
}

#[test]
fn an_item_of_the_next_event_is_found_by_the_next_question() {
    let (mut neighbours, mut sessions) = (co_visitation(), sessions());
    let at = |second: i64| Timestamp::from_seconds(1_700_100_000 + second);
    let earlier = Visit { row: 3, time: at(0), weight: 1.0 };
    let new = Visit { row: ITEMS as Row + 5, time: at(9), weight: 1.0 };
    neighbours.observe(new, std::iter::once(earlier));
    sessions.observe(777, earlier.row, earlier.time);
    sessions.observe(777, new.row, new.time);
    for model in [&neighbours as &dyn Retrieve, &sessions] {
        assert_eq!(model.items(), ITEMS + 6);
        let found = model.retrieve(&Query { history: &[past(3)], item: None }, ITEMS, &all);
        assert!(found.iter().any(|scored| scored.row == new.row));
    }
}

#[test]
fn an_item_nobody_touched_is_found_by_what_it_says_of_itself() {
    let model = with_content(false);
    for (history, expected) in [([0, 6, 12], 26), ([30, 36, 42], ITEMS), ([60, 66, 72], ITEMS)] {
        let history = history.map(past);
        let found = model.retrieve(&Query { history: &history, item: None }, expected, &all);
        let place = found.iter().position(|scored| scored.row as usize == ITEMS - 1).unwrap();
        // Before all items of other tastes, or behind all of the one that is asked for.
        assert_eq!(place < 26, expected == 26, "{place}");
    }
    let map = content(&ials());
    assert_eq!(map, content(&ials()));
    let unknown = Fields::new([("taste".into(), Value::Categorical("d".into()))]);
    assert_eq!((map.vector(&unknown), map.vector(&Fields::default())), (None, None));
}

#[test]
fn an_appended_item_is_found_and_changes_no_other() {
    let model = ials();
    let lovers: Vec<Vec<f32>> =
        [[0, 6, 12], [6, 12, 18]].iter().map(|rows| model.fold_in_user(&rows.map(past)).unwrap()).collect();
    let vector = model.fold_in_item(&[(&lovers[0], 1.0), (&lovers[1], 1.0)]).unwrap();
    let mut grown = model.clone();
    let row = grown.append_item(&vector).unwrap();
    assert_eq!((row as usize, grown.items(), model.items()), (ITEMS, ITEMS + 1, ITEMS));
    let history = [0, 12].map(past);
    let query = Query { history: &history, item: None };
    let before = model.retrieve(&query, ITEMS, &all);
    let mut after = grown.retrieve(&query, ITEMS + 1, &all);
    let place = after.iter().position(|s| s.row == row).unwrap();
    assert!(place < 26, "the new item of a taste stands at {place}");
    after.remove(place);
    assert_eq!(after, before);
    // A history that holds the new item counts it.
    assert!(grown.fold_in_user(&[past(row)]).is_some() && model.fold_in_user(&[past(row)]).is_none());
    assert!(grown.append_item(&[1.0]).is_err());
}
