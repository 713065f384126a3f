//! The two kinds of requests under load: events in, answers out.

use std::sync::Arc;

use headwater_base::random::{Random, seeded};
use rand::RngExt as _;
use serde::Deserialize;

use super::BenchError;
use super::client::prepare;
use super::interactions::Traffic;
use super::load::Source;

/// Distinct combinations of a user and an item that a generator sends.
const COMBINATIONS: usize = 1 << 15;

/// Connections of a steady stream.
const STEADY: usize = 8;

/// Tails of event bodies, made once: `","type":"visit","user":"u7","item":"i3","time":"..."}`.
#[derive(Debug)]
pub struct EventTails(Vec<Box<[u8]>>);

impl EventTails {
    /// Users alike often, items by a skewed draw (the first tenth gets about half of the events), all at `time`.
    pub fn new(traffic: &Traffic, time: &str, seed: u64) -> Self {
        let mut random = seeded(seed, "bench/events");
        let tail = |_| {
            let user = &traffic.users[random.random_range(0..traffic.users.len())];
            let skewed = random.random::<f64>().powf(3.3) * traffic.items.len() as f64;
            let item = &traffic.items[skewed as usize];
            format!(r#"","type":"{}","user":"{user}","item":"{item}","time":"{time}"}}"#, traffic.kind)
                .into_bytes()
                .into_boxed_slice()
        };
        Self((0..COMBINATIONS).map(tail).collect())
    }

    /// Tails of `next`'s making.
    pub fn made(mut next: impl FnMut() -> Option<String>) -> Self {
        let tail = |_| next().unwrap_or_default().into_bytes().into_boxed_slice();
        Self((0..COMBINATIONS).map(tail).collect())
    }
}

/// Made-up users and items, for benchmarks that need no real ones.
pub fn made_up(users: usize, items: usize) -> Traffic {
    Traffic {
        kind: "click".into(),
        users: (0..users).map(|number| format!("user-{number}")).collect(),
        items: (0..items).map(|number| format!("item-{number}")).collect(),
        interactions: 0,
    }
}

/// Sends events with ids `PREFIX0`, `PREFIX1`, ... on one connection, so that what was acknowledged is a number.
#[derive(Debug)]
pub struct EventSource {
    prefix: String,
    tails: Arc<EventTails>,
    place: usize,
    batch: usize,
    key: Option<String>,
    sent: u64,
    acknowledged: u64,
    body: Vec<u8>,
}

#[derive(Deserialize)]
struct Accepted {
    accepted: u64,
    refused: Vec<serde::de::IgnoredAny>,
}

impl EventSource {
    /// Sends `batch` events at once: an array, or one object where it is 1.
    pub fn new(prefix: String, tails: Arc<EventTails>, batch: usize, key: Option<String>) -> Self {
        let place = headwater_base::random::stable_hash(&prefix) as usize % COMBINATIONS;
        Self { prefix, tails, place, batch, key, sent: 0, acknowledged: 0, body: Vec::new() }
    }

    /// Sources of single events for a steady stream beside other load: as many connections as it takes for
    /// hundreds of events a second, each of which waits for the disk.
    pub fn steady(prefix: &str, tails: &Arc<EventTails>, key: Option<&String>) -> Vec<Self> {
        (0..STEADY)
            .map(|number| Self::new(format!("{prefix}{number}-"), Arc::clone(tails), 1, key.cloned()))
            .collect()
    }

    /// What the ids of this source begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Events `0..acknowledged` were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    fn event(&mut self) {
        self.body.extend_from_slice(br#"{"id":""#);
        self.body.extend_from_slice(self.prefix.as_bytes());
        let mut digits = [0; 20];
        self.body.extend_from_slice(decimal(self.sent, &mut digits));
        self.body.extend_from_slice(&self.tails.0[self.place]);
        self.place = (self.place + 1) % COMBINATIONS;
        self.sent += 1;
    }
}

/// A number in decimal, without the machinery of formatting.
fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[start..];
        }
    }
}

impl Source for EventSource {
    fn prepare(&mut self, request: &mut Vec<u8>) {
        self.body.clear();
        if self.batch == 1 {
            self.event();
        } else {
            self.body.push(b'[');
            for index in 0..self.batch {
                if index > 0 {
                    self.body.push(b',');
                }
                self.event();
            }
            self.body.push(b']');
        }
        prepare(request, "POST", "/v1/events", self.key.as_deref(), &self.body);
    }

    fn take(&mut self, body: &[u8]) -> Result<u64, BenchError> {
        let reply: Accepted = serde_json::from_slice(body)
            .map_err(|error| BenchError::Answer(format!("{error} in {}", String::from_utf8_lossy(body))))?;
        if reply.accepted != self.batch as u64 || !reply.refused.is_empty() {
            return Err(BenchError::Answer(format!(
                "{} of {} events accepted: {}",
                reply.accepted,
                self.batch,
                String::from_utf8_lossy(&body[..body.len().min(300)])
            )));
        }
        self.acknowledged = self.sent;
        Ok(reply.accepted)
    }
}

/// Asks for recommendations for random users, or sessions, on one connection.
#[derive(Debug)]
pub struct AnswerSource {
    asking: &'static str,
    rung: &'static [u8],
    users: Arc<Vec<String>>,
    random: Random,
    limit: usize,
    key: Option<String>,
    answers: u64,
    of_rung: u64,
}

impl AnswerSource {
    /// Draws users under `seed`; distinct `number`s draw distinct ones.
    pub fn new(users: Arc<Vec<String>>, number: usize, seed: u64, limit: usize, key: Option<String>) -> Self {
        let random = seeded(seed, &format!("bench/answers/{number}"));
        let rung = br#""rung":"personal""#;
        Self { asking: "user", rung, users, random, limit, key, answers: 0, of_rung: 0 }
    }

    /// The same for sessions instead of users, which are answered from the rung `neighbours`.
    #[must_use]
    pub fn of_sessions(self) -> Self {
        Self { asking: "session", rung: br#""rung":"neighbours""#, ..self }
    }

    /// How many answers came, and how many of them from the rung that is expected: `personal` for users.
    pub fn counts(&self) -> (u64, u64) {
        (self.answers, self.of_rung)
    }
}

impl Source for AnswerSource {
    fn prepare(&mut self, request: &mut Vec<u8>) {
        let user = &self.users[self.random.random_range(0..self.users.len())];
        let asking = self.asking;
        let body = format!(r#"{{"surface":"home","{asking}":"{user}","limit":{}}}"#, self.limit);
        prepare(request, "POST", "/v1/recommend", self.key.as_deref(), body.as_bytes());
    }

    fn take(&mut self, body: &[u8]) -> Result<u64, BenchError> {
        self.answers += 1;
        self.of_rung += u64::from(body.windows(self.rung.len()).any(|window| window == self.rung));
        Ok(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_valid_json_with_ids_that_count_up() {
        let tails = Arc::new(EventTails::new(&made_up(50, 20), "2026-11-24T05:00:00Z", 1));
        let mut source = EventSource::new("b0-".into(), tails, 3, Some("secret".into()));
        let mut request = Vec::new();
        source.prepare(&mut request);
        source.prepare(&mut request);
        let text = String::from_utf8(request).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /v1/events HTTP/1.1\r\n") && head.contains("Bearer secret"));
        let events: Vec<serde_json::Value> = serde_json::from_str(body).unwrap();
        let ids: Vec<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["b0-3", "b0-4", "b0-5"]);
        assert_eq!(events[0]["type"], "click");
        assert!(events[0]["user"].as_str().unwrap().starts_with("user-"));

        assert_eq!(source.acknowledged(), 0);
        assert_eq!(source.take(br#"{"accepted":3,"duplicates":0,"refused":[]}"#).unwrap(), 3);
        assert_eq!(source.acknowledged(), 6);
        assert!(source.take(br#"{"accepted":2,"duplicates":1,"refused":[]}"#).is_err());
    }

    #[test]
    fn numbers_are_written_in_full() {
        let mut digits = [0; 20];
        for number in [0, 7, 10, 98_765, u64::MAX] {
            assert_eq!(decimal(number, &mut digits), number.to_string().as_bytes());
        }
    }

    #[test]
    fn items_are_drawn_skewed() {
        let tails = EventTails::new(&made_up(10, 100), "2026-11-24T05:00:00Z", 1);
        let head = tails.0.iter().filter(|tail| {
            let text = std::str::from_utf8(tail).unwrap();
            let item = text.split(r#""item":"item-"#).nth(1).unwrap().split('"').next().unwrap();
            item.parse::<usize>().unwrap() < 10
        });
        let share = head.count() as f64 / COMBINATIONS as f64;
        assert!((0.4..0.6).contains(&share), "{share}");
    }

    #[test]
    fn answers_are_counted_by_rung() {
        let users = Arc::new(vec!["u1".to_owned()]);
        let mut source = AnswerSource::new(users, 0, 1, 20, None);
        let mut request = Vec::new();
        source.prepare(&mut request);
        assert!(request.ends_with(br#"{"surface":"home","user":"u1","limit":20}"#));
        source.take(br#"{"rung":"personal","items":[]}"#).unwrap();
        source.take(br#"{"rung":"trending","items":[]}"#).unwrap();
        assert_eq!(source.counts(), (2, 1));

        let mut source = source.of_sessions();
        source.prepare(&mut request);
        assert!(request.ends_with(br#"{"surface":"home","session":"u1","limit":20}"#));
        source.take(br#"{"rung":"neighbours","items":[]}"#).unwrap();
        assert_eq!(source.counts(), (3, 2));
    }
}
