use super::{Explicit, Line};
use crate::notation::HistoryFile;
use crate::{Lts, Part, Regenerate};
use datagen::domain::Limits;
use std::sync::Arc;

const TABLES: &str = "gristmill history, format 1
table t0 orders rows 16
  c0 p int64 partition
  c1 c text clustering desc
  c2 v int32
  c3 w int32 not-null
  c4 s int32 shared
table t1 pairs partitions 4 rows 1
  c0 p int64 partition
  c1 v int32
";

fn made(lines: &str) -> Result<Explicit, Vec<String>> {
    let file = HistoryFile::parse(&format!("{TABLES}{lines}")).unwrap();
    let schema = file.schema(&|_| Some(Limits::default())).unwrap();
    Explicit::new(Arc::new(schema), file.lines).map_err(|all| all.iter().map(ToString::to_string).collect())
}

fn part(position: u64) -> Part {
    Part { table: 0, position }
}

#[test]
fn writers_are_found_both_ways_and_holes_are_no_visits() {
    let history = made(
        "s1 3: delete t0/1 | commit\n\
         s2 7 beside 3: delete t0/2/0; delete t0/1/0 | commit\n\
         s1 12 beside 7: read t0/1 select c2 | auto\n",
    )
    .unwrap();
    assert_eq!(history.writer_after(part(1), Lts(0)), Some(Lts(3)));
    assert_eq!(history.writer_after(part(1), Lts(3)), Some(Lts(7)));
    assert_eq!(history.writer_after(part(1), Lts(7)), None);
    assert_eq!(history.writer_before(part(1), Lts(7)), Some(Lts(3)));
    assert_eq!(history.writer_before(part(1), Lts(3)), None);
    assert_eq!(history.writer_before(part(9), Lts(100)), None);
    assert_eq!(history.visit(Lts(4)), None);
    assert_eq!(history.from(Lts(4)), Some(Lts(7)));
    assert_eq!(history.from(Lts(13)), None);
    assert_eq!((history.last(), history.sessions()), (Lts(12), 2));
}

#[test]
fn steps_keep_the_numbers_that_they_had() {
    let history = made("s1 1: #2 delete t0/1/0; delete t0/1/1; #7 delete t0/1/2 | commit\n").unwrap();
    let numbers: Vec<u16> = (0..4).map(|step| history.number(Lts(1), step)).collect();
    assert_eq!(numbers, [2, 3, 7, 3]);
    assert_eq!(history.number(Lts(1), u16::MAX), u16::MAX);
    let line: &Line = &history.lines()[0];
    let kept = line.visit.steps.iter().cloned().zip(&line.numbers).skip(1);
    let less = line
        .with_steps(kept.map(|(step, n)| (*n, step)).collect())
        .unwrap();
    assert_eq!(
        less.to_string(),
        "s1 1: #3 delete t0/1/1; #7 delete t0/1/2 | commit"
    );
    assert_eq!(line.with_steps(Vec::new()), None);
}

#[test]
fn what_does_not_fit_is_said_line_by_line() {
    let wrong = [
        (
            "s1 1: insert t0/1/0 c2=1 | auto",
            "visit 1: column c3 may not be NULL: give it a value",
        ),
        (
            "s1 1: update t0/1/99 c2=1 | auto",
            "visit 1: row 99: a partition has 16 rows, from 0",
        ),
        (
            "s1 1: update t0/1/0 c1=1 | auto",
            "visit 1: column c1 is no regular column",
        ),
        (
            "s1 1: update t0/1/0 c9=1 | auto",
            "visit 1: table `orders` has no column c9",
        ),
        (
            "s1 1: update t0/1/0 c3=null | auto",
            "visit 1: column c3 may not be NULL",
        ),
        (
            "s1 1: update t0/1/0 c2=4294967296 | auto",
            "visit 1: c2=4294967296: the column has 4294967296 values, from 0",
        ),
        (
            "s1 1: delete t7/1 | auto",
            "visit 1: there is no table t7: the schema has 2",
        ),
        (
            "s1 1: delete t0/1 | auto",
            "visit 1: deleting a partition with shared columns is two statements: end it with `commit`",
        ),
        (
            "s1 1: delete t0/1/0; delete t0/1/1 | auto",
            "visit 1: `auto` is exactly one statement: end it with `commit`",
        ),
        (
            "s1 1: read t0/* select c2 | auto",
            "visit 1: a whole table is read only where it is narrow: give it `partitions N`",
        ),
        (
            "s1 1: read t0/1 select c4 | auto",
            "visit 1: column c4 is not in what it reads",
        ),
        (
            "s1 1: read t0/1 select c2 limit 3 | auto",
            "visit 1: `limit` needs `order`: which rows come is open otherwise",
        ),
        (
            "s1 1: delete t0/1/0; rollback to 1 | commit",
            "visit 1: `rollback to 1` without `savepoint 1` before it",
        ),
        (
            "s0 1: delete t0/1/0 | auto",
            "visit 1: sessions are numbered from 1",
        ),
        (
            "s1 1: delete t0/1/0 | auto\ns2 2 beside 9: delete t0/2/0 | auto",
            "visit 2: it is beside 9, which is not above it",
        ),
        (
            "s1 1: delete t0/1/0 | auto\ns1 2 beside 1: delete t0/2/0 | auto",
            "visit 2: it is beside 1 of its own session, which does one after another",
        ),
        (
            "s1 1: delete t0/1/0 | auto\ns2 2: delete t0/2/0 | auto\ns3 3 beside 1: delete t0/3/0 | auto",
            "visit 3: it is beside 1, whose end a visit in between has waited for: say `beside 1` there too",
        ),
        (
            "s1 2: delete t0/1/0 | auto\ns1 1: delete t0/1/0 | auto",
            "visit 1: visit 2 above writes t0/1 too: visits of one partition are numbered in their order",
        ),
        (
            "s1 1: delete t0/1/0 | auto\ns1 1: delete t0/2/0 | auto",
            "visit 1: there are two visits of this number",
        ),
    ];
    for (lines, said) in wrong {
        assert_eq!(made(lines).unwrap_err(), [said], "{lines}");
    }
}

const AT: &str = "| auto at";

#[test]
fn a_column_that_is_dropped_is_named_by_nobody_until_it_is_added_again() {
    let history = made(&format!(
        "s1 1: upsert t0/1/0 c2=5 c3=1 {AT} 10 one\n\
         s1 2: drop-column t0 c2 {AT} 20 all\n\
         s1 3: upsert t0/1/0 c3=2 {AT} 30 one\n\
         s1 4: add-column t0 c2 {AT} 30 all\n\
         s1 5: upsert t0/1/0 c2=7 c3=2 {AT} 40 one\n"
    ))
    .unwrap();
    let c2 = datagen::schema::ColumnId(2);
    let away: Vec<bool> = (1..=5).map(|n| history.away(0, Lts(n)).contains(&c2)).collect();
    assert_eq!(away, [false, true, true, false, false]);
    assert!(history.away(1, Lts(3)).is_empty());
    assert_eq!(history.changes(Lts(3)), [Lts(2)]);
    // A drop writes every partition of its table.
    assert_eq!(history.writer_after(part(1), Lts(1)), Some(Lts(2)));
    assert_eq!(history.writer_before(part(7), Lts(5)), Some(Lts(2)));
    assert_eq!(
        history.writer_after(
            Part {
                table: 1,
                position: 0
            },
            Lts(0)
        ),
        None
    );
    for (lines, what) in [
        (
            format!("s1 1: drop-column t0 c2 {AT} 9 all\ns1 2: read t0/1 select c2 {AT} 0 one\n"),
            "visit 2: column c2 of table t0 is dropped: leave it out until it is added again",
        ),
        (
            format!("s1 1: drop-column t0 c2 {AT} 9 all\ns1 2: drop-column t0 c2 {AT} 9 all\n"),
            "visit 2: column c2 of table t0 is dropped already",
        ),
        (
            format!("s1 1: upsert t0/1/0 c2=5 c3=1 {AT} 10 one\ns1 2: drop-column t0 c2 {AT} 9 all\n"),
            "visit 2: a visit before it writes column c2 at 10: drop it at that timestamp or a greater one",
        ),
        (
            format!(
                "s1 1: drop-column t0 c2 {AT} 9 all\ns1 2: add-column t0 c2 {AT} 9 all\n\
                 s1 3: upsert t0/1/0 c2=5 c3=1 {AT} 9 one\n"
            ),
            "visit 3: it writes column c2 of table t0 at 9, and cells up to 9 were dropped: give it a greater timestamp",
        ),
        (
            "s1 1: drop-column t0 c2 | auto\n".to_owned(),
            "visit 1: `drop-column` needs a timestamp, up to which cells are deleted: `| auto at 1000 quorum`",
        ),
        (
            format!("s1 1: create-index t0 c1 {AT} 9 all\n"),
            "visit 1: column c1 is no regular column",
        ),
        (
            format!("s1 1: upsert t0/1/0 c2=5 c3=1 {AT} 10 one if c9=1\n"),
            "visit 1: table `orders` has no column c9",
        ),
        (
            format!("s1 1: upsert t0/1/0 c2=5 c3=1 {AT} 10 one if c1=null\n"),
            "visit 1: column c1 is no regular column",
        ),
        (
            format!("s1 1: upsert t0/1/0 c2=5 c3=1 {AT} 10 one if c3=4294967296\n"),
            "visit 1: c3=4294967296: the column has 4294967296 values, from 0",
        ),
    ] {
        assert_eq!(made(&lines).unwrap_err(), [what]);
    }
}
