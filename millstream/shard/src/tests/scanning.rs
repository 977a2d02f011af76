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
            // Parts of a few rows, or a run of one part.
            blob_target_bytes: match seed % 4 {
                3 => 4096,
                _ => 120 + usize::try_from(seed % 3).unwrap() * 100,
            },
            upkeep_ride_ms: 0,
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
                    // All over each other, or with a stretch that only one run has.
                    let row = format!(
                        "{:03}{}",
                        draw(2) % 40 + batch * 30 * (seed / 8 % 3),
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

/// What is pushed in order is one run, whatever parts it is cut into; where the order breaks, another begins.
#[test]
fn parts_that_follow_one_another_are_one_run() {
    let settings = Settings {
        inline_part_bytes: 0,
        blob_target_bytes: 120,
        upkeep_ride_ms: 0,
        ..Settings::default()
    };
    for (rows, runs) in [
        (vec![0..7, 7..100], 1),
        (vec![0..48, 20..40], 2),
        (vec![0..50, 50..90], 1),
    ] {
        let mut w = World::with(Mutant::None, settings.clone());
        let writer = w.writer();
        let batch = w.run(async move {
            let mut builder = writer.builder(at(0));
            for index in rows.into_iter().flatten() {
                builder
                    .push(format!("{index:03}").as_bytes(), 0, 1)
                    .await
                    .unwrap();
            }
            builder.finish(at(1)).await.unwrap()
        });
        assert!(batch.meta.parts().count() > 4);
        assert_eq!(batch.meta.runs.len(), runs);
    }
}

/// Batches that cost no fetch are left alone for longer; a blob among them counts as ever.
#[test]
fn inline_batches_are_rewritten_when_there_are_many_or_much() {
    let settings = crate::CompactionSettings {
        min_inputs: 2,
        min_parts: 2,
        min_inline_inputs: 5,
        min_inline_bytes: 1000,
        ..Settings::default().compaction
    };
    // Lengths of rows, and how many batches the request has. Many are four, five or six, as the shard's turn comes.
    for (rows, wanted) in [
        (vec![10; 3], None),
        (vec![10; 6], Some(6)),
        (vec![250; 3], None),
        (vec![250; 4], Some(4)),
        (vec![10, 600], Some(2)),
    ] {
        let inline = Settings {
            inline_part_bytes: 500,
            upkeep_ride_ms: 0,
            ..Settings::default()
        };
        let mut w = World::with(Mutant::None, inline);
        w.client.settings().update(&mut |s| s.compaction.enabled = false);
        let writer = w.writer();
        for (time, width) in (0..).zip(&rows) {
            w.append(&writer, &[("x".repeat(*width).as_str(), time, 1)], time, time + 1)
                .unwrap();
        }
        let request = w.log().unwrap().current.merge_request(&settings);
        assert_eq!(request.map(|r| r.inputs.len()), wanted, "{rows:?}");
    }
}
