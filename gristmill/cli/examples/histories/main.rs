//! Seven tests as histories, on any target: `cargo run --example histories [TARGET]` (`sqlite:` if none is named).
//!
//! Each file is one test of a database, as its author would write it; the test suite runs them all.

mod deletes_meet_inserts;
mod generated_noise;
mod money_is_neither_made_nor_lost;
mod rolled_back_is_gone;
mod slices_of_a_partition;
mod the_greatest_timestamp_wins;
mod what_comes_back_decides;

fn main() {
    let target = std::env::args().nth(1).unwrap_or_else(|| "sqlite:".to_owned());
    let all = [
        ("deletes meet inserts", deletes_meet_inserts::history()),
        ("rolled back is gone", rolled_back_is_gone::history()),
        ("slices of a partition", slices_of_a_partition::history()),
        (
            "money is neither made nor lost",
            money_is_neither_made_nor_lost::history(),
        ),
        ("generated noise", generated_noise::history()),
        (
            "the greatest timestamp wins",
            the_greatest_timestamp_wins::history(),
        ),
    ];
    for (name, history) in all {
        let held = history.holds(&target);
        println!("{name}: holds, {} answers compared", held.verdict.counts.answers);
    }
    match what_comes_back_decides::run(&what_comes_back_decides::history(), &target) {
        Ok((rows, compared)) => {
            println!("what comes back decides: holds, {rows} rows, {compared} answers compared")
        }
        Err(wrong) => panic!("{wrong}"),
    }
}
