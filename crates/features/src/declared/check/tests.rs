//! Each rule with the words that a person is told.

use headwater_base::schema::InteractionType;

use super::*;
use crate::declared::{Plan, TimeFeature};

fn schema() -> Schema {
    let weight = |name: &str| (name.into(), InteractionType { weight: 1.0 });
    Schema {
        interactions: ["click", "impression", "purchase"].map(weight).into(),
        items: [
            ("category".into(), FieldType::Categorical),
            ("price".into(), FieldType::Numeric),
            ("colours".into(), FieldType::Tags),
            ("title".into(), FieldType::Text),
            ("image".into(), FieldType::Vector),
            ("added".into(), FieldType::Time),
        ]
        .into(),
        users: [("country".into(), FieldType::Categorical)].into(),
        context: [("device".into(), FieldType::Categorical), ("battery".into(), FieldType::Numeric)].into(),
        repeats: false,
    }
}

fn named(name: &str, definition: Definition) -> FeatureSpec {
    FeatureSpec { name: name.into(), version: 1, definition }
}

fn aggregate(aggregate: Aggregate, change: impl FnOnce(&mut AggregateSpec)) -> FeatureSpec {
    let mut spec = AggregateSpec {
        entity: vec![Part::Item],
        aggregate,
        types: vec!["click".into()],
        window: Some(Duration::from_secs(3600)),
        decay: None,
        conditions: Conditions::default(),
    };
    change(&mut spec);
    named("feature", Definition::Aggregate(spec))
}

fn entity(parts: &[&str]) -> FeatureSpec {
    aggregate(Aggregate::Count, |spec| {
        spec.entity = parts.iter().map(|part| Part::parse(part).unwrap()).collect();
    })
}

fn field(text: &str) -> FeatureSpec {
    named("feature", Definition::Field(FieldRef::parse(text).unwrap()))
}

fn of(text: &str) -> Attribute {
    Attribute::parse(text).unwrap()
}

fn conditions(conditions: Conditions) -> FeatureSpec {
    aggregate(Aggregate::Count, |spec| spec.conditions = conditions)
}

fn context(words: &[(&str, &[&str])]) -> FeatureSpec {
    let context = words
        .iter()
        .map(|(name, words)| ((*name).into(), words.iter().map(|word| (*word).into()).collect()))
        .collect();
    conditions(Conditions { context, ..Conditions::default() })
}

fn rate(prior: (f32, f32)) -> FeatureSpec {
    aggregate(Aggregate::Rate { total: vec!["impression".into()], prior }, |_| {})
}

#[test]
fn sound_declarations_pass() {
    let schema = schema();
    let days = |days: u64| Some(Duration::from_secs(days * 24 * 3600));
    let sound = [
        entity(&["item"]),
        entity(&["session"]),
        entity(&["user.country"]),
        entity(&["context.device"]),
        entity(&["user", "item"]),
        entity(&["item", "session"]),
        entity(&["user", "item.category"]),
        entity(&["item.category", "user.country"]),
        entity(&["item", "user.country"]),
        entity(&["context.device", "user"]),
        field("item.price"),
        field("item.colours"),
        field("item.added"),
        field("user.country"),
        field("context.battery"),
        named("hour", Definition::Time(TimeFeature::HourOfWeek)),
        rate((0.0, 0.0)),
        rate((1.0, 20.0)),
        rate((1.0, 1.0)),
        aggregate(Aggregate::Last(of("value")), |_| {}),
        aggregate(Aggregate::Last(of("item.category")), |_| {}),
        aggregate(Aggregate::Distinct(of("session")), |spec| spec.types.clear()),
        aggregate(Aggregate::Quantile(0.0), |_| {}),
        aggregate(Aggregate::Quantile(1.0), |_| {}),
        aggregate(Aggregate::TopK { of: of("item.category"), k: 1 }, |_| {}),
        aggregate(Aggregate::LastN { of: of("item"), n: 100 }, |_| {}),
        aggregate(Aggregate::Mean, |spec| spec.decay = days(1)),
        aggregate(Aggregate::Count, |spec| spec.window = Some(MIN_WINDOW)),
        aggregate(Aggregate::Count, |spec| spec.window = days(730)),
        aggregate(Aggregate::Count, |spec| spec.window = None),
        conditions(Conditions {
            min_value: Some(1.0),
            max_value: Some(1.0),
            context: vec![("device".into(), vec!["mobile".into(), "tablet".into()])],
        }),
    ];
    for spec in sound {
        assert_eq!(spec.check(&schema), Ok(()), "{spec:?}");
    }
}

/// What is let through here must not be refused when features are compiled.
#[test]
fn what_passes_can_be_computed() {
    let schema = schema();
    let attributes = ["value", "item", "user", "session", "item.category", "user.country", "context.device"];
    let parts = ["user", "session", "item", "item.category", "user.country", "context.device"];
    let mut passed = 0;
    let mut compile = |spec: FeatureSpec| {
        if spec.check(&schema).is_ok() {
            passed += 1;
            Plan::new(std::slice::from_ref(&spec), &schema).unwrap_or_else(|told| panic!("{spec:?}: {told}"));
        }
    };
    for of in attributes.map(of) {
        compile(aggregate(Aggregate::Last(of.clone()), |_| {}));
        compile(aggregate(Aggregate::Distinct(of.clone()), |_| {}));
        compile(aggregate(Aggregate::TopK { of: of.clone(), k: 3 }, |_| {}));
        compile(aggregate(Aggregate::LastN { of, n: 3 }, |_| {}));
    }
    for first in parts {
        compile(entity(&[first]));
        for second in parts {
            compile(entity(&[first, second]));
        }
    }
    // 5 attributes of `last`, 7 of `distinct`, 4 of `top_k` and of `last_n`; 6 parts; 30 pairs of two different ones
    // without user x session, user x user.country and item x item.category either way round.
    assert_eq!(passed, 5 + 7 + 4 + 4 + 6 + 30 - 6);
}

#[test]
fn what_is_wrong_is_said_in_the_words_of_the_settings() {
    let schema = schema();
    let value = |min: f32, max: f32| {
        conditions(Conditions { min_value: Some(min), max_value: Some(max), ..Conditions::default() })
    };
    let words = |k: usize| aggregate(Aggregate::TopK { of: of("item"), k }, |_| {});
    let latest = |n: usize| aggregate(Aggregate::LastN { of: of("item"), n }, |_| {});
    let window =
        |seconds: u64| aggregate(Aggregate::Count, |spec| spec.window = Some(Duration::from_secs(seconds)));
    let decay = |kind: Aggregate, seconds: u64| {
        aggregate(kind, |spec| spec.decay = Some(Duration::from_secs(seconds)))
    };
    let types = |types: &[&str]| {
        aggregate(Aggregate::Sum, |spec| spec.types = types.iter().map(|kind| (*kind).into()).collect())
    };
    let total = |total: &[&str]| {
        let total = total.iter().map(|kind| (*kind).into()).collect();
        aggregate(Aggregate::Rate { total, prior: (1.0, 20.0) }, |_| {})
    };
    let parts = "user, session, item, item.category, user.country or context.device";
    let attributes = "value, item, user, session, item.category, user.country or context.device";
    let readable = "item.added, item.category, item.colours, item.price, user.country, context.battery or context.device";
    let name = "1 to 64 of a-z, 0-9 and `_`, beginning with a letter";
    let prior = "[hits, total], two finite numbers with 0 <= hits <= total";
    let tiles = "between 5m and 730d: no tiles are kept for other windows";

    let tags_part = &format!("{parts}; item.colours is tags");
    let numeric_part = &format!("{parts}; context.battery is numeric");
    let numeric_attribute = &format!("{attributes}; item.price is numeric");
    let vector_attribute = &format!("{attributes}; item.image is a vector");

    let wrong: Vec<(FeatureSpec, [&str; 4])> = vec![
        (named("Ctr", Definition::Time(TimeFeature::ItemAge)), ["invalid_name", "name", "Ctr", name]),
        (named("a@1", Definition::Time(TimeFeature::ItemAge)), ["invalid_name", "name", "a@1", name]),
        (named("", Definition::Time(TimeFeature::ItemAge)), ["invalid_name", "name", "", name]),
        // Static fields.
        (
            field("item.prise"),
            [
                "unknown_field",
                "field",
                "item.prise",
                "item.price, item.added, item.category, item.colours, user.country, context.battery or context.device",
            ],
        ),
        (
            field("item.title"),
            [
                "wrong_type",
                "field",
                "item.title",
                "item.price, item.added, item.category, item.colours, user.country, context.battery or context.device; item.title is text",
            ],
        ),
        (field("user.language"), ["unknown_field", "field", "user.language", readable]),
        // Entities.
        (
            entity(&["item.categry"]),
            [
                "unknown_field",
                "entity",
                "item.categry",
                "item.category, user, session, item, user.country or context.device",
            ],
        ),
        (entity(&["user", "item.colours"]), ["wrong_type", "entity", "item.colours", tags_part]),
        (entity(&["context.battery"]), ["wrong_type", "entity", "context.battery", numeric_part]),
        (
            entity(&["item", "item"]),
            ["duplicate", "entity", "item x item", "`item` once: a pair needs two different parts"],
        ),
        (
            entity(&["session", "user"]),
            [
                "impossible_pair",
                "entity",
                "session x user",
                "`user` or `session` alone: a session is one user's, so the pair is the session",
            ],
        ),
        (
            entity(&["user", "user.country"]),
            [
                "pointless_pair",
                "entity",
                "user x user.country",
                "`user` alone: each user has one user.country, so the pair is the user",
            ],
        ),
        (
            entity(&["item.category", "item"]),
            [
                "pointless_pair",
                "entity",
                "item.category x item",
                "`item` alone: each item has one item.category, so the pair is the item",
            ],
        ),
        (
            entity(&[]),
            ["missing_field", "entity", "", "one part or a pair, as in [\"user\", \"item.category\"]"],
        ),
        (
            entity(&["user", "item", "context.device"]),
            ["too_many_parts", "entity", "user x item x context.device", "one part or a pair"],
        ),
        // Types.
        (types(&["clik"]), ["unknown_type", "aggregate.sum", "clik", "click, impression or purchase"]),
        (types(&["click", "click"]), ["duplicate", "aggregate.sum", "click", "`click` once"]),
        (total(&["view"]), ["unknown_type", "aggregate.rate", "view", "click, impression or purchase"]),
        (total(&["click", "click"]), ["duplicate", "aggregate.rate", "click", "`click` once"]),
        // Attributes.
        (
            aggregate(Aggregate::Distinct(of("item.price")), |_| {}),
            ["wrong_type", "aggregate.of", "item.price", numeric_attribute],
        ),
        (
            aggregate(Aggregate::Distinct(of("item.image")), |_| {}),
            ["wrong_type", "aggregate.of", "item.image", vector_attribute],
        ),
        (
            aggregate(Aggregate::Distinct(of("user.contry")), |_| {}),
            [
                "unknown_field",
                "aggregate.of",
                "user.contry",
                "user.country, value, item, user, session, item.category or context.device",
            ],
        ),
        (
            aggregate(Aggregate::TopK { of: of("value"), k: 3 }, |_| {}),
            [
                "wrong_type",
                "aggregate.of",
                "value",
                "item, item.category, user.country or context.device; `top_k` gives words, and a value is a number",
            ],
        ),
        (
            aggregate(Aggregate::LastN { of: of("user"), n: 3 }, |_| {}),
            [
                "wrong_type",
                "aggregate.of",
                "user",
                "item, item.category, user.country or context.device; `last_n` gives words, and nobody's id is shown",
            ],
        ),
        (
            aggregate(Aggregate::Last(of("session")), |_| {}),
            [
                "wrong_type",
                "aggregate.of",
                "session",
                "value, item, item.category, user.country or context.device; `last` gives words, and nobody's id is shown",
            ],
        ),
        // Parameters.
        (
            aggregate(Aggregate::Quantile(1.5), |_| {}),
            ["out_of_range", "aggregate.at", "1.5", "a number from 0 to 1"],
        ),
        (
            aggregate(Aggregate::Quantile(f64::NAN), |_| {}),
            ["out_of_range", "aggregate.at", "NaN", "a number from 0 to 1"],
        ),
        (words(0), ["out_of_range", "aggregate.k", "0", "a whole number from 1 to 100"]),
        (words(101), ["out_of_range", "aggregate.k", "101", "a whole number from 1 to 100"]),
        (latest(0), ["out_of_range", "aggregate.n", "0", "a whole number from 1 to 100"]),
        (latest(101), ["out_of_range", "aggregate.n", "101", "a whole number from 1 to 100"]),
        (rate((2.0, 1.0)), ["out_of_range", "aggregate.prior", "[2, 1]", prior]),
        (rate((-1.0, 1.0)), ["out_of_range", "aggregate.prior", "[-1, 1]", prior]),
        (rate((1.0, f32::INFINITY)), ["out_of_range", "aggregate.prior", "[1, inf]", prior]),
        (rate((f32::NAN, 1.0)), ["out_of_range", "aggregate.prior", "[NaN, 1]", prior]),
        // Windows and decay.
        (window(299), ["out_of_range", "window", "299s", tiles]),
        (window(730 * 24 * 3600 + 1), ["out_of_range", "window", "63072001s", tiles]),
        (
            decay(Aggregate::Max, 60),
            ["impossible_decay", "decay", "60s", "no decay with `max`: only count, sum, mean and rate decay"],
        ),
        (decay(Aggregate::Count, 0), ["out_of_range", "decay", "0ns", "a half-life longer than 0s"]),
        // Conditions.
        (value(2.0, 1.0), ["out_of_range", "where.value", "2 to 1", "min <= max"]),
        (value(f32::NAN, 1.0), ["out_of_range", "where.value.min", "NaN", "a finite number"]),
        (value(0.0, f32::INFINITY), ["out_of_range", "where.value.max", "inf", "a finite number"]),
        (
            context(&[("devise", &["tv"])]),
            ["unknown_field", "where.context.devise", "context.devise", "context.device"],
        ),
        (
            context(&[("battery", &["full"])]),
            [
                "wrong_type",
                "where.context.battery",
                "context.battery",
                "context.device; context.battery is numeric",
            ],
        ),
        (context(&[("device", &[])]), ["missing_field", "where.context.device", "", "at least one word"]),
        (context(&[("device", &["tv", "tv"])]), ["duplicate", "where.context.device", "tv", "`tv` once"]),
        (
            context(&[("device", &["tv"]), ("device", &["mobile"])]),
            ["duplicate", "where.context.device", "device", "`device` once"],
        ),
    ];
    for (spec, expected) in wrong {
        let invalid = spec.check(&schema).expect_err(&format!("{spec:?}"));
        let told = [invalid.code, invalid.field.as_str(), &invalid.value, &invalid.expected];
        assert_eq!(told, expected, "{spec:?}");
    }
}
