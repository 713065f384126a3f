//! The promise of durability, kept under SIGKILL.
//!
//! Several clients write to the real binary and read from it; the process is killed at seeded random points and started
//! again on the same folder, and each client sends again what had no answer. Small segments and frequent checkpoints
//! put the kills into seals, index files and checkpoints as well. At the end: every acknowledged event is in the log
//! exactly once and as it was sent, nothing else is, every answer's decision is in its stream, and the views equal a
//! fresh replay, however the replay is cut into batches.
//!
//! Nothing sleeps: a kill comes after a drawn number of acknowledgements, wherever the server is then.

mod client;
mod gate;
mod proof;
mod server;

use std::time::Duration;

use headwater_base::random::seeded;
use rand::RngExt as _;

use client::{Client, Sent};
use gate::Gate;
use server::Site;

const SEED: u64 = 0x6864_7774;
const KILLS: usize = 60;
const WRITERS: usize = 4;
const READERS: usize = 1;
/// One life in this many is cut short before it has answered anybody: while it reads its log, or just after.
const STILLBORN: u32 = 6;
/// A server that stays silent for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn acknowledged_events_survive_fifty_kills() {
    let site = Site::create();
    let sent = live_and_die(&site);

    let events = proof::exactly_once(&site, &sent);
    proof::decisions_are_kept(&site, &sent);
    proof::views_equal_a_replay(&site, &events);
    proof::a_clean_stop_checkpoints_everything(&site, &events);
}

/// Runs the clients against one life of the server after the other; returns what each client had acknowledged.
fn live_and_die(site: &Site) -> Vec<Sent> {
    let gate = Gate::default();
    let mut random = seeded(SEED, "kills");
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..WRITERS + READERS)
            .map(|number| {
                let gate = &gate;
                scope.spawn(move || Client::new(SEED, number, number >= WRITERS, &site.key).run(gate))
            })
            .collect();
        let _over = gate.over_when_dropped();
        for _ in 0..KILLS {
            if random.random_range(0..STILLBORN) == 0 {
                let mut server = site.spawn();
                if random.random() {
                    server.address();
                }
                server.kill();
                continue;
            }
            let (mut server, address) = site.start();
            gate.open(address);
            gate.wait_for_acknowledgements(random.random_range(1..=120), PATIENCE);
            server.kill();
            gate.close();
        }
        let (mut server, address) = site.start();
        gate.open(address);
        gate.end();
        let sent = clients.into_iter().map(|client| client.join().expect("a client")).collect();
        server.kill();
        sent
    })
}
