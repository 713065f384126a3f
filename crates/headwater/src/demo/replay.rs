//! Real interactions instead of simulated ones, replayed through the HTTP interface and judged prequentially: before
//! a sampled interaction is sent, both surfaces are asked, and a hit is an answer that holds the item which follows.
//!
//! The first half is history, on which the model is trained; the second is replayed, with one more training half-way.
//! Events are sent without their times: they happen now. Where the data has no times across users (`sequence`,
//! `split`), the users take turns, each in their own order.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use headwater_base::{Event, Fact};
use headwater_training::presets::{self, Preset, Record};
use serde::Serialize;
use serde_json::{Value, json};

use super::Trainer;
use super::caller::{Caller, Who};
use super::error::DemoError;
use super::screen::Screen;
use super::tally::{Arm, Clicks, Tally};
use crate::clock::Stopwatch;
use crate::output::thousands;

/// Items asked for.
const LIMIT: usize = 20;
/// Interactions that are judged, at most.
const SAMPLES: usize = 5_000;
/// Events sent at once.
const BATCH: usize = 500;

/// One interaction to replay.
#[derive(Clone, Debug)]
struct Step {
    who: Who,
    item: String,
    kind: String,
}

/// A hit rate with the half-width of its 95 % interval.
#[derive(Clone, Copy, Debug, Serialize)]
struct HitRate {
    value: f64,
    margin: f64,
}

/// What a replay showed.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayResult {
    demo: &'static str,
    preset: &'static str,
    users: usize,
    interactions: usize,
    history: usize,
    replayed: usize,
    judged: u64,
    cold: u64,
    seconds: f64,
    answer_p50_ms: f64,
    answer_p99_ms: f64,
    trainings: Vec<String>,
    arms: HashMap<&'static str, HashMap<String, HitRate>>,
    #[serde(skip)]
    last: Step,
}

/// Replays a data set against the server at `address` for at most `length`.
pub async fn run(
    address: SocketAddr,
    preset: Preset,
    data: &Path,
    length: Duration,
    trainer: Arc<dyn Trainer>,
    screen: &mut Screen,
) -> Result<ReplayResult, DemoError> {
    let steps = steps(preset, data)?;
    let half = steps.len() / 2;
    let mut caller = Caller::open(address).await?;
    let mut known: HashSet<&Who> = HashSet::new();
    let watch = Stopwatch::start();
    for batch in steps[..half].chunks(BATCH) {
        send(&mut caller, batch).await?;
        known.extend(batch.iter().map(|step| &step.who));
    }
    screen.say(&format!(
        "{} interactions of history through HTTP, {} events/s.",
        thousands(half as u64),
        thousands((half as f64 / watch.seconds()) as u64)
    ));
    let mut trained = vec![train(&trainer).await?];
    if let Some(last) = steps[..half].last() {
        caller.until_served(&trained[0], &last.who).await?;
    }
    screen.say(&format!("Trained {} from the log and promoted it. The replay begins.", trained[0]));

    let watch = Stopwatch::start();
    let mut tally = Tally::new(length);
    let mut cold = 0;
    let every = (steps.len() - half).div_ceil(SAMPLES).max(1);
    let mut replayed = half;
    let mut retraining = None;
    for chunk in steps[half..].chunks(every) {
        if watch.elapsed() >= length {
            break;
        }
        if retraining.is_none() && replayed - half >= (steps.len() - half) / 2 {
            let trainer = Arc::clone(&trainer);
            retraining = Some(tokio::task::spawn_blocking(move || trainer.train()));
        }
        if let Some(next) = chunk.first() {
            cold += u64::from(!known.contains(&next.who));
            judge(&mut caller, next, &mut tally).await?;
        }
        for batch in chunk.chunks(BATCH) {
            send(&mut caller, batch).await?;
            tally.events(batch.len());
        }
        known.extend(chunk.iter().map(|step| &step.who));
        replayed += chunk.len();
        let line = line(&tally, replayed - half, steps.len() - half);
        screen.draw(watch.elapsed(), &line, &format!("  {line}\n"));
    }
    let seconds = watch.seconds();
    if let Some(retraining) = retraining {
        trained.push(retraining.await.map_err(|error| DemoError::Platform(error.to_string()))??);
    }
    let hit_rate = |arm| {
        let hits: Clicks = tally.clicks(arm, false);
        HashMap::from([(format!("hit_rate@{LIMIT}"), HitRate { value: hits.rate(), margin: hits.margin() })])
    };
    Ok(ReplayResult {
        demo: "replay",
        preset: preset.name(),
        users: known.len(),
        interactions: steps.len(),
        history: half,
        replayed: replayed - half,
        judged: tally.clicks(Arm::Personal, false).shown,
        cold,
        seconds,
        answer_p50_ms: tally.total.answer.quantile_ms(0.5),
        answer_p99_ms: tally.total.answer.quantile_ms(0.99),
        trainings: trained,
        arms: Arm::ALL.iter().map(|arm| (arm.name(), hit_rate(*arm))).collect(),
        last: steps[replayed.saturating_sub(1)].clone(),
    })
}

async fn train(trainer: &Arc<dyn Trainer>) -> Result<String, DemoError> {
    let trainer = Arc::clone(trainer);
    tokio::task::spawn_blocking(move || trainer.train())
        .await
        .map_err(|error| DemoError::Platform(error.to_string()))?
}

/// Asks both surfaces and counts one shown, and clicked where the item is in the answer.
async fn judge(caller: &mut Caller, next: &Step, tally: &mut Tally) -> Result<(), DemoError> {
    for arm in Arm::ALL {
        let watch = Stopwatch::start();
        let answer = caller.recommend(arm.surface(), &next.who, LIMIT).await?;
        tally.answer(watch.elapsed());
        tally.page(arm, Duration::ZERO, 1, usize::from(answer.holds(&next.item)));
    }
    Ok(())
}

async fn send(caller: &mut Caller, steps: &[Step]) -> Result<u64, DemoError> {
    let events: Vec<Value> = steps
        .iter()
        .map(|step| {
            let Step { who, item, kind } = step;
            json!({ "type": kind, "user": who.user, "session": who.session, "item": item })
        })
        .collect();
    caller.send("/v1/events", &events).await
}

fn line(tally: &Tally, done: usize, of: usize) -> String {
    let rate = |arm| 100.0 * tally.clicks(arm, false).rate();
    format!(
        "{} of {} replayed   answer p99 {:.2} ms   hit rate@{LIMIT}: popularity {:.2} %, personal {:.2} %",
        thousands(done as u64),
        thousands(of as u64),
        tally.total.answer.quantile_ms(0.99),
        rate(Arm::Popularity),
        rate(Arm::Personal)
    )
}

fn steps(preset: Preset, data: &Path) -> Result<Vec<Step>, DemoError> {
    let mut steps = Vec::new();
    presets::read(preset, data, &mut |record, _| {
        if let Record::Event(Event { fact: Fact::Interaction(interaction), .. }) = record {
            let who = Who {
                user: interaction.actor.user.map(|user| user.as_str().to_owned()),
                session: interaction.actor.session.map(|session| session.as_str().to_owned()),
            };
            steps.push(Step {
                who,
                item: interaction.item.as_str().to_owned(),
                kind: interaction.kind.as_str().to_owned(),
            });
        }
        ControlFlow::Continue(())
    })
    .map_err(|error| DemoError::Usage(error.to_string()))?;
    if steps.is_empty() {
        return Err(DemoError::Usage(format!("{} holds no interactions", data.display())));
    }
    Ok(if matches!(preset, Preset::Sequence | Preset::Split) { in_turns(steps) } else { steps })
}

/// Users take turns: the interaction at the k-th of n places of its user's history comes at k/n of the whole.
fn in_turns(steps: Vec<Step>) -> Vec<Step> {
    let mut lengths: HashMap<Who, usize> = HashMap::new();
    for step in &steps {
        *lengths.entry(step.who.clone()).or_default() += 1;
    }
    let mut places: HashMap<Who, usize> = HashMap::new();
    let mut keyed: Vec<(f64, Step)> = steps
        .into_iter()
        .map(|step| {
            let place = places.entry(step.who.clone()).or_default();
            *place += 1;
            (*place as f64 / lengths[&step.who] as f64, step)
        })
        .collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    keyed.into_iter().map(|(_, step)| step).collect()
}

impl ReplayResult {
    /// One of those who acted, as members of a JSON object.
    pub fn somebody(&self) -> String {
        match (&self.last.who.user, &self.last.who.session) {
            (Some(user), _) => format!(r#""user":"{user}""#),
            (None, session) => format!(r#""session":"{}""#, session.as_deref().unwrap_or_default()),
        }
    }

    /// Something they could do, as members of a JSON object.
    pub fn something(&self) -> String {
        format!(r#""type":"{}","item":"{}""#, self.last.kind, self.last.item)
    }

    /// What it showed, in words.
    pub fn text(&self) -> String {
        let metric = format!("hit_rate@{LIMIT}");
        let rate = |arm: Arm| {
            let HitRate { value, margin } = self.arms[arm.name()][&metric];
            format!("  {:<10}  {:.2} % (±{:.2})\n", arm.name(), 100.0 * value, 100.0 * margin)
        };
        format!(
            "What it showed: {} interactions were history, {} replayed in {:.0} s; before {} of them both surfaces were\n\
             asked for {LIMIT} items, and this often the item that came next was among them:\n\n{}{}\n  \
             {} of the judged interactions were of users or sessions never seen before.\n  \
             Answers: p50 {:.2} ms, p99 {:.2} ms. Trained and promoted while serving: {}.\n",
            thousands(self.history as u64),
            thousands(self.replayed as u64),
            self.seconds,
            thousands(self.judged),
            rate(Arm::Popularity),
            rate(Arm::Personal),
            thousands(self.cold),
            self.answer_p50_ms,
            self.answer_p99_ms,
            self.trainings.join(", "),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(user: &str, item: &str) -> Step {
        Step { who: Who::user(user), item: item.into(), kind: "visit".into() }
    }

    #[test]
    fn users_without_common_times_take_turns() {
        let steps = [("a", "1"), ("a", "2"), ("a", "3"), ("a", "4"), ("b", "5"), ("b", "6")];
        let steps = in_turns(steps.map(|(user, item)| step(user, item)).to_vec());
        let items: Vec<&str> = steps.iter().map(|step| step.item.as_str()).collect();
        assert_eq!(items, ["1", "2", "5", "3", "4", "6"]);
    }

    #[test]
    fn sessions_and_times_are_kept_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("train_sessions.txt"), "1 2 3\n4 5\n").unwrap();
        let steps = steps(Preset::Sessions, folder.path()).unwrap();
        let items: Vec<&str> = steps.iter().map(|step| step.item.as_str()).collect();
        assert_eq!(items, ["1", "2", "3", "4", "5"]);
        assert!(steps[0].who.user.is_none() && steps[0].who.session == steps[2].who.session);
        assert_ne!(steps[0].who, steps[3].who);
    }
}
