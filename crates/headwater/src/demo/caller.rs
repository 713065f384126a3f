//! A client of the demo's own server: the three calls a visitor's browser causes.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use super::error::DemoError;
use crate::bench::client::{Connection, prepare};
use crate::clock::Stopwatch;

/// How long a promoted model may take until it serves.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer, as far as the demo looks at it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub struct Answer {
    /// Names the decision.
    pub request_id: String,
    /// `name@version`, empty where no model took part.
    pub model: String,
    /// The rung of the fallback ladder.
    pub rung: String,
    /// Best first.
    pub items: Vec<Item>,
}

/// One recommended item.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Item {
    /// Its id.
    pub id: String,
    /// What it was ranked by.
    pub score: Option<f32>,
}

impl Answer {
    /// Whether `id` is in it.
    pub fn holds(&self, id: &str) -> bool {
        self.items.iter().any(|item| item.id == id)
    }
}

#[derive(Deserialize)]
struct Accepted {
    accepted: u64,
    duplicates: u64,
}

/// One keep-alive connection to the server.
#[derive(Debug)]
pub struct Caller {
    connection: Connection,
    request: Vec<u8>,
}

impl Caller {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Self, DemoError> {
        Ok(Self { connection: Connection::open(address).await?, request: Vec::new() })
    }

    /// Asks a surface for a user or, where `actor` says so, for a session.
    pub async fn recommend(&mut self, surface: &str, actor: &Who, limit: usize) -> Result<Answer, DemoError> {
        let body = serde_json::json!({
            "surface": surface, "user": actor.user, "session": actor.session, "limit": limit
        });
        let reply = self.post("/v1/recommend", body.to_string().as_bytes()).await?;
        serde_json::from_slice(reply)
            .map_err(|error| DemoError::Answer(format!("{error} in {}", String::from_utf8_lossy(reply))))
    }

    /// Asks until `model` takes part in the answers for somebody with a history.
    pub async fn until_served(&mut self, model: &str, actor: &Who) -> Result<(), DemoError> {
        let watch = Stopwatch::start();
        while watch.elapsed() < PATIENCE {
            if self.recommend("home", actor, 1).await?.model == model {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(DemoError::Answer(format!("{model} did not come into service within {PATIENCE:?}")))
    }

    /// Sends events or items, as a JSON array; returns how many the server has now, sent again or not.
    pub async fn send(&mut self, path: &str, batch: &[serde_json::Value]) -> Result<u64, DemoError> {
        let body = serde_json::Value::from(batch).to_string();
        let reply = self.post(path, body.as_bytes()).await?;
        let accepted: Accepted = serde_json::from_slice(reply)
            .map_err(|error| DemoError::Answer(format!("{error} in {}", String::from_utf8_lossy(reply))))?;
        let taken = accepted.accepted + accepted.duplicates;
        if taken != batch.len() as u64 {
            return Err(DemoError::Answer(String::from_utf8_lossy(reply).into_owned()));
        }
        Ok(taken)
    }

    async fn post(&mut self, path: &str, body: &[u8]) -> Result<&[u8], DemoError> {
        prepare(&mut self.request, "POST", path, None, body);
        Ok(self.connection.send(&self.request).await?.ok()?)
    }
}

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Who {
    /// A known user.
    pub user: Option<String>,
    /// An anonymous session.
    pub session: Option<String>,
}

impl Who {
    /// A known user.
    pub fn user(id: &str) -> Self {
        Self { user: Some(id.to_owned()), session: None }
    }
}
