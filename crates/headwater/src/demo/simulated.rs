//! The simulated run: history, a first training, then visitors, arrivals, a shift of taste and trainings on the way.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::task::{JoinSet, LocalSet};

use super::Trainer;
use super::caller::{Caller, Who};
use super::error::DemoError;
use super::population::{Population, PopulationOptions};
use super::screen::{Screen, bars};
use super::tally::{Arm, Clicks, Stretch, Tally};
use super::visit::{PAGE, Stage, changes, history, visitor};
use crate::clock::Stopwatch;
use crate::output::thousands;

/// Rounds of history before the demo begins.
const ROUNDS: usize = 8;
/// Connections that visitors come on.
const VISITORS: usize = 8;
/// Visits a second, over all connections.
const VISITS: f64 = 250.0;
/// Trainings during the live part.
const TRAININGS: u32 = 4;
/// Slices of the click rates over time.
const SLICES: u32 = 24;
/// Below this a page could be the whole catalogue.
pub const FEWEST_ITEMS: usize = 50;
/// Share of the users whose taste shifts.
const SHIFT: f64 = 0.4;

/// What a simulated run is told.
#[derive(Clone, Copy, Debug)]
pub struct SimulatedOptions {
    /// The world.
    pub population: PopulationOptions,
    /// Length of the live part.
    pub length: Duration,
}

/// A click rate with the half-width of its 95 % interval.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Rate {
    value: f64,
    margin: f64,
}

/// One arm's part of the result.
#[derive(Clone, Debug, Serialize)]
pub struct ArmResult {
    shown: u64,
    clicked: u64,
    click_rate: BeforeAfter,
    over_time: Vec<f64>,
}

/// Before and after the shift of taste.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct BeforeAfter {
    before: Rate,
    after: Rate,
}

/// What a simulated run showed.
#[derive(Clone, Debug, Serialize)]
pub struct SimulatedResult {
    demo: &'static str,
    seed: u64,
    users: usize,
    items: usize,
    seconds: f64,
    events: u64,
    answers: u64,
    events_per_second: f64,
    answer_p50_ms: f64,
    answer_p99_ms: f64,
    event_to_answer_p50_ms: f64,
    event_to_answer_p99_ms: f64,
    stale: u64,
    trainings: Vec<String>,
    arms: Arms,
}

#[derive(Clone, Debug, Serialize)]
struct Arms {
    popularity: ArmResult,
    personal: ArmResult,
}

/// Runs it against the server at `address`.
pub async fn run(
    address: SocketAddr,
    options: SimulatedOptions,
    trainer: Arc<dyn Trainer>,
    screen: &mut Screen,
) -> Result<SimulatedResult, DemoError> {
    let mut stage = Stage {
        address,
        population: RefCell::new(Population::new(options.population)),
        tally: RefCell::new(Tally::new(options.length / SLICES)),
        watch: Stopwatch::start(),
        length: options.length,
        seed: options.population.seed,
    };
    history(&stage, ROUNDS).await?;
    let sent = stage.tally.get_mut().take_recent().events;
    let rate = (sent as f64 / stage.watch.seconds()) as u64;
    screen.say(&format!(
        "{} items and {} events of history through HTTP, {} events/s, each batch on disk before its reply.",
        thousands(options.population.items as u64),
        thousands(sent),
        thousands(rate)
    ));
    let watch = Stopwatch::start();
    let mut trained = vec![train(&trainer).await?];
    let somebody = Who::user(stage.population.get_mut().user_id(0));
    Caller::open(address).await?.until_served(&trained[0], &somebody).await?;
    screen.say(&format!(
        "Trained {} from the log in {:.1} s and promoted it. Visitors come in.",
        trained[0],
        watch.seconds()
    ));

    stage.tally = RefCell::new(Tally::new(options.length / SLICES));
    stage.watch = Stopwatch::start();
    let stage = Rc::new(stage);
    LocalSet::new().run_until(live(&stage, options, &trainer, &mut trained, screen)).await?;
    Ok(result(&stage, options, trained))
}

async fn live(
    stage: &Rc<Stage>,
    options: SimulatedOptions,
    trainer: &Arc<dyn Trainer>,
    trained: &mut Vec<String>,
    screen: &mut Screen,
) -> Result<(), DemoError> {
    let mut tasks = JoinSet::new();
    let pace = Duration::from_secs_f64(VISITORS as f64 / VISITS);
    for number in 0..VISITORS {
        tasks.spawn_local(visitor(Rc::clone(stage), number, VISITORS, pace));
    }
    tasks.spawn_local(changes(Rc::clone(stage), options.population.arriving, SHIFT));
    let mut trainings = JoinSet::new();
    let mut ticks = tokio::time::interval((options.length / 10).min(Duration::from_secs(1)));
    let between = options.length / (TRAININGS + 1);
    let mut next_training = between;
    let mut shifted = false;
    loop {
        tokio::select! {
            done = tasks.join_next() => match done {
                None => break,
                Some(done) => done.map_err(|error| DemoError::Answer(error.to_string()))??,
            },
            Some(done) = trainings.join_next() => {
                trained.push(done.map_err(|error| DemoError::Answer(error.to_string()))??);
            }
            _ = ticks.tick() => {
                if !shifted && stage.tally.borrow().shifted() {
                    shifted = true;
                    screen.say(&format!("Now {:.0} % of the users like other things than before.", SHIFT * 100.0));
                }
                if stage.watch.elapsed() >= next_training && trainings.is_empty() {
                    next_training += between;
                    let trainer = Arc::clone(trainer);
                    trainings.spawn_local(async move { train(&trainer).await });
                }
                let (line, table) = view(stage, trained);
                screen.draw(stage.watch.elapsed(), &line, &table);
            }
        }
    }
    while let Some(done) = trainings.join_next().await {
        trained.push(done.map_err(|error| DemoError::Answer(error.to_string()))??);
    }
    Ok(())
}

/// Training is arithmetic on its own thread; this one goes on serving visitors.
async fn train(trainer: &Arc<dyn Trainer>) -> Result<String, DemoError> {
    let trainer = Arc::clone(trainer);
    tokio::task::spawn_blocking(move || trainer.train())
        .await
        .map_err(|error| DemoError::Platform(error.to_string()))?
}

/// The live view as one line and as a table.
fn view(stage: &Stage, trained: &[String]) -> (String, String) {
    let elapsed = stage.watch.seconds().min(stage.length.as_secs_f64());
    let mut tally = stage.tally.borrow_mut();
    let recent = tally.take_recent();
    let seconds = stage.length.as_secs_f64() / 10.0;
    let per_second = |count: u64| thousands((count as f64 / seconds.min(1.0)) as u64);
    let Stretch { events, answers, answer, lag } = &recent;
    let rates = |arm: Arm| {
        let rate = |clicks: Clicks| {
            if clicks.shown == 0 { "     -".to_owned() } else { format!("{:5.1}%", 100.0 * clicks.rate()) }
        };
        (rate(tally.clicks(arm, false)), rate(tally.clicks(arm, true)))
    };
    let top = Arm::ALL.iter().flat_map(|arm| tally.rates(*arm)).fold(0.0, f64::max);
    let model = trained.last().map_or("", String::as_str);
    let mut table = format!(
        "  {elapsed:3.0} of {:.0} s   {} events/s   {} answers/s   model {model}\n  \
         answer p50 {:.2} ms p99 {:.2} ms   event to answer p50 {:.2} ms p99 {:.2} ms   stale {}\n  \
         click rate   before   after   over time\n",
        stage.length.as_secs_f64(),
        per_second(*events),
        per_second(*answers),
        answer.quantile_ms(0.5),
        answer.quantile_ms(0.99),
        lag.quantile_ms(0.5),
        lag.quantile_ms(0.99),
        tally.stale,
    );
    let mut line = format!(
        "{elapsed:3.0} s  {} events/s  answer p99 {:.2} ms  event to answer p99 {:.2} ms  stale {}  {model}  click rate:",
        per_second(*events),
        answer.quantile_ms(0.99),
        lag.quantile_ms(0.99),
        tally.stale
    );
    for arm in Arm::ALL {
        let (before, after) = rates(arm);
        table.push_str(&format!(
            "  {:<10}   {before}  {after}   {}\n",
            arm.name(),
            bars(&tally.rates(arm), top)
        ));
        let now = if tally.shifted() { &after } else { &before };
        line.push_str(&format!(" {} {}", arm.name(), now.trim()));
    }
    (line, table)
}

fn result(stage: &Stage, options: SimulatedOptions, trainings: Vec<String>) -> SimulatedResult {
    let tally = stage.tally.borrow();
    let total = &tally.total;
    let seconds = stage.watch.seconds();
    let rate = |clicks: Clicks| Rate { value: clicks.rate(), margin: clicks.margin() };
    let arm = |arm| {
        let (before, after) = (tally.clicks(arm, false), tally.clicks(arm, true));
        ArmResult {
            shown: before.shown + after.shown,
            clicked: before.clicked + after.clicked,
            click_rate: BeforeAfter { before: rate(before), after: rate(after) },
            over_time: tally.rates(arm),
        }
    };
    SimulatedResult {
        demo: "simulated",
        seed: options.population.seed,
        users: options.population.users,
        items: stage.population.borrow().items().len(),
        seconds,
        events: total.events,
        answers: total.answers,
        events_per_second: total.events as f64 / seconds,
        answer_p50_ms: total.answer.quantile_ms(0.5),
        answer_p99_ms: total.answer.quantile_ms(0.99),
        event_to_answer_p50_ms: total.lag.quantile_ms(0.5),
        event_to_answer_p99_ms: total.lag.quantile_ms(0.99),
        stale: tally.stale,
        trainings,
        arms: Arms { popularity: arm(Arm::Popularity), personal: arm(Arm::Personal) },
    }
}

impl SimulatedResult {
    /// What it showed, in words.
    pub fn text(&self) -> String {
        let percent = |rate: Rate| format!("{:.1} % (±{:.1})", 100.0 * rate.value, 100.0 * rate.margin);
        let Arms { popularity, personal } = &self.arms;
        let ratio = |rate: fn(&BeforeAfter) -> Rate| {
            rate(&personal.click_rate).value / rate(&popularity.click_rate).value.max(1e-9)
        };
        let top = personal.over_time.iter().chain(&popularity.over_time).copied().fold(0.0, f64::max);
        let arm = |name: &str, arm: &ArmResult| {
            format!(
                "  {name:<10}  {:<16} {:<16} {}\n",
                percent(arm.click_rate.before),
                percent(arm.click_rate.after),
                bars(&arm.over_time, top)
            )
        };
        format!(
            "What it showed, in {:.0} s of {} simulated users clicking through the HTTP interface:\n\n  \
             click rate  before the shift after the shift  over time\n{}{}\n  \
             Personal answers were clicked {:.1} times as often as popular ones, {:.1} times after {:.0} % of the users\n  \
             changed their taste: the profile moves with every click, not with the next training.\n  \
             {} events, {} answers of {PAGE} items: p50 {:.2} ms, p99 {:.2} ms.\n  \
             From a click's acknowledgement to an answer that knows it: p50 {:.2} ms, p99 {:.2} ms; {} stale.\n  \
             Trained and promoted while serving: {}.\n",
            self.seconds,
            thousands(self.users as u64),
            arm("popularity", popularity),
            arm("personal", personal),
            ratio(|rates| rates.before),
            ratio(|rates| rates.after),
            SHIFT * 100.0,
            thousands(self.events),
            thousands(self.answers),
            self.answer_p50_ms,
            self.answer_p99_ms,
            self.event_to_answer_p50_ms,
            self.event_to_answer_p99_ms,
            self.stale,
            self.trainings.join(", "),
        )
    }
}
