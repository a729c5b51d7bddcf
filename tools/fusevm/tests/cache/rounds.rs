//! Many processes at once, and processes that are killed while they write.

use super::{Place, assert_right, fusevm};
use fusevm_kit::kept::{files, rounds};
use std::fs;
use std::process::{Child, Output, Stdio};
use std::thread;
use std::time::Duration;

/// Where the delays begin; printed when a round fails.
const SEED: u64 = 0x5eed_cac4;

/// A generator of numbers below a bound, the same in every run.
struct Delays(u64);

impl Delays {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn start(place: &Place) -> Child {
    let mut command = place.command(place.cache());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("it can be started")
}

fn assert_sound(place: &Place, round: usize) {
    let verdict = place.verify();
    assert_eq!(verdict["damaged"], 0, "round {round}: {verdict}");
    let refused = verdict["refused"].as_array().map(Vec::len);
    assert_eq!(refused, Some(0), "round {round}: {verdict}");
}

/// Kills processes at any moment of their run, most of them near its end, where they write.
#[test]
fn killed_processes_leave_whole_packs() {
    let place = Place::new();
    let mut delays = Delays(SEED);
    let began = std::time::Instant::now();
    place.run();
    let run = began.elapsed().as_micros() as u64;
    for round in 0..rounds(30, 1_000) {
        if round % 3 == 0 {
            // Something to write: the cache is as empty as at first.
            let _ = fs::remove_dir_all(place.cache());
        }
        let mut child = start(&place);
        thread::sleep(Duration::from_micros(run / 3 + delays.below(run)));
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
        assert_sound(&place, round);
        if round % 3 == 2 {
            place.run();
            assert!(place.run().is_hit(), "round {round} of seed {SEED}");
        }
    }
    let orphans = files(&place.cache(), ".new-").len();
    eprintln!("{orphans} unfinished files are left, for a later pruning");
}

/// Sixteen processes at a time use one directory, which is emptied now and then under them.
#[test]
fn many_processes_share_a_directory() {
    const AT_ONCE: usize = 16;
    let place = Place::new();
    for round in 0..rounds(5, 1_000) {
        let children: Vec<Child> = (0..AT_ONCE).map(|_| start(&place)).collect();
        if round % 4 == 3 {
            let mut clear = fusevm();
            clear.args(["cache", "clear", "--cache"]).arg(place.cache());
            clear.output().expect("it can be started");
        }
        let outputs = children.into_iter().map(Child::wait_with_output);
        let outputs: Vec<Output> = outputs.collect::<Result<_, _>>().expect("they are ours");
        outputs.iter().for_each(assert_right);
        assert_sound(&place, round);
        assert!(place.packs().len() <= 8, "round {round}");
    }
    place.run();
    assert!(place.run().is_hit());
}
