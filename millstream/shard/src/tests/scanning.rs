//! A scan in order against all parts added up, over shapes of runs that a scan treats differently.

use super::world::{World, at};
use crate::Settings;
use crate::ids::mix;
use crate::mutant::Mutant;

/// Rows of one time or of several, of one length or of several, in parts of a few rows, before and after they are
/// rewritten as one run. `World::contents` compares.
#[test]
fn a_scan_in_order_is_what_all_parts_add_up_to() {
    for seed in 0..24u64 {
        let settings = Settings {
            inline_part_bytes: 0,
            blob_target_bytes: 120 + usize::try_from(seed % 3).unwrap() * 100,
            ..Settings::default()
        };
        let mut w = World::with(Mutant::None, settings);
        let writer = w.writer();
        let reader = w.reader();
        let batches = 1 + seed % 4;
        for batch in 0..batches {
            let (lower, upper) = (batch * 4, batch * 4 + 4);
            let rows: Vec<(String, u64, i64)> = (0..30)
                .map(|index| {
                    let draw = |what: u64| mix(seed ^ mix(batch * 1000 + index * 10 + what));
                    let time = if seed.is_multiple_of(2) {
                        lower
                    } else {
                        lower + draw(1) % 4
                    };
                    let row = format!(
                        "{:03}{}",
                        draw(2) % 40,
                        "x".repeat(usize::try_from(seed % 5 / 2 * (index % 2)).unwrap())
                    );
                    let diff = if draw(3).is_multiple_of(3) { -1 } else { 1 };
                    (row, time, diff)
                })
                .collect();
            let rows: Vec<(&str, u64, i64)> = rows.iter().map(|(r, t, d)| (r.as_str(), *t, *d)).collect();
            w.append(&writer, &rows, lower, upper).unwrap();
        }
        let newest = batches * 4 - 1;
        for as_of in 0..=newest {
            w.contents(as_of).unwrap();
        }
        let since = mix(seed) % (newest + 1);
        let reader = w.run(async move {
            reader.downgrade_since(at(since)).await.unwrap();
            reader
        });
        w.compact();
        for as_of in since..=newest {
            w.contents(as_of).unwrap();
        }
        drop(reader);
    }
}
