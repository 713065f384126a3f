//! Each filter, and the exactness of what is pushed down into retrieval.

use crate::world::{World, home, ids, schema, spec, words};
use headwater_base::{Fields, ItemId, Value};
use headwater_pipeline::spec::ScorerSpec;
use headwater_pipeline::{AnswerCache, CategoryFilter, RankRequest, Request};

#[test]
fn seen_items_stay_away_unless_people_repeat() {
    for (repeats, expected) in [(false, vec!["i2"]), (true, vec!["i1", "i2"])] {
        let world = World::with(schema(repeats), None);
        world.click("u", "i1");
        world.click("u", "i1");
        world.click("v", "i2");
        world.publish(&[spec(&["popular"], &["seen"])], Vec::new());
        assert_eq!(ids(&world.home("u", 5)), expected);
    }
}

#[test]
fn what_was_only_shown_is_not_seen() {
    let world = World::new();
    world.act("u", "impression", "i1");
    world.click("v", "i1");
    world.publish(&[spec(&["popular"], &["seen"])], Vec::new());
    assert_eq!(ids(&world.home("u", 5)), ["i1"]);
}

#[test]
fn unavailable_and_deleted_items_are_never_shown() {
    let world = World::new();
    for item in ["i1", "i2", "i3"] {
        world.click("v", item);
    }
    world.upsert("i1", Fields::default(), Some(false));
    world.fact(headwater_base::Fact::ItemDelete { item: ItemId::trusted("i2") });
    world.publish(&[spec(&["popular"], &[])], Vec::new());
    assert_eq!(ids(&world.home("u", 5)), ["i3"]);
}

#[test]
fn the_requests_own_lists_hold() {
    let world = World::new();
    for item in ["i1", "i2", "i3"] {
        world.click("v", item);
    }
    world.publish(&[spec(&["popular"], &[])], Vec::new());
    let list = |names: &[&str]| names.iter().map(|name| ItemId::trusted(*name)).collect::<Vec<_>>();
    let exclude = Request { exclude: list(&["i2", "unheard-of"]), ..home("u", 5) };
    assert_eq!(ids(&world.ask(&exclude)), ["i1", "i3"]);
    let include = Request { include: list(&["i3", "i2"]), ..home("u", 5) };
    assert_eq!(ids(&world.ask(&include)), ["i2", "i3"]);
    let nothing = Request { include: list(&["unheard-of"]), ..home("u", 5) };
    assert!(world.ask(&nothing).items.is_empty());
}

#[test]
fn categories_hold_for_surface_and_request() {
    let world = World::new();
    for (item, category) in [("i1", "shoes"), ("i2", "hats"), ("i3", "shoes")] {
        world.item(item, category);
        world.click("v", item);
    }
    let tags = Value::Tags(vec!["sale".into()]);
    world.upsert("i4", Fields::new([("tags".into(), tags)]), None);
    world.click("v", "i4");
    world.publish(&[spec(&["popular"], &["except(category: hats)"])], Vec::new());
    assert_eq!(ids(&world.home("u", 5)), ["i1", "i3", "i4"]);
    world.publish(&[spec(&["popular"], &["only(category: hats, gloves)"])], Vec::new());
    assert_eq!(ids(&world.home("u", 5)), ["i2"]);

    world.publish(&[spec(&["popular"], &[])], Vec::new());
    let ask = |field: &str, values: &[&str]| {
        let filter = CategoryFilter { field: field.into(), values: words(values) };
        Request { categories: vec![filter], ..home("u", 5) }
    };
    assert_eq!(ids(&world.ask(&ask("category", &["shoes"]))), ["i1", "i3"]);
    assert_eq!(ids(&world.ask(&ask("tags", &["sale"]))), ["i4"]);
    let wrong = world.engine.recommend(&ask("categry", &["shoes"])).unwrap_err().invalid();
    assert_eq!((wrong.code, wrong.field.as_str()), ("unknown_field", "categories.categry"));
}

#[test]
fn at_most_n_of_a_category_are_shown_and_the_answer_is_still_full() {
    let world = World::new();
    for number in 0..60 {
        let category = if number < 50 { "common" } else { "rare" };
        let item = format!("i{number:02}");
        world.item(&item, category);
        for _ in 0..60 - number {
            world.click("v", &item);
        }
    }
    world.click("v", "unlabelled");
    world.publish(&[spec(&["popular"], &["max_per_category(3)"])], Vec::new());
    let answer = world.home("u", 7);
    assert_eq!(ids(&answer), ["i00", "i01", "i02", "i50", "i51", "i52", "unlabelled"]);
    let capped = answer.stages.iter().find(|stage| stage.name == "filter:max_per_category").unwrap();
    assert!(capped.entered > capped.left, "{capped:?}");
}

#[test]
fn pushed_down_filters_give_what_filtering_the_whole_ranking_gives() {
    let world = World::new();
    let model = world.two_tastes();
    for number in 0..8 {
        world.item(&format!("a-item{number}"), if number % 2 == 0 { "even" } else { "odd" });
    }
    world.upsert("a-item3", Fields::default(), Some(false));
    world.publish(&[spec(&["ials"], &["seen", "max_per_category(2)"])], vec![model]);
    for user in 0..10 {
        let user = format!("a{user}");
        let wide = Request { explain: true, ..home(&user, 100) };
        // The whole ranking without pushing anything down: every item scored by the same model.
        let everything: Vec<ItemId> = ["a", "b"]
            .iter()
            .flat_map(|taste| (0..8).map(move |item| ItemId::trusted(format!("{taste}-item{item}"))))
            .collect();
        let ask = RankRequest {
            surface: "home".into(),
            actor: wide.actor.clone(),
            items: everything,
            ..RankRequest::default()
        };
        let ranking = world.engine.rank(&ask).unwrap();
        let catalogue = world.views.catalogue();
        let seen: Vec<&str> = world
            .views
            .profile(&wide.actor)
            .unwrap()
            .interactions
            .iter()
            .map(|past| catalogue.id(past.item))
            .map(|id| everything_of(&ranking, id))
            .collect();
        let mut per_category = std::collections::HashMap::new();
        let mut expected = Vec::new();
        for id in ids(&ranking) {
            let number: u32 = id[6..].parse().unwrap();
            if seen.contains(&id) || id == "a-item3" {
                continue;
            }
            if id.starts_with('a') {
                let count: &mut u32 = per_category.entry(number % 2).or_default();
                if *count == 2 {
                    continue;
                }
                *count += 1;
            }
            expected.push(id);
        }
        for limit in [1, 2, 3, 5] {
            let answer = world.home(&user, limit);
            assert_eq!(ids(&answer), &expected[..limit.min(expected.len())], "{user} {limit}");
        }
    }
}

fn everything_of<'a>(ranking: &'a headwater_pipeline::Answer, id: &ItemId) -> &'a str {
    ranking.items.iter().find(|item| item.id == *id).unwrap().id.as_str()
}

#[test]
fn an_explanation_names_sources_and_what_was_filtered() {
    let world = World::new();
    let model = world.two_tastes();
    world.publish(&[spec(&["ials", "popular"], &["seen"])], vec![model]);
    let answer = world.ask(&Request { explain: true, ..home("a0", 2) });
    let explanation = answer.explanation.unwrap();
    assert_eq!(explanation.items.len(), 2);
    assert_eq!(explanation.items[0].sources, [("ials".into(), 0, answer.items[0].score)]);
    // a0 clicked five items; those that would have stood above the shown ones are named.
    assert!(explanation.filtered["seen"] >= 1, "{explanation:?}");
    assert!(
        explanation.refused.iter().all(|(id, filter)| filter == "seen" && id.as_str().starts_with("a-item"))
    );
    assert!(world.home("a0", 2).explanation.is_none());
}

#[test]
fn one_model_can_score_what_all_sources_bring() {
    let world = World::new();
    let model = world.two_tastes();
    let mut spec = spec(&["popular"], &["seen"]);
    spec.scorer = ScorerSpec::Model("ials".into());
    world.click("zoe", "unknown-to-the-model");
    world.publish(&[spec], vec![model]);
    let answer = world.home("b2", 12);
    let first: Vec<&str> = ids(&answer).into_iter().take(2).collect();
    assert!(first.iter().all(|id| id.starts_with("b-")), "{answer:?}");
    assert_eq!(ids(&answer).last(), Some(&"unknown-to-the-model"));
    assert_eq!(answer.model, "ials@1");
}

#[test]
fn ranking_answers_every_candidate_once_the_unknown_last() {
    let world = World::new();
    let model = world.two_tastes();
    world.publish(&[spec(&["ials"], &["seen"])], vec![model]);
    let items = ["nobody", "b-item1", "a-item0", "nowhere", "a-item0"].map(ItemId::trusted).to_vec();
    let request =
        RankRequest { surface: "home".into(), actor: home("a5", 1).actor, items, ..RankRequest::default() };
    let answer = world.engine.rank(&request).unwrap();
    assert_eq!(ids(&answer), ["a-item0", "b-item1", "nobody", "nowhere"]);
    assert_eq!(answer.items[2].score, f32::NEG_INFINITY);
    assert_eq!(world.recorder.decisions.lock().len(), 1);
}

#[test]
fn wrong_requests_say_what_was_expected() {
    let world = World::with(schema(false), Some(AnswerCache::new(10)));
    world.publish(&[spec(&["popular"], &[])], Vec::new());
    let unknown = Request { surface: "hom".into(), ..home("u", 1) };
    let wrong = world.engine.recommend(&unknown).unwrap_err().invalid();
    assert_eq!(
        (wrong.code, wrong.value.as_str(), wrong.expected.as_str()),
        ("unknown_surface", "hom", "home")
    );
    let wrong = world.engine.recommend(&home("u", 0)).unwrap_err().invalid();
    assert_eq!((wrong.code, wrong.expected.as_str()), ("out_of_range", "a whole number from 1 to 200"));
}
