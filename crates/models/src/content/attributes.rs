//! Attributes as sparse vectors.
//!
//! Every word of a field has a place of its own, found by hashing the field's name with it, so no vocabulary has to be kept and a new
//! word is no error: it falls on a place that nothing was learnt for, or shares one. Per type of field:
//!
//! - categorical: its word; tags: each tag; time: the year;
//! - text: each word in lower case, and the three-letter parts of words longer than three, so that forms of a word are alike;
//! - numeric: the half powers of two that its size lies between;
//! - vector: each number at the place of its index.
//!
//! The parts of one field have length 1 together, so that a long text counts no more than a category.

use headwater_base::random::stable_hash;
use headwater_base::{Fields, Value};

/// The place of what all items have: the mean.
const CONSTANT: u32 = 0;
const MICROS_A_YEAR: f64 = 365.25 * 86_400e6;

/// A sparse vector: places ascending, each once, values finite.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes {
    entries: Vec<(u32, f32)>,
}

impl Attributes {
    /// The attributes that `fields` has of `names`, hashed to `buckets` (at least 2) places; none where it has none of them.
    pub fn new<N: AsRef<str>>(fields: &Fields, names: &[N], buckets: usize) -> Self {
        let mut entries = Vec::new();
        for name in names {
            let name = name.as_ref();
            let Some(value) = fields.get(name) else { continue };
            let mut parts = Vec::new();
            add(&mut parts, name, value, buckets);
            let length = parts.iter().map(|(_, x)| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            if length > 0.0 && length.is_finite() {
                entries.extend(parts.into_iter().map(|(place, x)| (place, (f64::from(x) / length) as f32)));
            }
        }
        if !entries.is_empty() {
            entries.push((CONSTANT, 1.0));
        }
        entries.sort_by_key(|(place, _)| *place);
        entries.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0.0 };
            same
        });
        Self { entries }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Places with their values, ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u32, f32)> + '_ {
        self.entries.iter().copied()
    }

    /// One more than the last place.
    pub(super) fn end(&self) -> usize {
        self.entries.last().map_or(0, |(place, _)| *place as usize + 1)
    }

    pub(super) fn is_constant(&self, place: u32) -> bool {
        place == CONSTANT
    }
}

fn add(parts: &mut Vec<(u32, f32)>, name: &str, value: &Value, buckets: usize) {
    let place = |word: &str| {
        let hash = stable_hash(&format!("{name}\u{1}{word}"));
        1 + (hash % (buckets as u64 - 1)) as u32
    };
    match value {
        Value::Categorical(word) => parts.push((place(word), 1.0)),
        Value::Tags(tags) => parts.extend(tags.iter().map(|tag| (place(tag), 1.0))),
        Value::Time(time) => {
            let year = (time.as_micros() as f64 / MICROS_A_YEAR).floor();
            parts.push((place(&year.to_string()), 1.0));
        }
        Value::Numeric(number) => {
            let size = (2.0 * number.abs().max(f64::MIN_POSITIVE).log2()).floor();
            parts.push((place(&format!("{}{size}", if *number < 0.0 { "-" } else { "" })), 1.0));
        }
        Value::Vector(numbers) => {
            parts.extend((0u32..).zip(numbers).map(|(index, x)| (place(&index.to_string()), *x)));
        }
        Value::Text(text) => {
            let lower = text.to_lowercase();
            for word in lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
                parts.push((place(word), 1.0));
                let letters: Vec<char> = word.chars().collect();
                if letters.len() > 3 {
                    // Marked, so that a part is not taken for a word.
                    let of_three = letters.windows(3).map(|part| part.iter().collect::<String>());
                    parts.extend(of_three.map(|part| (place(&format!("\u{2}{part}")), 0.5)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use headwater_base::Timestamp;

    use super::*;

    fn fields() -> Fields {
        Fields::new([
            ("genres".into(), Value::Tags(vec!["Comedy".into(), "War".into()])),
            ("title".into(), Value::Text("The Great Dictator (1940)".into())),
            ("price".into(), Value::Numeric(9.5)),
            ("released".into(), Value::Time(Timestamp::from_seconds(0))),
            ("vector".into(), Value::Vector(vec![0.0, -2.0, 1e30])),
            ("country".into(), Value::Categorical("us".into())),
        ])
    }

    fn of(names: &[&str]) -> Attributes {
        Attributes::new(&fields(), names, 1 << 16)
    }

    #[test]
    fn every_field_has_length_one_beside_the_constant() {
        for name in ["genres", "title", "price", "released", "vector", "country"] {
            let attributes = of(&[name]);
            let length: f32 = attributes.iter().filter(|(place, _)| *place != 0).map(|(_, x)| x * x).sum();
            assert!((length - 1.0).abs() < 0.2, "{name}: {length}");
            assert!(
                attributes.iter().all(|(place, x)| (place as usize) < 1 << 16 && x.is_finite()),
                "{name}"
            );
            assert_eq!(attributes.iter().next(), Some((0, 1.0)));
        }
        assert_eq!(of(&["genres", "country"]).iter().len(), 4);
    }

    #[test]
    fn what_is_missing_or_not_asked_for_is_left_out() {
        assert!(of(&["rating"]).is_empty() && of(&[]).is_empty());
        assert_eq!(of(&["rating", "country"]), of(&["country"]));
        let empty = Fields::new([("genres".into(), Value::Tags(Vec::new()))]);
        assert!(Attributes::new(&empty, &["genres"], 64).is_empty());
    }

    #[test]
    fn forms_of_a_word_are_alike_and_a_word_of_another_field_is_not() {
        let text = |field: &'static str, text: &str| {
            Attributes::new(&Fields::new([(field.into(), Value::Text(text.into()))]), &[field], 1 << 16)
        };
        let shared = |a: &Attributes, b: &Attributes| {
            a.iter().filter(|(place, _)| *place != 0 && b.iter().any(|(other, _)| other == *place)).count()
        };
        assert!(shared(&text("title", "Dictators"), &text("title", "dictator")) >= 6);
        assert_eq!(text("title", "GREAT war"), text("title", "great WAR!"));
        assert_eq!(shared(&text("title", "dictator"), &text("genre", "dictator")), 0);
    }
}
