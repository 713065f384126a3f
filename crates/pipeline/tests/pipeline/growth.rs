//! Items the model was not trained on.

use std::sync::Arc;
use std::time::Duration;

use headwater_base::{Actor, Clock, Event, EventId, Fact, Fields, ItemId, Timestamp, UserId, Value};
use headwater_features::{Follower, FollowerOptions};
use headwater_log::{EmbeddedLog, EventLog, LogOptions};
use headwater_models::content::{Attributes, Content, ContentMap, ContentOptions, Example};
use headwater_models::index::{ClusterOptions, CoarseOptions};
use headwater_pipeline::refresh::Step;
use headwater_pipeline::{IndexOptions, Refresher, Request};
use tempfile::TempDir;

use crate::world::{World, home, ids, interaction, spec};

/// A world whose views follow a real log.
struct Live {
    world: World,
    log: Arc<EmbeddedLog>,
    follower: Follower,
    _folder: TempDir,
}

impl Live {
    fn new() -> Self {
        let world = World::new();
        let folder = TempDir::new().unwrap();
        let clock: Arc<dyn Clock> = world.clock.clone();
        let (log, _) = EmbeddedLog::open(folder.path(), LogOptions::default(), Arc::clone(&clock)).unwrap();
        let log = Arc::new(log);
        let options = FollowerOptions { checkpoints: None, ..FollowerOptions::default() };
        let shared: Arc<dyn EventLog> = log.clone();
        let follower = Follower::start(shared, Arc::clone(&world.views), clock, options).unwrap();
        Self { world, log, follower, _folder: folder }
    }

    fn click(&self, user: &str, item: &str) {
        let fact = Fact::Interaction(interaction(Actor::user(UserId::trusted(user)), "click", item));
        self.fact(format!("{user}-{item}"), fact);
    }

    fn upsert(&self, item: &str, fields: Fields) {
        let id = ItemId::trusted(item);
        let fact = Fact::ItemUpsert { item: id, fields, removed: Vec::new(), available: None, patch: false };
        self.fact(format!("upsert-{item}"), fact);
    }

    fn fact(&self, id: String, fact: Fact) {
        let now = Timestamp::from_seconds(1_000_000);
        let id = EventId::trusted(id);
        let appended = self.log.append(vec![Event { id, time: now, received: now, fact }]).wait().unwrap();
        self.follower.wait_blocking(&appended.position).unwrap();
    }

    fn refresher(&self) -> Refresher {
        let log: Arc<dyn EventLog> = self.log.clone();
        Refresher::new(Arc::clone(&self.world.engine), log, Arc::clone(&self.world.schema))
    }

    /// Publishes a model of two tastes, trained on what the log holds now.
    fn train(&self) {
        let model = self.world.two_tastes_by(|user, item| self.click(user, item));
        self.world.publish(&[spec(&["ials"], &["seen"])], vec![model]);
    }
}

#[test]
fn an_item_first_seen_a_minute_ago_has_a_vector() {
    let live = Live::new();
    live.train();
    let mut refresher = live.refresher();
    refresher.step().unwrap();
    for user in 0..6 {
        live.click(&format!("b{user}"), "newcomer");
    }
    let before = live.world.home("b8", 16);
    assert!(before.items.iter().all(|item| item.id.as_str() != "newcomer" || item.source == "popular"));
    live.world.later(Duration::from_secs(60));
    while live.world.engine.snapshot().models["ials"].appended() == 0 {
        assert_eq!(refresher.step().unwrap(), Step::Followed);
    }
    // Those who touch b-items get it from the model, before those who touch a-items would.
    let place = |user: &str| {
        let answer = live.world.home(user, 16);
        let found =
            answer.items.iter().position(|item| item.id.as_str() == "newcomer" && item.source == "ials");
        (found.unwrap(), answer.model)
    };
    let (fan, stranger) = (place("b8"), place("a8"));
    assert!(fan.0 < stranger.0, "{fan:?} {stranger:?}");
    assert_eq!(fan.1, "ials@1");
    // And it has neighbours of its own.
    let like = Request { item: Some(ItemId::trusted("newcomer")), ..home("nobody", 3) };
    let answer = live.world.ask(&like);
    assert!(ids(&answer).iter().all(|id| id.starts_with("b-item")), "{answer:?}");
}

#[test]
fn clusters_are_built_beside_and_stay_when_the_model_grows() {
    let live = Live::new();
    live.train();
    let model = || Arc::clone(&live.world.engine.snapshot().models["ials"]);
    let before = live.world.home("b8", 16);
    let clusters = ClusterOptions { clusters: 3, recall: 1.0, threads: 1, ..ClusterOptions::default() };
    let coarse = CoarseOptions::Clusters(clusters);
    let mut refresher = live.refresher().with_index(IndexOptions { from: Some(16), coarse });
    assert!(model().index_report().is_none());
    while model().index_report().is_none() {
        refresher.step().unwrap();
    }
    let report = model().index_report().unwrap();
    assert_eq!((report.parts, report.rows), (3, 16));
    assert_eq!(ids(&live.world.home("b8", 16)), ids(&before));
    for user in 0..6 {
        live.click(&format!("b{user}"), "newcomer");
    }
    live.world.later(Duration::from_secs(60));
    while model().appended() == 0 {
        refresher.step().unwrap();
    }
    assert_eq!(model().index_report(), Some(report));
    let brought = |answer: &headwater_pipeline::Answer| {
        answer.items.iter().any(|item| item.id.as_str() == "newcomer" && item.source == "ials")
    };
    assert!(brought(&live.world.home("b8", 16)));
    // The request's own list is all that is read of the model.
    let only =
        Request { include: vec![ItemId::trusted("newcomer"), ItemId::trusted("unheard")], ..home("b8", 9) };
    let answer = live.world.ask(&only);
    assert_eq!((ids(&answer), brought(&answer)), (vec!["newcomer"], true));
}

#[test]
fn a_small_model_is_read_whole() {
    let live = Live::new();
    live.train();
    let mut refresher = live.refresher().with_index(IndexOptions::default());
    for _ in 0..3 {
        refresher.step().unwrap();
    }
    assert!(live.world.engine.snapshot().models["ials"].index_report().is_none());
}

#[test]
fn what_happened_before_the_start_is_folded_in_too() {
    let live = Live::new();
    live.train();
    for user in 0..6 {
        live.click(&format!("a{user}"), "newcomer");
    }
    let mut refresher = live.refresher();
    while live.world.engine.snapshot().models["ials"].appended() == 0 {
        refresher.step().unwrap();
    }
    assert!(
        live.world
            .home("a8", 16)
            .items
            .iter()
            .any(|item| item.id.as_str() == "newcomer" && item.source == "ials")
    );
}

#[test]
fn without_a_model_there_is_nothing_to_follow() {
    let live = Live::new();
    live.world.publish(&[spec(&["popular"], &[])], Vec::new());
    assert_eq!(live.refresher().step().unwrap(), Step::NothingToFollow);
}

#[test]
fn a_model_published_meanwhile_is_not_replaced_by_a_grown_old_one() {
    let live = Live::new();
    live.train();
    let old =
        live.world.engine.snapshot().models["ials"].grown(&[(ItemId::trusted("x"), vec![0.5; 8])]).unwrap();
    live.world.publish(&[spec(&["ials"], &["seen"])], Vec::new());
    assert!(!live.world.engine.grow(old));
    assert!(live.world.engine.snapshot().models.is_empty());
}

#[test]
fn an_item_nobody_touched_is_found_by_its_attributes() {
    let live = Live::new();
    let model = live.world.two_tastes_by(|user, item| live.click(user, item));
    let category = |item: usize| if item < 8 { "shoes" } else { "hats" };
    let fields = |word: &str| Fields::new([("category".into(), Value::Categorical(word.into()))]);
    let names = vec!["category".to_owned()];
    let attributes: Vec<Attributes> =
        (0..16).map(|item| Attributes::new(&fields(category(item)), &names, 64)).collect();
    let vectors: Vec<Vec<f32>> = (0..16).map(|row| model.row_vector(row).unwrap()).collect();
    let examples: Vec<Example<'_>> = attributes
        .iter()
        .zip(&vectors)
        .map(|(attributes, vector)| Example { attributes, vector, weight: 1.0 })
        .collect();
    let options = ContentOptions { buckets: 64, lambda: 0.1, ..ContentOptions::default() };
    let content = Content::train(&examples, 8, &options).unwrap();
    let wrong = Content::train(&[], 5, &options).unwrap();
    let map = |content| Some(ContentMap { fields: names.clone(), content });
    let refused = live.world.two_tastes_by(|_, _| {}).with_content(map(wrong));
    assert!(refused.err().unwrap().to_string().contains("5 factors"));

    // One is in the catalogue before the model is published, one comes after; one says nothing that is known.
    live.upsert("early-hat", fields("hats"));
    live.world.publish(&[spec(&["ials"], &["seen"])], vec![model.with_content(map(content)).unwrap()]);
    let mut refresher = live.refresher();
    let mut until = |what: &dyn Fn() -> bool| {
        for _ in 0..200 {
            if what() {
                return;
            }
            live.world.later(Duration::from_secs(1));
            assert_eq!(refresher.step().unwrap(), Step::Followed);
        }
        panic!("it did not come to that");
    };
    let appended = || live.world.engine.snapshot().models["ials"].appended();
    until(&|| appended() == 1);
    live.upsert("new-shoe", fields("shoes"));
    live.upsert("zeppelin", fields("airships"));
    until(&|| appended() == 2);
    let place = |user: &str, id: &str| {
        let answer = live.world.home(user, 18);
        answer.items.iter().position(|item| item.id.as_str() == id && item.source == "ials")
    };
    assert!(place("a8", "new-shoe").unwrap() < place("b8", "new-shoe").unwrap());
    assert!(place("b8", "early-hat").unwrap() < place("a8", "early-hat").unwrap());
    assert_eq!(place("a8", "zeppelin"), None);
    // Whoever touches it moves it.
    let before = place("b8", "new-shoe").unwrap();
    for user in 0..6 {
        live.click(&format!("b{user}"), "new-shoe");
    }
    until(&|| place("b8", "new-shoe").unwrap() < before);
}
