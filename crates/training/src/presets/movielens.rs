//! `movielens`: MovieLens-100K's folder. `u.data` has `user TAB item TAB rating TAB unix seconds`; `u.item` and
//! `u.user` give metadata where they are there.

use std::ops::ControlFlow;
use std::path::Path;

use compact_str::CompactString;
use headwater_base::value::FieldType;
use headwater_base::{Actor, Fields, ItemId, Timestamp, UserId, Value};

use super::Domain;
use super::feed::{
    Encoding, Feed, Flow, event_id, interaction, item_upsert, synthetic_time, user_upsert, within,
};

pub(super) const DOMAIN: Domain = Domain {
    interaction: "rating",
    items: &[("genres", FieldType::Tags), ("released", FieldType::Time), ("title", FieldType::Text)],
    users: &[
        ("age", FieldType::Numeric),
        ("gender", FieldType::Categorical),
        ("occupation", FieldType::Categorical),
        ("zip_code", FieldType::Categorical),
    ],
    context: &[],
    repeats: false,
};

/// The columns of flags in `u.item`, in order.
const GENRES: [&str; 19] = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
];

struct Rating {
    time: Timestamp,
    number: u64,
    user: UserId,
    item: ItemId,
    value: f32,
}

pub(super) fn read(path: &Path, feed: &mut Feed<'_>) -> Flow {
    let data = within(path, "u.data")?;
    let metadata = ["u.item", "u.user"].map(|name| path.join(name));
    let there: Vec<&Path> =
        metadata.iter().filter(|file| file.is_file()).map(std::path::PathBuf::as_path).collect();
    feed.expect(&[&data])?;
    feed.expect(&there)?;

    let mut ratings = Vec::new();
    let flow = feed.lines(&data, Encoding::Utf8, &mut |feed, number, line| match rating(number, line) {
        Ok(rating) => {
            ratings.push(rating);
            ControlFlow::Continue(())
        }
        Err(reason) => feed.refuse(number, reason),
    })?;
    if flow.is_break() {
        return Ok(flow);
    }
    ratings.sort_by_key(|rating| (rating.time, rating.number));

    // Metadata is as old as the first interaction, so that everything comes in time order.
    let start = ratings.first().map_or(synthetic_time(0), |rating| rating.time);
    for (file, parse) in metadata.iter().zip([item, user]) {
        if !file.is_file() {
            continue;
        }
        let flow = feed.lines(file, Encoding::Utf8OrLatin1, &mut |feed, number, line| match parse(line) {
            Ok(fact) => feed.event(event_id("ml", line.as_bytes(), 0, 0), start, fact),
            Err(reason) => feed.refuse(number, reason),
        })?;
        if flow.is_break() {
            return Ok(flow);
        }
    }
    for Rating { time, user, item, value, .. } in ratings {
        // One rating a user and film, so the content alone names it.
        let content = format!("{user}\t{item}\t{value}\t{}", time.as_micros());
        let fact = interaction(DOMAIN.interaction, Actor::user(user), item, Some(value));
        let flow = feed.event(event_id("ml", content.as_bytes(), 0, 0), time, fact);
        if flow.is_break() {
            return Ok(flow);
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn rating(number: u64, line: &str) -> Result<Rating, String> {
    let mut words = line.split('\t');
    let mut next = |what: &str| words.next().map(str::trim).ok_or_else(|| format!("the {what} is missing"));
    let user = UserId::parse(next("user")?).map_err(|invalid| invalid.to_string())?;
    let item = ItemId::parse(next("item")?).map_err(|invalid| invalid.to_string())?;
    let value = number_of("rating", next("rating")?)?;
    let text = next("time")?;
    let seconds: i64 = text
        .parse()
        .ok()
        .filter(|seconds| (0..=253_402_300_799).contains(seconds))
        .ok_or_else(|| format!("the time `{text}` is not a number of seconds since 1970"))?;
    Ok(Rating { time: Timestamp::from_seconds(seconds), number, user, item, value })
}

fn number_of(what: &str, text: &str) -> Result<f32, String> {
    let value: Option<f32> = text.parse().ok().filter(|value: &f32| value.is_finite());
    value.ok_or_else(|| format!("the {what} `{text}` is not a finite number"))
}

/// `id|title|released|video released|link|flags of the genres`.
fn item(line: &str) -> Result<headwater_base::Fact, String> {
    let words: Vec<&str> = line.split('|').collect();
    let [id, title, released, _, _, flags @ ..] = words.as_slice() else {
        return Err(format!("{} columns, at least 5 expected", words.len()));
    };
    let id = ItemId::parse(id).map_err(|invalid| invalid.to_string())?;
    let mut fields = Fields::default();
    fields.set("title".into(), Value::Text((*title).to_owned()));
    let genres: Vec<CompactString> = GENRES
        .iter()
        .zip(flags)
        .filter(|(_, flag)| **flag == "1")
        .map(|(genre, _)| (*genre).into())
        .collect();
    if !genres.is_empty() {
        let mut genres = genres;
        genres.sort_unstable();
        fields.set("genres".into(), Value::Tags(genres));
    }
    if let Some(day) = day(released) {
        fields.set("released".into(), Value::Time(day));
    }
    Ok(item_upsert(id, fields))
}

/// `id|age|gender|occupation|zip code`.
fn user(line: &str) -> Result<headwater_base::Fact, String> {
    let words: Vec<&str> = line.split('|').collect();
    let [id, age, gender, occupation, zip_code] = words.as_slice() else {
        return Err(format!("{} columns, 5 expected", words.len()));
    };
    let id = UserId::parse(id).map_err(|invalid| invalid.to_string())?;
    let category = |text: &str| Value::Categorical(text.into());
    let fields = Fields::new([
        ("age".into(), Value::Numeric(number_of("age", age)?.into())),
        ("gender".into(), category(gender)),
        ("occupation".into(), category(occupation)),
        ("zip_code".into(), category(zip_code)),
    ]);
    Ok(user_upsert(id, fields))
}

/// A day as `01-Jan-1995`, UTC; `None` where it is missing or written otherwise.
fn day(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split('-');
    let (day, month, year) = (words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    format!("{year:0>4}-{month:02}-{day:0>2}T00:00:00Z").parse().ok()
}
