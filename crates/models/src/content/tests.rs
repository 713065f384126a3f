//! The map against its normal equations solved in full.

use headwater_base::{Fields, Value};

use super::*;

const NAMES: [&str; 2] = ["category", "title"];

fn fields(number: usize) -> Fields {
    let category = ["shoes", "hats", "coats"][number % 3];
    let title = format!("{category} model {} {}", number % 7, ["red", "blue"][number % 2]);
    Fields::new([
        ("category".into(), Value::Categorical(category.into())),
        ("title".into(), Value::Text(title)),
    ])
}

fn attributes(number: usize, buckets: usize) -> Attributes {
    Attributes::new(&fields(number), &NAMES, buckets)
}

/// Categories point in directions of their own; the rest is noise.
fn vector(number: usize) -> Vec<f32> {
    let noise = |k: usize| ((number * 31 + k * 17) % 13) as f32 / 130.0;
    (0..4).map(|k| noise(k) + if k == number % 3 { 1.0 } else { 0.0 }).collect()
}

fn train(count: usize, options: &ContentOptions) -> Content {
    let made: Vec<(Attributes, Vec<f32>)> =
        (0..count).map(|number| (attributes(number, options.buckets), vector(number))).collect();
    let examples: Vec<Example<'_>> = made
        .iter()
        .zip(1u8..)
        .map(|((attributes, vector), number)| Example {
            attributes,
            vector,
            weight: f32::from(number) / 10.0,
        })
        .collect();
    Content::train(&examples, 4, options).unwrap()
}

#[test]
fn the_gradient_is_zero_at_the_map() {
    let options = ContentOptions { buckets: 97, lambda: 0.5, steps: 200 };
    let content = train(30, &options);
    // d/dB of the objective: A'C (A B - Y) + lambda B.
    let mut gradient: Vec<f64> = content.map().iter().map(|x| f64::from(*x) * 0.5).collect();
    for number in 0..30 {
        let attributes = attributes(number, 97);
        let found = content.vector(&attributes).unwrap();
        for (bucket, value) in attributes.iter() {
            for (k, (found, wanted)) in found.iter().zip(vector(number)).enumerate() {
                let weight = (number as f64 + 1.0) / 10.0;
                gradient[bucket as usize * 4 + k] += weight * f64::from(value) * f64::from(found - wanted);
            }
        }
    }
    assert!(gradient.iter().all(|x| x.abs() < 1e-3), "{gradient:?}");
}

#[test]
fn an_item_nobody_touched_stands_where_its_like_stand() {
    let content = train(60, &ContentOptions::default());
    for number in 60..69 {
        let found = content.vector(&attributes(number, 16_384)).unwrap();
        let best = (0..4).max_by(|a, b| found[*a].total_cmp(&found[*b])).unwrap();
        assert_eq!(best, number % 3, "{found:?}");
    }
}

#[test]
fn unknown_and_missing_attributes_say_nothing() {
    let content = train(60, &ContentOptions::default());
    assert_eq!(content.vector(&Attributes::default()), None);
    let strange = Fields::new([("category".into(), Value::Categorical("zeppelin".into()))]);
    assert_eq!(content.vector(&Attributes::new(&strange, &NAMES, 16_384)), None);
    // One known among unknown ones is enough.
    let half = Fields::new([("category".into(), Value::Categorical("hats".into()))]);
    assert!(content.vector(&Attributes::new(&half, &NAMES, 16_384)).is_some());
    let beyond = Attributes::new(&fields(1), &NAMES, 1 << 20);
    assert_eq!(content.vector(&beyond), None);
    let huge = Fields::new([("title".into(), Value::Text("hats ".repeat(10_000)))]);
    let vector = content.vector(&Attributes::new(&huge, &NAMES, 16_384)).unwrap();
    assert!(vector.iter().all(|x| x.is_finite()));
}

#[test]
fn the_same_items_give_the_same_bits_and_nothing_gives_zeros() {
    let options = ContentOptions::default();
    let once = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| train(40, &options))
    };
    assert_eq!(once(1), once(3));
    let nothing = Content::train(&[], 4, &options).unwrap();
    assert_eq!(nothing.vector(&attributes(1, 16_384)), None);
    let again = Content::from_parts(options, 4, once(1).map().to_vec()).unwrap();
    assert_eq!(again, once(2));
}

#[test]
fn what_does_not_fit_is_refused() {
    let options = ContentOptions { buckets: 8, ..ContentOptions::default() };
    assert!(Content::from_parts(options, 4, vec![0.0; 31]).is_err());
    assert!(Content::from_parts(options, 4, vec![f32::NAN; 32]).is_err());
    let attributes = attributes(1, 64);
    for vector in [vec![1.0; 3], vec![f32::INFINITY; 4]] {
        let example = Example { attributes: &attributes, vector: &vector, weight: 1.0 };
        assert!(Content::train(&[example], 4, &ContentOptions::default()).is_err());
    }
    let wide = Example { attributes: &attributes, vector: &[1.0; 4], weight: 1.0 };
    assert!(Content::train(&[wide], 4, &options).is_err());
    for wrong in [
        ContentOptions { buckets: 1, ..options },
        ContentOptions { lambda: 0.0, ..options },
        ContentOptions { steps: 0, ..options },
    ] {
        assert!(Content::train(&[], 4, &wrong).is_err());
    }
}
