//! A source and a sink over stores that fail: at every single operation in every way, and at random.
//!
//! The judge looks at the same stores, which never fail it. Time is moved by hand, so waiting before a retry
//! costs nothing. A run that fails prints how to run it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use dataflow::Mutant;
use shard::mutant::Mutant as ShardMutant;
use shard::testing::faulty::{Fate, Faulty, Op};
use shard::{Client, ClientConfig, Frontier, Location, ReadHandle};

use crate::mill::{Mill, Setup};

/// What an operation may meet. Only compare-and-sets can be late; others are lost then.
const FATES: [Fate; 7] = [
    Fate::Refused,
    Fate::Lost,
    Fate::Unanswered,
    Fate::Late(1),
    Fate::Late(2),
    Fate::Late(5),
    Fate::Late(13),
];
/// Batches that are there before the replica starts.
const BEFORE: u64 = 3;
/// Batches in all.
const BATCHES: u64 = 6;
/// Rounds of the replica within which it must have followed a batch.
const ROUNDS_MAX: u64 = 4_000;
/// How far time goes in a round.
const ROUND_MS: u64 = 15;
/// A writer's life where the stores are silent for longer than that.
const SHORT_LIFE_MS: u64 = 2_000;
/// Rounds of a silence before time goes on.
const SILENT_ROUNDS: u64 = 20;
/// Random storms of the short form.
const STORMS: u64 = 60;

/// SplitMix64's finaliser: a draw that depends on all bits of `x`.
fn draw(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[derive(Clone, Copy, Default)]
struct Defects {
    shard: ShardMutant,
    sink: Mutant,
    /// How long a writer lives; it leaves an append in doubt after half of it.
    writer_lease_ms: Option<u64>,
}

struct Storm {
    mill: Mill,
    stores: Faulty,
    operations: Arc<AtomicU64>,
    input: ReadHandle,
    output: ReadHandle,
}

impl Storm {
    /// `fate` is asked for each operation of the replicas, with its number.
    fn new(defects: Defects, fate: impl Fn(u64, &Op) -> Fate + Send + 'static) -> Storm {
        let stores = Faulty::new();
        let calm = Location::of(
            "calm",
            Arc::new(stores.blob.clone()),
            Arc::new(stores.consensus.clone()),
        );
        let config = |seed| {
            let mut config = ClientConfig::manual(1_000_000, seed);
            config.settings.inline_part_bytes = 0;
            config.settings.inline_total_bytes = 0;
            config.settings.compaction.enabled = false;
            // Nobody's heart beats by itself here.
            config.settings.reader_lease_ms = 1 << 40;
            if let Some(lease_ms) = defects.writer_lease_ms {
                config.settings.writer_lease_ms = lease_ms;
            }
            config
        };
        let judges = config(1);
        let mut theirs = config(2);
        theirs.clock = judges.clock.clone();
        theirs.mutant = defects.shard;
        let judge = Client::new(calm, judges);
        let mill = Mill::of(Client::new(stores.location(), theirs), judge, defects.sink);
        let (input, output) = (mill.hold(mill.input), mill.hold(mill.output));
        for time in 0..BEFORE {
            feed(&mill, time);
        }
        let operations = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&operations);
        stores.script(move |op| fate(counted.fetch_add(1, Ordering::Relaxed), op));
        Storm {
            mill,
            stores,
            operations,
            input,
            output,
        }
    }

    fn start(&mut self) {
        self.mill.start(Setup {
            workers: 2,
            ..Setup::default()
        });
    }

    /// Moves all replicas until the output has come to `time`; whether it has.
    fn follow(&self, time: u64, round_ms: u64, rounds_max: u64) -> bool {
        for round in 0..rounds_max {
            if round % 4 == 0 && self.mill.upper(self.mill.output) >= Frontier::At(time) {
                return true;
            }
            for replica in 0..self.mill.replicas.len() {
                self.mill.move_one(replica);
            }
            self.mill.client.clock().advance(round_ms);
        }
        false
    }

    /// One replica follows the whole input; panics with the reason when the output is not right.
    fn run(mut self) -> u64 {
        self.start();
        self.go_on(BEFORE)
    }

    /// The same when the replica is there and the input has come to `fed`.
    fn go_on(self, fed: u64) -> u64 {
        for time in fed..=BATCHES {
            assert!(
                self.follow(time, ROUND_MS, ROUNDS_MAX),
                "the output never comes to {time}: {:?} {:?}",
                self.mill.replicas[0].source.errors(),
                self.mill.replicas[0].sink.errors()
            );
            if time < BATCHES {
                feed(&self.mill, time);
            }
        }
        // What is still on its way arrives now, and changes nothing.
        self.mill.wait(self.stores.deliver_late());
        assert_eq!(self.mill.upper(self.mill.output), Frontier::At(BATCHES));
        self.mill.expect_no_errors();
        self.mill.expect_equal(&self.input, &self.output, 0);
        self.operations.load(Ordering::Relaxed)
    }
}

/// One batch at `time`: a row of its own, one that comes and goes, one that grows.
fn feed(mill: &Mill, time: u64) {
    let (own, sign) = (format!("row {time}"), if time.is_multiple_of(2) { 1 } else { -1 });
    let rows = [
        (own.as_str(), time, 1),
        ("blinks", time, sign),
        ("grows", time, 2),
    ];
    mill.append(mill.input, &rows, time, Frontier::At(time + 1));
}

/// Operations of a run without faults.
fn calm() -> u64 {
    Storm::new(Defects::default(), |_, _| Fate::Pass).run()
}

/// Compare-and-set number `at` happens and is not answered. Then the stores are silent for this process until
/// the writer that asked has run out its life and somebody else's command has removed its entry; then they
/// answer again. Whether there was a compare-and-set number `at`.
fn silence(defects: Defects, at: u64) -> bool {
    let defects = Defects {
        writer_lease_ms: Some(SHORT_LIFE_MS),
        ..defects
    };
    let silent = Arc::new(AtomicBool::new(false));
    let (falls, sets) = (Arc::clone(&silent), AtomicU64::new(0));
    let mut storm = Storm::new(defects, move |_, op| {
        if falls.load(Ordering::SeqCst) {
            return Fate::Lost;
        }
        if matches!(op, Op::Cas(_)) && sets.fetch_add(1, Ordering::Relaxed) == at {
            falls.store(true, Ordering::SeqCst);
            return Fate::Unanswered;
        }
        Fate::Pass
    });
    storm.start();
    for fed in BEFORE..=BATCHES {
        let fell = |storm: &Storm| {
            for _ in 0..ROUNDS_MAX {
                if silent.load(Ordering::SeqCst) {
                    return true;
                }
                if storm.mill.upper(storm.mill.output) >= Frontier::At(fed) {
                    return false;
                }
                storm.mill.move_one(0);
                storm.mill.client.clock().advance(ROUND_MS);
            }
            panic!("the output never comes to {fed}");
        };
        if fell(&storm) {
            (0..SILENT_ROUNDS).for_each(|_| storm.mill.move_one(0));
            storm.mill.client.clock().advance(2 * SHORT_LIFE_MS);
            let other = storm.mill.hold(storm.mill.output);
            storm.mill.wait(other.expire()).expect("expires");
            let writers = storm.mill.state(storm.mill.output).writers.len();
            assert_eq!(writers, 0, "the output's writers have run out their life");
            silent.store(false, Ordering::SeqCst);
            storm.go_on(fed);
            return true;
        }
        if fed < BATCHES {
            feed(&storm.mill, fed);
        }
    }
    false
}

/// Every operation meets every fate, one a run; unless the `whole` is asked for, each meets one of them.
fn sweep(defects: Defects, whole: bool) {
    let operations = calm();
    let mut runs = 0;
    for at in 0..operations {
        for (which, fate) in FATES.into_iter().enumerate() {
            if !whole && u64::try_from(which).unwrap() != (at + at / 7) % 7 {
                continue;
            }
            runs += 1;
            let meets = fate.clone();
            let run = move || {
                Storm::new(
                    defects,
                    move |number, _| {
                        if number == at { meets.clone() } else { Fate::Pass }
                    },
                )
                .run()
            };
            let passed = std::panic::catch_unwind(run).is_ok();
            assert!(passed, "operation {at} of {operations} was {fate:?}");
        }
    }
    println!("{operations} operations, {runs} runs with one fault");
}

/// One operation in `one_in` fails, each as `seed` says.
fn random(seed: u64, defects: Defects) {
    let one_in = 2 + draw(seed) % 7;
    let fate = move |number: u64, _: &Op| {
        let drawn = draw(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number));
        let which = usize::try_from((drawn >> 32) % FATES.len() as u64).unwrap();
        match drawn % one_in {
            0 => FATES[which].clone(),
            _ => Fate::Pass,
        }
    };
    // Every other storm meets writers that give up soon.
    let defects = Defects {
        writer_lease_ms: (seed % 2 == 1).then_some(40),
        ..defects
    };
    let passed = std::panic::catch_unwind(|| Storm::new(defects, fate).run()).is_ok();
    assert!(
        passed,
        "storm {seed} fails; again: FLOW_STORM={seed} cargo test -p millstream-dataflow random_storms"
    );
}

#[test]
fn every_fault_at_every_operation_leaves_the_output_right() {
    sweep(Defects::default(), crate::asked("FLOW_STORMS", STORMS) > STORMS);
}

#[test]
fn the_sweep_convicts_whoever_guesses() {
    for shard in [ShardMutant::DoubtMeansSuccess, ShardMutant::DoubtIsMismatch] {
        let defects = Defects {
            shard,
            ..Defects::default()
        };
        let survived = std::panic::catch_unwind(|| sweep(defects, true)).is_ok();
        assert!(!survived, "{shard:?} survives");
    }
}

/// Whoever takes doubt for failure appends again as a writer that nobody knows, hears of an upper that is its
/// own, and deletes what is in the shard. Nothing shorter than the writer's life shows it: until then the entry
/// of the first attempt answers the second.
#[test]
fn a_silence_longer_than_a_writers_life_leaves_the_output_right() {
    let silences = |shard| {
        let defects = Defects {
            shard,
            ..Defects::default()
        };
        let mut at = 0;
        while silence(defects, at) {
            at += 1;
        }
        at
    };
    let played = silences(ShardMutant::None);
    assert!(played > BATCHES, "every append was met, {played} in all");
    println!("{played} silences");
    let survived = std::panic::catch_unwind(|| silences(ShardMutant::DoubtMeansFailure)).is_ok();
    assert!(!survived, "DoubtMeansFailure survives");
}

#[test]
fn random_storms_leave_the_output_right() {
    if std::env::var("FLOW_STORM").is_ok() {
        return random(crate::asked("FLOW_STORM", 0), Defects::default());
    }
    let storms = crate::asked("FLOW_STORMS", STORMS);
    for seed in 0..storms {
        random(seed, Defects::default());
    }
    println!("{storms} storms");
}

#[test]
fn random_storms_convict_a_sink_that_deletes_what_is_in_doubt() {
    let defects = Defects {
        sink: Mutant::InDoubtIsLost,
        ..Defects::default()
    };
    let survived = std::panic::catch_unwind(|| (0..STORMS).for_each(|seed| random(seed, defects))).is_ok();
    assert!(!survived);
}

/// From some operation on the stores say no for good (a full disk, a right taken away): source or sink say so,
/// what was written stays right, and a restart after the repair goes on.
#[test]
fn a_store_that_says_no_for_good_stops_everything_and_a_restart_goes_on() {
    let operations = calm();
    for from in (0..operations).step_by(5) {
        let mut storm = Storm::new(Defects::default(), move |number, _| {
            if number >= from { Fate::Denied } else { Fate::Pass }
        });
        storm.start();
        for time in BEFORE..BATCHES {
            if !storm.follow(time, ROUND_MS, 40) {
                break;
            }
            feed(&storm.mill, time);
        }
        let deadline_ms = storm.mill.client.settings().get().permanent_deadline_ms;
        storm.follow(BATCHES + 1, deadline_ms / 60, 130);
        let replica = &storm.mill.replicas[0];
        let errors = [replica.source.errors(), replica.sink.errors()].concat();
        assert!(
            !errors.is_empty() && errors[0].to_string().contains("denied by script"),
            "from operation {from} on: {errors:?}"
        );
        let upper = storm.mill.upper(storm.mill.output);
        assert!(upper <= storm.mill.upper(storm.mill.input), "{upper}");
        storm.mill.expect_equal(&storm.input, &storm.output, 0);
        // Repaired: a new instance, for the old one stands still.
        storm.stores.script(|_| Fate::Pass);
        storm.start();
        let end = storm.mill.upper(storm.mill.input).time().expect("open");
        assert!(storm.follow(end, ROUND_MS, ROUNDS_MAX), "after the repair");
        storm.mill.expect_equal(&storm.input, &storm.output, 0);
    }
}
