//! A client that writes or asks, and sends again, word for word, whatever had no answer.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use headwater_base::random::{Random, seeded};
use rand::RngExt as _;
use serde_json::{Value, json};

use super::gate::Gate;

const ITEMS: u32 = 200;
const USERS: u32 = 40;
const SESSIONS: u32 = 40;
const MOST_IN_A_BATCH: u32 = 40;

/// What a client knows to be stored.
#[derive(Default)]
pub(super) struct Sent {
    /// Events with an id of the client's, in the order of their sending.
    pub(super) events: Vec<Value>,
    /// Items put, with an answer each.
    pub(super) puts: usize,
    /// Request ids of the answers to `recommend`.
    pub(super) decisions: Vec<String>,
    /// Answers that said an event was there before: the earlier sending was stored, its answer lost.
    pub(super) duplicates: u64,
}

/// One client with its own names and its own seeded choices.
pub(super) struct Client<'a> {
    number: usize,
    asks: bool,
    key: &'a str,
    random: Random,
    next_event: u32,
    sent: Sent,
}

enum Action {
    Events(Vec<Value>),
    Put { item: String, fields: Value },
    Recommend(Value),
}

impl<'a> Client<'a> {
    pub(super) fn new(seed: u64, number: usize, asks: bool, key: &'a str) -> Self {
        let random = seeded(seed, &format!("client {number}"));
        Self { number, asks, key, random, next_event: 0, sent: Sent::default() }
    }

    /// Acts until the gate ends; returns what was acknowledged.
    pub(super) fn run(mut self, gate: &Gate) -> Sent {
        let mut life = 0;
        let mut connection = None;
        while !gate.is_ending() || self.next_event == 0 {
            let action = self.draw();
            let (method, path, body) = action.request();
            let reply = loop {
                let attempt = match &mut connection {
                    Some(stream) => exchange(stream, method, &path, self.key, &body),
                    None => Err(io::ErrorKind::NotConnected.into()),
                };
                match attempt {
                    Ok((status, reply)) => {
                        assert!((200..300).contains(&status), "{method} {path} {body}: {status} {reply}");
                        break reply;
                    }
                    Err(_) => {
                        let Some((next, address)) = gate.next_life(life) else { return self.sent };
                        life = next;
                        connection = connect(address).ok();
                    }
                }
            };
            self.acknowledged(action, &reply);
            gate.acknowledge();
        }
        self.sent
    }

    fn draw(&mut self) -> Action {
        if self.asks {
            self.next_event += 1;
            let user = self.user();
            return Action::Recommend(json!({ "surface": "home", "user": user, "limit": 5 }));
        }
        match self.random.random_range(0..20) {
            0..9 => Action::Events(vec![self.interaction()]),
            9..15 => {
                let count = self.random.random_range(2..=MOST_IN_A_BATCH);
                Action::Events((0..count).map(|_| self.interaction()).collect())
            }
            15..17 => Action::Events(vec![self.merge()]),
            _ => self.put(),
        }
    }

    fn interaction(&mut self) -> Value {
        let kind = ["view", "cart", "purchase"][self.random.random_range(0..3)];
        let item = self.item();
        let mut event = json!({ "id": self.id(), "type": kind, "item": item });
        let (field, actor) =
            if self.random.random() { ("user", self.user()) } else { ("session", self.session()) };
        event[field] = actor.into();
        event
    }

    fn merge(&mut self) -> Value {
        json!({ "id": self.id(), "type": "merge", "session": self.session(), "user": self.user() })
    }

    /// Moves an item to another category, or takes it off the shelf, while others act on it.
    fn put(&mut self) -> Action {
        let category = ["shoes", "hats", "coats"][self.random.random_range(0..3)];
        let available = self.random.random_range(0..10) > 0;
        let price = f64::from(self.random.random_range(1..100u32));
        let fields = json!({ "category": category, "price": price, "available": available });
        Action::Put { item: self.item(), fields }
    }

    fn id(&mut self) -> String {
        self.next_event += 1;
        format!("c{}-{:06}", self.number, self.next_event)
    }

    fn item(&mut self) -> String {
        format!("i{}", self.random.random_range(0..ITEMS))
    }

    fn user(&mut self) -> String {
        format!("u{}", self.random.random_range(0..USERS))
    }

    fn session(&mut self) -> String {
        format!("s{}", self.random.random_range(0..SESSIONS))
    }

    fn acknowledged(&mut self, action: Action, reply: &str) {
        match action {
            Action::Events(events) => {
                let reply: Value = serde_json::from_str(reply).expect("a JSON reply");
                let count =
                    |field: &str| reply[field].as_u64().unwrap_or_else(|| panic!("{field} in {reply}"));
                assert_eq!(count("accepted") + count("duplicates"), events.len() as u64, "{reply}");
                self.sent.duplicates += count("duplicates");
                self.sent.events.extend(events);
            }
            Action::Put { .. } => self.sent.puts += 1,
            Action::Recommend(_) => {
                let reply: Value = serde_json::from_str(reply).expect("a JSON reply");
                let request_id = reply["request_id"].as_str().expect("a request id");
                self.sent.decisions.push(request_id.to_owned());
            }
        }
    }
}

impl Action {
    fn request(&self) -> (&'static str, String, String) {
        match self {
            Self::Events(events) if events.len() == 1 => ("POST", "/v1/events".into(), events[0].to_string()),
            Self::Events(events) => ("POST", "/v1/events".into(), Value::from(events.clone()).to_string()),
            Self::Put { item, fields } => ("PUT", format!("/v1/items/{item}"), fields.to_string()),
            Self::Recommend(request) => ("POST", "/v1/recommend".into(), request.to_string()),
        }
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    Ok(stream)
}

/// Sends a request and reads the whole reply; any cut on the way is an error.
fn exchange(
    stream: &mut TcpStream,
    method: &str,
    path: &str,
    key: &str,
    body: &str,
) -> io::Result<(u16, String)> {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes())?;
    let mut reply = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        reply.extend_from_slice(&chunk[..read]);
        if let Some((status, start, length)) = parse_head(&reply)
            && reply.len() >= start + length
        {
            let body = String::from_utf8_lossy(&reply[start..start + length]).into_owned();
            return Ok((status, body));
        }
    }
}

/// Status, where the body starts, and its length; `None` while the head is incomplete.
fn parse_head(reply: &[u8]) -> Option<(u16, usize, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = response.parse(reply).expect("HTTP") else { return None };
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.map_or(0, |header| {
        std::str::from_utf8(header.value).ok().and_then(|text| text.parse().ok()).expect("a content length")
    });
    Some((response.code.expect("a status"), start, length))
}
