//! Visitors: simulated users who look at pages, click, and look again, over the real HTTP interface.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use headwater_base::random::seeded;
use rand::seq::SliceRandom as _;
use serde_json::{Value, json};

use super::caller::{Answer, Caller, Who};
use super::error::DemoError;
use super::population::Population;
use super::tally::{Arm, Tally};
use crate::clock::Stopwatch;

/// Items on a page.
pub const PAGE: usize = 10;
/// Most pages of one visit.
const PAGES: usize = 4;

/// What the visitors of one run share. All run on one thread; nothing is borrowed across an await.
#[derive(Debug)]
pub struct Stage {
    /// Where the server listens.
    pub address: SocketAddr,
    /// The simulated world.
    pub population: RefCell<Population>,
    /// What is counted.
    pub tally: RefCell<Tally>,
    /// Since the live part began.
    pub watch: Stopwatch,
    /// How long it lasts.
    pub length: Duration,
    /// The seed of the order of visits.
    pub seed: u64,
}

/// One of `of` visitors: takes the users dealt to it, in an order that follows from the seed, one visit at a time at
/// a steady pace, until the time is up.
pub async fn visitor(stage: Rc<Stage>, number: usize, of: usize, pace: Duration) -> Result<(), DemoError> {
    let mut caller = Caller::open(stage.address).await?;
    let users = stage.population.borrow().users();
    let mut order: Vec<usize> = (number..users).step_by(of).collect();
    let mut random = seeded(stage.seed, &format!("demo/visitor/{number}"));
    let mut visits = 0_u32;
    loop {
        order.shuffle(&mut random);
        for user in &order {
            let due = pace * visits + pace * number as u32 / of as u32;
            if let Some(early) = due.checked_sub(stage.watch.elapsed()) {
                tokio::time::sleep(early).await;
            }
            if stage.watch.elapsed() >= stage.length {
                return Ok(());
            }
            visit(&stage, &mut caller, *user).await?;
            visits += 1;
        }
        if order.is_empty() {
            return Ok(());
        }
    }
}

async fn visit(stage: &Stage, caller: &mut Caller, user: usize) -> Result<(), DemoError> {
    let id = stage.population.borrow().user_id(user).to_owned();
    let (who, arm) = (Who::user(&id), Arm::of(&id));
    let found = stage.population.borrow_mut().wander(user);
    if let Some(item) = found {
        let event = stage.click(&id, item, None);
        caller.send("/v1/events", &[event]).await?;
        stage.tally.borrow_mut().events(1);
    }
    let mut page = stage.ask(caller, arm, &who).await?;
    for _ in 1..PAGES {
        let clicked = stage.react(user, arm, &page);
        if !clicked.is_empty() {
            let events: Vec<Value> =
                clicked.iter().map(|item| stage.click(&id, *item, Some(&page.request_id))).collect();
            caller.send("/v1/events", &events).await?;
            stage.tally.borrow_mut().events(events.len());
        }
        if !stage.population.borrow_mut().stays(user, !clicked.is_empty()) {
            return Ok(());
        }
        let acknowledged = Stopwatch::start();
        let next = stage.ask(caller, arm, &who).await?;
        if !clicked.is_empty() {
            stage.judge(&page, &next, &clicked, acknowledged.elapsed());
        }
        page = next;
    }
    Ok(())
}

impl Stage {
    async fn ask(&self, caller: &mut Caller, arm: Arm, who: &Who) -> Result<Answer, DemoError> {
        let watch = Stopwatch::start();
        let answer = caller.recommend(arm.surface(), who, PAGE).await?;
        self.tally.borrow_mut().answer(watch.elapsed());
        Ok(answer)
    }

    fn react(&self, user: usize, arm: Arm, page: &Answer) -> Vec<usize> {
        let mut population = self.population.borrow_mut();
        let shown: Vec<usize> = page.items.iter().filter_map(|item| population.item_of(&item.id)).collect();
        let clicked = population.react(user, &shown);
        self.tally.borrow_mut().page(arm, self.watch.elapsed(), shown.len(), clicked.len());
        clicked
    }

    /// An answer knows the clicks before it when what was clicked is gone and the page is another one.
    fn judge(&self, before: &Answer, after: &Answer, clicked: &[usize], took: Duration) {
        let population = self.population.borrow();
        let there = clicked.iter().any(|item| after.holds(&population.items()[*item].id));
        let mut tally = self.tally.borrow_mut();
        if there || before.items == after.items {
            tally.stale += 1;
        } else {
            tally.lag(took);
        }
    }

    fn click(&self, user: &str, item: usize, request: Option<&str>) -> Value {
        let population = self.population.borrow();
        let mut event = json!({ "type": "click", "user": user, "item": population.items()[item].id });
        if let Some(request) = request {
            event["request_id"] = request.into();
        }
        event
    }
}

/// Sends the catalogue and `rounds` of what each user found by themselves: the history before the demo begins.
pub async fn history(stage: &Stage, rounds: usize) -> Result<(), DemoError> {
    const BATCH: usize = 500;
    let mut caller = Caller::open(stage.address).await?;
    let items: Vec<Value> = stage.population.borrow().items().iter().map(upsert).collect();
    for batch in items.chunks(BATCH) {
        caller.send("/v1/items", batch).await?;
    }
    for _ in 0..rounds {
        let users = stage.population.borrow().users();
        let events: Vec<Value> = (0..users)
            .filter_map(|user| {
                let item = stage.population.borrow_mut().wander(user)?;
                let id = stage.population.borrow().user_id(user).to_owned();
                Some(stage.click(&id, item, None))
            })
            .collect();
        for batch in events.chunks(BATCH) {
            caller.send("/v1/events", batch).await?;
            stage.tally.borrow_mut().events(batch.len());
        }
    }
    Ok(())
}

/// Lets new items arrive one by one over the whole length, and taste shift half-way for a share of the users.
pub async fn changes(stage: Rc<Stage>, arriving: usize, share: f64) -> Result<(), DemoError> {
    let mut caller = Caller::open(stage.address).await?;
    let pause = stage.length.checked_div(arriving as u32 + 1).unwrap_or(stage.length);
    let half = stage.length / 2;
    for number in 1..=arriving as u32 + 1 {
        let (due, now) = (pause * number, stage.watch.elapsed());
        if due >= half && !stage.tally.borrow().shifted() {
            tokio::time::sleep(half.saturating_sub(now)).await;
            stage.population.borrow_mut().shift(share);
            stage.tally.borrow_mut().shift();
        }
        tokio::time::sleep(due.saturating_sub(stage.watch.elapsed())).await;
        let arrived: Vec<Value> = stage.population.borrow_mut().arrive(1).iter().map(upsert).collect();
        if !arrived.is_empty() {
            caller.send("/v1/items", &arrived).await?;
        }
    }
    Ok(())
}

fn upsert(item: &super::population::SimulatedItem) -> Value {
    json!({ "id": item.id, "category": item.category })
}
