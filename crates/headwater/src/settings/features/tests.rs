//! Tables as people write them, what they mean, and what is said of wrong ones.

use std::time::Duration;

use headwater_features::declared::{Aggregate, Attribute};

use super::*;
use crate::settings::load;

const DOMAIN: &str = "
[interactions.click]
[interactions.impression]
[interactions.purchase]
[items.fields]
category = \"categorical\"
price = \"numeric\"
[users.fields]
country = \"categorical\"
[context.fields]
device = \"categorical\"
";

fn read(features: &str) -> Settings {
    let text = format!("{DOMAIN}{features}");
    load::read("test", &text, &[]).unwrap_or_else(|report| panic!("{report:?}")).settings
}

fn definition(table: &str) -> Definition {
    let features = read(&format!("[features.feature]\n{table}")).features().unwrap();
    features[0].definition.clone()
}

/// What is said beside the keys at fault.
fn labels(settings: &str) -> Vec<String> {
    let text = format!("{DOMAIN}{settings}");
    let report = load::read("test", &text, &[]).unwrap_err();
    let labels = report.labels().unwrap_or_else(|| panic!("{report:?}"));
    labels.map(|label| label.label().unwrap_or_default().to_owned()).collect()
}

/// The same without the keys, where they are named first.
fn told(settings: &str) -> Vec<String> {
    let without_key = |label: String| match label.split_once("`: ") {
        Some((key, problem)) if key.starts_with("`features.") || key.starts_with("`surfaces.") => {
            problem.to_owned()
        }
        _ => label,
    };
    labels(settings).into_iter().map(without_key).collect()
}

fn told_of(table: &str) -> String {
    let told = told(&format!("[features.feature]\n{table}"));
    assert_eq!(told.len(), 1, "{told:?}");
    told[0].clone()
}

fn only(entity: &[&str], aggregate: Aggregate, types: &[&str], window: Option<u64>) -> AggregateSpec {
    AggregateSpec {
        entity: entity.iter().map(|part| Part::parse(part).unwrap()).collect(),
        aggregate,
        types: types.iter().map(|kind| (*kind).into()).collect(),
        window: window.map(|hours| Duration::from_secs(hours * 3600)),
        decay: None,
        conditions: Conditions::default(),
    }
}

#[test]
fn every_kind_of_feature_reads_as_what_it_says() {
    let category = Attribute::parse("item.category").unwrap();
    let cases = [
        (
            "entity = \"item\"\naggregate = { rate = [\"click\", \"impression\"], prior = [1, 20] }\nwindow = \"1h\"",
            only(
                &["item"],
                Aggregate::Rate { total: vec!["impression".into()], prior: (1.0, 20.0) },
                &["click"],
                Some(1),
            ),
        ),
        (
            "entity = \"item\"\naggregate = { rate = [[\"purchase\", \"click\"], \"*\"] }",
            only(
                &["item"],
                Aggregate::Rate { total: vec![], prior: (0.0, 0.0) },
                &["click", "purchase"],
                None,
            ),
        ),
        (
            "entity = [\"item.category\", \"user\"]\naggregate = { sum = \"click\" }\nwindow = \"7d\"\ndecay = \"1d\"\nwhere = { value = { min = 1, max = 5.0 }, context = { device = [\"tablet\", \"mobile\"] } }",
            AggregateSpec {
                decay: Some(Duration::from_secs(24 * 3600)),
                conditions: Conditions {
                    min_value: Some(1.0),
                    max_value: Some(5.0),
                    context: vec![("device".into(), vec!["mobile".into(), "tablet".into()])],
                },
                ..only(&["user", "item.category"], Aggregate::Sum, &["click"], Some(168))
            },
        ),
        (
            "entity = \"user\"\naggregate = { last = \"click\", of = \"item.category\" }",
            only(&["user"], Aggregate::Last(category.clone()), &["click"], None),
        ),
        (
            "entity = [\"user\"]\naggregate = { top_k = [\"click\"], of = \"item.category\", k = 3 }",
            only(&["user"], Aggregate::TopK { of: category.clone(), k: 3 }, &["click"], None),
        ),
        (
            "entity = \"session\"\naggregate = { last_n = \"*\", of = \"item\", n = 20 }",
            only(&["session"], Aggregate::LastN { of: Attribute::Item, n: 20 }, &[], None),
        ),
        (
            "entity = \"user.country\"\naggregate = { quantile = \"purchase\", at = 0.5 }\nwindow = \"12h\"",
            only(&["user.country"], Aggregate::Quantile(0.5), &["purchase"], Some(12)),
        ),
        (
            "entity = \"context.device\"\naggregate = { distinct = \"click\", of = \"value\" }",
            only(&["context.device"], Aggregate::Distinct(Attribute::Value), &["click"], None),
        ),
    ];
    for (table, expected) in cases {
        assert_eq!(definition(table), Definition::Aggregate(expected), "{table}");
    }
    let simple = [
        ("count", Aggregate::Count),
        ("mean", Aggregate::Mean),
        ("min", Aggregate::Min),
        ("max", Aggregate::Max),
        ("time_since", Aggregate::TimeSince),
    ];
    for (name, aggregate) in simple {
        let table = format!("entity = \"item\"\naggregate = {{ {name} = \"click\" }}");
        assert_eq!(definition(&table), Definition::Aggregate(only(&["item"], aggregate, &["click"], None)));
    }
    assert_eq!(definition("field = \"item.price\""), Definition::Field(FieldRef::Item("price".into())));
    for (name, time) in TimeFeature::ALL {
        assert_eq!(definition(&format!("time = \"{name}\"")), Definition::Time(time));
    }
}

#[test]
fn two_ways_to_write_a_feature_are_one_definition() {
    let canonical = |table: &str| serde_json::to_string(&definition(table)).unwrap();
    assert_eq!(
        canonical(
            "entity = [\"user\", \"item\"]\naggregate = { count = [\"click\", \"purchase\"] }\nwindow = \"24h\""
        ),
        canonical(
            "entity = [\"item\", \"user\"]\naggregate = { count = [\"purchase\", \"click\"] }\nwindow = \"1d\""
        )
    );
}

#[test]
fn wrong_tables_are_told_what_would_be_right() {
    let aggregates =
        "count, sum, mean, min, max, last, time_since, rate, distinct, quantile, top_k or last_n";
    let item = "entity = \"item\"\n";
    let of = "item, item.category, user.country or context.device";
    let kinds = "`entity` with `aggregate`, or `field`, or `time`";
    let cases = [
        // Shape: found by the walk over the schema.
        (format!("{item}aggregate = {{ cout = \"click\" }}"), "unknown key `cout`; did you mean `count`?".to_owned()),
        (format!("{item}aggregate = \"count\""), "`features.feature.aggregate` must be a table, not a text".to_owned()),
        (
            format!("{item}aggregate = {{ count = 3 }}"),
            "`features.feature.aggregate.count` must be a text or a list, not a whole number".to_owned(),
        ),
        (
            format!("{item}aggregate = {{ count = [\"click\", 3] }}"),
            "`features.feature.aggregate.count[1]` must be a text, not a whole number".to_owned(),
        ),
        (
            format!("{item}aggregate = {{ rate = \"click\" }}"),
            "`features.feature.aggregate.rate` must be a list, not a text".to_owned(),
        ),
        (
            format!("{item}aggregate = {{ rate = [\"click\", [1]] }}"),
            "`features.feature.aggregate.rate[1][0]` must be a text, not a whole number".to_owned(),
        ),
        (
            format!("{item}aggregate = {{ top_k = \"click\", of = \"item\", k = 1.5 }}"),
            "`features.feature.aggregate.k` must be a whole number, not a number with a fraction".to_owned(),
        ),
        (
            "entity = { item = true }\naggregate = { count = \"click\" }".to_owned(),
            "`features.feature.entity` must be a text or a list, not a table".to_owned(),
        ),
        ("time = \"hour_of_weak\"".to_owned(), "`features.feature.time` cannot be \"hour_of_weak\"".to_owned()),
        (
            format!("{item}aggregate = {{ count = \"click\" }}\nwhere = {{ value = {{ least = 1 }} }}"),
            "unknown key `least`".to_owned(),
        ),
        (
            format!("{item}aggregate = {{ count = \"click\" }}\nwindow = \"1 week\""),
            "`1 week` is not a duration such as \"50ms\", \"2s\", \"6h\" or \"30d\"".to_owned(),
        ),
        // What one key says against another.
        (String::new(), format!("expected {kinds}")),
        ("entity = \"item\"".to_owned(), "expected an aggregate, as in { count = \"click\" }".to_owned()),
        (
            "aggregate = { count = \"click\" }".to_owned(),
            "expected whose interactions are meant, as in entity = \"item\"".to_owned(),
        ),
        (
            "field = \"item.price\"\ntime = \"item_age\"".to_owned(),
            format!("`field and time` cannot be used; expected one kind of feature: {kinds}"),
        ),
        (
            "field = \"item.price\"\nwindow = \"1h\"".to_owned(),
            "`window` cannot be used; expected it with an `aggregate`, not with `field`".to_owned(),
        ),
        (
            "time = \"item_age\"\nentity = \"item\"".to_owned(),
            "`entity` cannot be used; expected it with an `aggregate`, not with `time`".to_owned(),
        ),
        (format!("{item}aggregate = {{}}"), format!("expected {aggregates}")),
        (
            format!("{item}aggregate = {{ count = \"click\", sum = \"click\" }}"),
            "`count and sum` cannot be used; expected exactly one aggregate: a feature for each".to_owned(),
        ),
        (
            format!("{item}aggregate = {{ count = \"click\", k = 3 }}"),
            "`k` cannot be used; expected it with top_k, not with count".to_owned(),
        ),
        (
            format!("{item}aggregate = {{ quantile = \"click\", at = 0.5, of = \"item\" }}"),
            "`of` cannot be used; expected it with last, distinct, top_k or last_n, not with quantile".to_owned(),
        ),
        (
            format!("{item}aggregate = {{ quantile = \"click\" }}"),
            "expected `at` beside `quantile`: a number from 0 to 1".to_owned(),
        ),
        (
            format!("{item}aggregate = {{ last_n = \"click\", n = 3 }}"),
            format!("expected `of` beside `last_n`: {of}"),
        ),
        (
            format!("{item}aggregate = {{ last = \"click\", of = \"categry\" }}"),
            format!("`categry` cannot be used; expected value, {of}"),
        ),
        (
            format!("{item}aggregate = {{ rate = [\"click\"] }}"),
            "expected [hits, total], as in [\"click\", \"impression\"]".to_owned(),
        ),
        (
            format!("{item}aggregate = {{ rate = [\"click\", \"impression\"], prior = [1] }}"),
            "expected [hits, total], two numbers".to_owned(),
        ),
        (
            format!("{item}aggregate = {{ count = [\"*\", \"click\"] }}"),
            "`*, click` cannot be used; expected interaction types, or \"*\" alone for every type".to_owned(),
        ),
        (
            format!("{item}aggregate = {{ count = [] }}"),
            "expected interaction types, or \"*\" alone for every type".to_owned(),
        ),
        (
            format!("{item}aggregate = {{ count = \"clik\" }}"),
            "`clik` cannot be used; expected click, impression or purchase".to_owned(),
        ),
        (
            "entity = \"usr\"\naggregate = { count = \"click\" }".to_owned(),
            "`usr` cannot be used; expected user, session, item, item.category, user.country or context.device"
                .to_owned(),
        ),
        (
            format!("{item}aggregate = {{ count = \"click\" }}\nwhere = {{}}"),
            "expected a condition, as in { value = { min = 1.0 } }".to_owned(),
        ),
    ];
    for (table, expected) in cases {
        assert_eq!(told_of(&table), expected, "{table}");
    }
}

/// What the store refuses is told beside the key at fault, in the words of the settings.
#[test]
fn what_cannot_be_computed_is_told_where_it_stands() {
    let count = "entity = \"item\"\naggregate = { count = \"click\" }\n";
    let parts = "user, session, item, item.category, user.country or context.device";
    let words = "item, item.category, user.country or context.device";
    let tiles = "expected between 5m and 730d: no tiles are kept for other windows";
    let cases = [
        ("field", 
            "field = \"item.prise\"".to_owned(),
            "`item.prise` cannot be used; expected item.price, item.category, user.country or context.device".to_owned(),
        ),
        ("entity", 
            count.replace("\"item\"", "\"item.price\""),
            format!("`item.price` cannot be used; expected {parts}; item.price is numeric"),
        ),
        ("entity", 
            count.replace("\"item\"", "[\"user\", \"session\"]"),
            "`user x session` cannot be used; expected `user` or `session` alone: a session is one user's, so the pair is the session".to_owned(),
        ),
        ("window", format!("{count}window = \"4m\""), format!("`240s` cannot be used; {tiles}")),
        ("window", format!("{count}window = \"731d\""), format!("`63158400s` cannot be used; {tiles}")),
        ("decay", 
            "entity = \"item\"\naggregate = { max = \"click\" }\ndecay = \"1h\"".to_owned(),
            "`3600s` cannot be used; expected no decay with `max`: only count, sum, mean and rate decay".to_owned(),
        ),
        ("aggregate.of", 
            "entity = \"item\"\naggregate = { last_n = \"click\", of = \"user\", n = 3 }".to_owned(),
            format!("`user` cannot be used; expected {words}; `last_n` gives words, and nobody's id is shown"),
        ),
        ("aggregate.of", 
            "entity = \"item\"\naggregate = { top_k = \"click\", of = \"session\", k = 3 }".to_owned(),
            format!("`session` cannot be used; expected {words}; `top_k` gives words, and nobody's id is shown"),
        ),
        ("aggregate.of", 
            "entity = \"item\"\naggregate = { distinct = \"click\", of = \"item.price\" }".to_owned(),
            "`item.price` cannot be used; expected value, item, user, session, item.category, user.country or context.device; item.price is numeric".to_owned(),
        ),
        ("where.context.divice", 
            format!("{count}where = {{ context = {{ divice = \"tv\" }} }}"),
            "`context.divice` cannot be used; expected context.device".to_owned(),
        ),
        ("where.value", 
            format!("{count}where = {{ value = {{ min = 2.0, max = 1.0 }} }}"),
            "`2 to 1` cannot be used; expected min <= max".to_owned(),
        ),
    ];
    for (key, table, expected) in cases {
        let told = labels(&format!("[features.feature]\n{table}"));
        assert_eq!(told, [format!("`features.feature.{key}`: {expected}")], "{table}");
    }
}

#[test]
fn more_conditions_than_can_be_told_apart_are_refused_where_they_stand() {
    let feature = |least: u32| {
        format!(
            "[features.above_{least:02}]\nentity = \"item\"\naggregate = {{ count = \"*\" }}\nwhere = {{ value = {{ min = {least} }} }}\n"
        )
    };
    let features = |many: u32| (0..many).map(feature).collect::<String>();
    assert_eq!(read(&features(64)).features.len(), 64);
    assert_eq!(
        told(&features(65)),
        ["`65` cannot be used; expected at most 64 different sets of types and conditions"]
    );
}

#[test]
fn surfaces_name_declared_features_once_and_log_a_share() {
    let declared = "[features.hour]\ntime = \"hour_of_day\"\n[features.price]\nfield = \"item.price\"\n";
    let settings = read(&format!("{declared}[surfaces.home]\nfeatures = [\"price\"]\n[surfaces.similar]\n"));
    assert_eq!(settings.features_of("home"), ["price"]);
    assert_eq!(settings.features_of("similar"), ["hour", "price"]);
    assert_eq!(settings.surfaces["home"].logged_share, 0.1);
    let told = |surface: &str| told(&format!("{declared}[surfaces.home]\n{surface}"));
    assert_eq!(told("features = [\"prize\"]"), ["`prize` is no declared feature; expected price or hour"]);
    assert_eq!(told("features = [\"price\", \"hour\", \"price\"]"), ["`price` is listed twice"]);
    for share in ["1.5", "-0.1", "nan"] {
        let problem = &told(&format!("logged_share = {share}"))[0];
        assert!(
            problem.starts_with("`surfaces.home.logged_share` must be a share between 0 and 1"),
            "{problem}"
        );
    }
}

#[test]
fn a_feature_is_unread_where_no_vector_and_no_champion_holds_it() {
    let declared = "[features.hour]\ntime = \"hour_of_day\"\n[features.price]\nfield = \"item.price\"\n";
    let unread = |surfaces: &str, needed: &[&str]| {
        let settings = read(&format!("{declared}{surfaces}"));
        let needed: Vec<String> = needed.iter().map(|label| (*label).to_owned()).collect();
        settings.unread_features(&needed).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let nobody: [&str; 0] = [];
    assert_eq!(unread("", &[]), nobody);
    assert_eq!(unread("[surfaces.home]\nfeatures = [\"hour\"]\n", &[]), ["price"]);
    assert_eq!(unread("[surfaces.home]\nlogged_share = 0.0\n", &[]), ["hour", "price"]);
    assert_eq!(unread("[surfaces.home]\nlogged_share = 0.0\n[surfaces.next]\n", &[]), nobody);
    assert_eq!(unread("[surfaces.home]\nfeatures = [\"hour\"]\n", &["price@1"]), nobody);
    assert_eq!(unread("[surfaces.home]\nfeatures = []\n", &["price@3", "hours@1"]), ["hour"]);
}
